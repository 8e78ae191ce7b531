"""Authentication policies, and the secrets in them."""

from dataclasses import replace

import pytest
from millwright_workflow.domain.interpreter import Authentication, WorkflowFault
from millwright_workflow.domain.interpreter.secrets import open_seals, seal

SECRETS = {"mes": {"user": "robot", "keys": ["k1", 2], "none": None}, "token": "s3cret"}
USE = """
use:
  secrets: [mes, token]
  authentications:
    robot: {basic: {username: '${ .user }', password: '${ $secrets.token }'}}
    whole: {oauth2: {use: mes}}
"""


def call(authentication):
    return USE + (
        "do: [{c: {call: http, with: {method: get, endpoint: {uri: 'http://h.example', "
        f"authentication: {authentication}}}}}}}}}]"
    )


@pytest.fixture
def sent(plan, engine, reply):
    def sent(text, data=None):
        identity = replace(engine().identity, secrets=seal(SECRETS, "n0nce"))
        one = engine(answers={"http://h.example": reply({"ok": 1})}, identity=identity)
        one.run(plan(text), data)
        return one

    return sent


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("{bearer: {token: '${ .t }'}}", Authentication("bearer", None, {"token": "abc"})),
        ("{digest: {username: u, password: p}}", Authentication("digest", None, {"username": "u", "password": "p"})),
        ("{use: whole}", Authentication("oauth2", "mes", {})),
        ("{bearer: {use: token}}", Authentication("bearer", "token", {})),
    ],
)
def test_a_policy_is_named_or_written_and_may_be_a_secret_as_a_whole(sent, written, policy):
    assert sent(call(written), {"t": "abc"}).calls[0].authentication == policy


def test_the_defaults_of_the_dsl_are_filled_in(sent):
    written = "{oauth2: {authority: 'http://id.example', grant: client_credentials, client: {id: a, secret: b}}}"
    settings = sent(call(written)).calls[0].authentication.settings
    assert settings["client"] == {"id": "a", "secret": "b", "authentication": "client_secret_post"}
    assert settings["grant"] == "client_credentials"


def test_the_value_of_a_secret_is_in_no_result_and_no_effect(sent):
    one = sent(call("{use: robot}") + "\noutput: {as: '{all: [., $secrets]}'}", {"user": "robot"})
    policy = one.calls[0].authentication
    assert "s3cret" not in repr((one.commits, one.calls, one.evaluations))
    assert open_seals(policy.settings, SECRETS, "n0nce", "/do/0/c") == {"username": "robot", "password": "s3cret"}


def test_secrets_are_unknown_where_none_is_declared(fault_of):
    assert fault_of("do: [{a: {set: {x: '${ $secrets }'}}}]").type.endswith("/expression")


@pytest.mark.parametrize("written", ["{use: nobody}", "{basic: {use: nothing}}"])
def test_a_policy_or_a_secret_that_does_not_exist_is_refused_before_anything_runs(plan, written):
    with pytest.raises(WorkflowFault) as caught:
        plan(call(written))
    assert caught.value.error.type.endswith("/configuration")


def test_seals_keep_the_shape_of_a_secret_and_open_anywhere_in_data():
    sealed = seal(SECRETS, "n0nce")
    assert sealed["mes"].keys() == SECRETS["mes"].keys()
    assert open_seals(sealed, SECRETS, "n0nce", "/") == SECRETS
    value = {"header": f"Bearer {sealed['token']}!", "both": [f"{sealed['token']}{sealed['mes']['keys'][1]}", 5, None]}
    assert open_seals(value, SECRETS, "n0nce", "/") == {"header": "Bearer s3cret!", "both": ["s3cret2", 5, None]}


def test_a_seal_that_somebody_else_wrote_stays_closed():
    forged = seal(SECRETS, "guess")["token"]
    assert open_seals(forged, SECRETS, "n0nce", "/") == forged


def test_a_seal_of_what_is_no_secret_any_more_is_an_authorization_error():
    with pytest.raises(WorkflowFault) as caught:
        open_seals(seal(SECRETS, "n0nce")["token"], {}, "n0nce", "/do/0/c")
    assert (caught.value.error.status, caught.value.error.instance) == (403, "/do/0/c")
    assert "s3cret" not in str(caught.value)
