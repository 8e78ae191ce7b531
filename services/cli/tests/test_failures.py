"""What a person and a script are told when something goes wrong, and where the command looks for a service."""

import json
import string

import grpc
import pytest
from millwright.workflow.v1.workflow_service_pb2 import ListWorkflowsResponse
from millwright_cli.words import Advice, Vocabulary
from millwright_local.testing.certificates import Authority

CODES = {
    "NOT_FOUND": 3,
    "FAILED_PRECONDITION": 4,
    "ABORTED": 4,
    "ALREADY_EXISTS": 4,
    "UNIMPLEMENTED": 4,
    "INVALID_ARGUMENT": 5,
    "OUT_OF_RANGE": 5,
    "UNAUTHENTICATED": 6,
    "PERMISSION_DENIED": 6,
    "DEADLINE_EXCEEDED": 7,
    "RESOURCE_EXHAUSTED": 7,
    "INTERNAL": 1,
    "UNKNOWN": 1,
}


@pytest.mark.parametrize(("code", "exit_code"), CODES.items())
def test_each_code_has_its_exit_code(run, peer, code, exit_code):
    peer.answers("ListWorkflows", peer.refusal(grpc.StatusCode[code]))
    result = run("workflow", "list")
    assert result.exit_code == exit_code
    assert result.stdout == ""


@pytest.fixture
def invalid(peer, tmp_path):
    (tmp_path / "flow.yaml").write_text("do: []")
    violations = [("/do/0/check/then", "no task named end2"), ("/document/version", "is missing")]
    peer.answers(
        "PublishVersion",
        peer.refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_DEFINITION", "2 faults", {"faults": "2"}, violations),
    )


def test_a_person_reads_what_happened_each_violation_and_what_to_do(run, invalid):
    result = run("workflow", "publish", "flow.yaml")
    assert result.exit_code == 5
    assert result.stderr.splitlines() == [
        "✘ 2 faults  [INVALID_DEFINITION]",
        "  /do/0/check/then: no task named end2",
        "  /document/version: is missing",
        "→ Mend what is listed and publish again; the paths are JSON pointers into the definition.",
    ]


def test_a_script_reads_one_error_object(run, invalid):
    result = run("workflow", "publish", "flow.yaml", "-o", "json")
    assert result.stdout == ""
    assert json.loads(result.stderr) == {
        "error": {
            "code": "INVALID_ARGUMENT",
            "reason": "INVALID_DEFINITION",
            "message": "2 faults",
            "metadata": {"faults": "2"},
            "violations": [
                {"field": "/do/0/check/then", "description": "no task named end2"},
                {"field": "/document/version", "description": "is missing"},
            ],
        }
    }


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("DATABASE_UNAVAILABLE", "its Postgres does not answer"),
        ("STARTING", "run the service's `migrate`"),
        ("SHUTTING_DOWN", "Check that the service runs"),
    ],
)
def test_who_is_not_served_is_told_where_to_look(run, peer, reason, hint):
    peer.answers("ListWorkflows", *[peer.refusal(grpc.StatusCode.UNAVAILABLE, reason)] * 9)
    result = run("workflow", "list")
    assert result.exit_code == 7
    assert hint in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("args", [("--lang", "ko"), ()])
def test_the_command_speaks_korean_when_asked_or_by_the_locale(run, peer, args):
    peer.answers(
        "ListWorkflows", peer.refusal(grpc.StatusCode.NOT_FOUND, "WORKFLOW_NOT_FOUND"), ListWorkflowsResponse()
    )
    env = {} if args else {"LANG": "ko_KR.UTF-8"}
    assert "`millwright workflow list`로 확인하십시오" in run("workflow", "list", *args, env=env).stderr
    assert run("workflow", "list", *args, env=env).stdout == "결과 없음\n"


def test_each_phrase_says_the_same_values_in_both_languages():
    for phrase in (member.value for kind in (Vocabulary, Advice) for room in kind.__subclasses__() for member in room):
        named = [sorted(name for _, name, _, _ in string.Formatter().parse(text) if name) for text in phrase]
        assert named[0] == named[1], phrase


def test_without_endpoint_and_stack_it_says_what_to_do(bare):
    result = bare("workflow", "list")
    assert result.exit_code == 2
    assert "[NO_STACK]" in result.stderr
    assert "make up" in result.stderr


@pytest.fixture
def stack(peer, tmp_path):
    (tmp_path / "token").write_text("local-token\n")
    (tmp_path / ".millwright").mkdir()
    described = {"endpoints": {"workflow": peer.endpoint}, "token_file": str(tmp_path / "token")}
    (tmp_path / ".millwright" / "stack.json").write_text(json.dumps(described))
    return tmp_path


def test_the_nearest_stack_upwards_is_used_with_its_token(bare, peer, stack, monkeypatch):
    below = stack / "deep" / "down"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    peer.answers("ListWorkflows", ListWorkflowsResponse())
    assert bare("workflow", "list").exit_code == 0
    assert peer.calls[0].metadata["authorization"] == "Bearer local-token"


def test_the_token_of_the_stack_goes_nowhere_else(run, peer, stack):
    peer.answers("ListWorkflows", ListWorkflowsResponse())
    assert run("workflow", "list").exit_code == 0
    assert "authorization" not in peer.calls[0].metadata


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"endpoints": {"workflow": "198.51.100.7:443"}, "token_file": "/etc/hostname"}']
)
def test_a_stack_that_is_none_or_is_elsewhere_is_refused(bare, stack, text):
    (stack / ".millwright" / "stack.json").write_text(text)
    result = bare("workflow", "list")
    assert result.exit_code == 2
    assert "[BAD_STACK]" in result.stderr


def test_a_token_comes_from_option_file_or_environment(run, peer, tmp_path):
    (tmp_path / "mine").write_text("from-file\n")
    for args, env, token in (
        (("--token", "from-option"), {"MILLWRIGHT_TOKEN": "from-environment"}, "from-option"),
        (("--token-file", "mine"), {}, "from-file"),
        ((), {"MILLWRIGHT_TOKEN": "from-environment"}, "from-environment"),
    ):
        peer.answers("ListWorkflows", ListWorkflowsResponse())
        run("workflow", "list", *args, env=env)
        assert peer.calls[-1].metadata["authorization"] == f"Bearer {token}"


def test_global_options_stand_anywhere_and_the_last_holds(bare, peer):
    for args in (
        ("--endpoint", peer.endpoint, "workflow", "list", "-o", "json"),
        ("workflow", "list", "--endpoint", peer.endpoint, "-o", "json"),
        ("workflow", "--endpoint", peer.endpoint, "-o", "json", "list"),
        ("-o", "text", "--endpoint", "127.0.0.1:1", "workflow", "list", "--endpoint", peer.endpoint, "-o", "json"),
    ):
        peer.answers("ListWorkflows", ListWorkflowsResponse())
        result = bare(*args, env={"MILLWRIGHT_OUTPUT": "text", "MILLWRIGHT_WORKFLOW_ENDPOINT": "127.0.0.1:2"})
        assert json.loads(result.stdout)["workflows"] == []


def test_what_is_typed_before_the_words_beats_the_environment(bare, peer):
    peer.answers("ListWorkflows", ListWorkflowsResponse())
    env = {"MILLWRIGHT_OUTPUT": "text", "MILLWRIGHT_WORKFLOW_ENDPOINT": peer.endpoint}
    assert json.loads(bare("-o", "json", "workflow", "list", env=env).stdout)["workflows"] == []


@pytest.mark.parametrize("endpoint", ["nowhere", "http://here:1", "a b:1", "here:", ":1"])
def test_an_endpoint_that_is_none_is_a_usage_error(bare, endpoint):
    assert bare("workflow", "list", "--endpoint", endpoint).exit_code == 2


def test_nobody_listening_is_unavailable(bare):
    result = bare("workflow", "list", "--endpoint", "127.0.0.1:1")
    assert result.exit_code == 7
    assert "make up" in result.stderr


def test_tls_is_spoken_where_certificates_are_given(bare, peer, tmp_path):
    (tmp_path / "ca.pem").write_text("none")
    result = bare("workflow", "list", "--endpoint", peer.endpoint, "--ca", "ca.pem", "--timeout", "1")
    assert result.exit_code == 7
    assert not peer.calls
    assert bare("workflow", "list", "--endpoint", peer.endpoint, "--ca", "ca.pem", "--plaintext").exit_code == 2


@pytest.fixture
def issued(tmp_path):
    """A certificate: the peer's and the caller's alike."""
    return Authority().issue(tmp_path / "tls")


@pytest.fixture
def guarded(peer, issued):
    """Where the peer asks each client for a certificate."""
    certificate, key, ca = (file.read_bytes() for file in issued)
    return peer.listen(grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True))


def test_a_certificate_is_shown_where_it_is_given(bare, peer, guarded, issued):
    peer.answers("ListWorkflows", ListWorkflowsResponse(), ListWorkflowsResponse())
    listing = ("workflow", "list", "--endpoint", guarded, "--timeout", "5")
    typed = ("--ca", str(issued.ca), "--cert", str(issued.certificate), "--cert-key", str(issued.key))
    assert bare(*listing, *typed).exit_code == 0
    env = {"MILLWRIGHT_CA": issued.ca, "MILLWRIGHT_CERT": issued.certificate, "MILLWRIGHT_CERT_KEY": issued.key}
    assert bare(*listing, env={name: str(path) for name, path in env.items()}).exit_code == 0
    assert len(peer.calls) == 2


def test_without_a_certificate_it_is_not_let_in(bare, peer, guarded, issued):
    result = bare("workflow", "list", "--endpoint", guarded, "--ca", str(issued.ca), "--timeout", "1")
    assert (result.exit_code, peer.calls) == (7, [])


def test_a_certificate_without_its_key_is_a_usage_error(bare, peer, issued):
    for half in (("--cert", str(issued.certificate)), ("--cert-key", str(issued.key))):
        result = bare("workflow", "list", "--endpoint", peer.endpoint, *half)
        assert result.exit_code == 2
        assert "belong together" in result.stderr


def test_the_version_and_the_exit_codes_are_told(bare):
    assert bare("--version").stdout.startswith("millwright 0.")
    assert "8 what was watched faulted" in " ".join(bare("--help").stdout.split())
