"""Tokens from an issuer of our own."""

import asyncio
import base64
import json
from urllib.parse import parse_qs

import jwt
import pytest
from aiohttp import web as aio
from millwright_workflow.domain.interpreter import Authentication

TOKEN = "/oauth2/token"


def issue(token="t1", **more):
    return lambda _: aio.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 3600, **more})


def refuse(status=400, **body):
    return lambda _: aio.json_response(body, status=status)


def policy(web, scheme="oauth2", **settings):
    client = {"id": "press", "secret": "cl1ent", "authentication": "client_secret_post"}
    return Authentication(
        scheme, settings={"authority": web.url, "grant": "client_credentials", "client": client, **settings}
    )


def asked(web, path=TOKEN):
    _, headers, _, body = web.hits[path][-1]
    return {name.lower(): value for name, value in headers.items()}, parse_qs(body.decode())


def shown(web):
    return [headers["Authorization"] for _, headers, _, _ in web.hits["/a"]]


async def test_a_token_is_asked_for_once_by_many_calls_at_once(calls, web):
    web.answer(TOKEN, issue())
    await asyncio.gather(*(calls.send(f"{web.url}/a", auth=policy(web)) for _ in range(30)))
    assert len(web.hits[TOKEN]) == 1
    assert shown(web) == ["Bearer t1"] * 30


async def test_a_token_is_used_until_shortly_before_its_end(calls, web):
    web.answer(TOKEN, issue("t1"), issue("t2"))
    for now in (0, 3560, 3580):
        calls.clock.now = now
        await calls.send(f"{web.url}/a", auth=policy(web))
    assert shown(web) == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_no_tenant_is_given_the_token_of_another(calls, web, caller):
    web.answer(TOKEN, issue("t1"), issue("t2"))
    await calls.send(f"{web.url}/a", auth=policy(web))
    caller.tenant = "plant-b"
    await calls.send(f"{web.url}/a", auth=policy(web), caller=caller)
    assert shown(web) == ["Bearer t1", "Bearer t2"]


async def test_a_token_that_is_not_believed_is_not_shown_again(calls, web):
    web.answer(TOKEN, issue("t1"), issue("t2"))
    web.answer("/a", lambda _: aio.Response(status=401), lambda _: aio.Response())
    answers = [(await calls.send(f"{web.url}/a", auth=policy(web))).status for _ in range(2)]
    assert (answers, shown(web)) == ([401, 200], ["Bearer t1", "Bearer t2"])


async def test_the_password_grant_sends_the_user_and_scopes_and_audiences(calls, web):
    web.answer(TOKEN, issue())
    more = {"username": "ann", "password": "pw", "scopes": ["a", "b"], "audiences": ["x", "y"]}
    await calls.send(f"{web.url}/a", auth=policy(web, grant="password", **more))
    assert asked(web)[1] == {
        "grant_type": ["password"],
        "username": ["ann"],
        "password": ["pw"],
        "scope": ["a b"],
        "audience": ["x", "y"],
        "client_id": ["press"],
        "client_secret": ["cl1ent"],
    }


async def test_a_refresh_token_is_used_and_done_without_once_it_is_refused(calls, web):
    web.answer(
        TOKEN,
        issue("t1", refresh_token="r1"),
        issue("t2", refresh_token="r2"),
        refuse(error="invalid_grant"),
        issue("t3"),
    )
    auth = policy(web, grant="password", username="ann", password="pw")
    for now in (0, 4000, 8000):
        calls.clock.now = now
        await calls.send(f"{web.url}/a", auth=auth)
    assert shown(web) == ["Bearer t1", "Bearer t2", "Bearer t3"]
    grants = [parse_qs(body.decode())["grant_type"][0] for _, _, _, body in web.hits[TOKEN]]
    assert grants == ["password", "refresh_token", "refresh_token", "password"]


async def test_a_refresh_token_of_the_policy_is_a_grant(calls, web):
    web.answer(TOKEN, issue())
    auth = policy(web, grant="refresh_token", subject={"token": "r0", "type": "refresh_token"})
    await calls.send(f"{web.url}/a", auth=auth)
    assert asked(web)[1]["refresh_token"] == ["r0"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_jwt", "private_key_jwt", "none"])
async def test_the_client_says_who_it_is_in_each_way(calls, web, method):
    web.answer(TOKEN, issue())
    secret = "cl1ent" * 8
    client = {"id": "press 1", "secret": secret, "assertion": "as.ser.tion", "authentication": method}
    if method == "client_secret_jwt":
        del client["assertion"]
    await calls.send(f"{web.url}/a", auth=policy(web, client=client))
    headers, form = asked(web)
    if method == "client_secret_basic":
        assert base64.b64decode(headers["authorization"].split()[1]).decode() == f"press+1:{secret}"
        assert set(form) == {"grant_type"}
    elif method == "none":
        assert form == {"grant_type": ["client_credentials"], "client_id": ["press 1"]}
    else:
        (assertion,) = form["client_assertion"]
        if method == "client_secret_jwt":
            claims = jwt.decode(assertion, secret, algorithms=["HS256"], audience=f"{web.url}{TOKEN}")
            assert claims["iss"] == claims["sub"] == "press 1"
        else:
            assert assertion == "as.ser.tion"
        assert "client_secret" not in form


async def test_a_request_may_be_json_at_an_endpoint_of_its_own(calls, web):
    web.answer("/t", issue())
    auth = policy(web, endpoints={"token": "/t"}, request={"encoding": "application/json"})
    await calls.send(f"{web.url}/a", auth=auth)
    assert json.loads(web.hits["/t"][0][3])["grant_type"] == "client_credentials"


async def test_openid_connect_finds_the_endpoint_once(calls, web):
    described = {"issuer": web.url, "token_endpoint": f"{web.url}/tokens"}
    web.answer("/.well-known/openid-configuration", lambda _: aio.json_response(described))
    web.answer("/tokens", issue())
    for scopes in (["a"], ["b"]):
        await calls.send(f"{web.url}/a", auth=policy(web, "oidc", scopes=scopes))
    assert len(web.hits["/.well-known/openid-configuration"]) == 1
    assert len(web.hits["/tokens"]) == 2


async def test_an_authority_that_describes_another_is_not_believed(calls, web, fault):
    described = {"issuer": "https://other.example", "token_endpoint": f"{web.url}/tokens"}
    web.answer("/.well-known/openid-configuration", lambda _: aio.json_response(described))
    assert (await fault(calls.send(f"{web.url}/a", auth=policy(web, "oidc"))))[0] == "authentication"
    assert not web.hits["/tokens"]


async def test_a_token_of_an_issuer_that_the_policy_does_not_name_is_not_used(calls, web, fault):
    def signed(issuer):
        return jwt.encode({"iss": issuer}, "k" * 32, algorithm="HS256")

    web.answer(TOKEN, issue(signed("https://evil.example")), issue("opaque"), issue(signed("https://good.example")))
    auth = policy(web, issuers=["https://good.example"])
    for _ in range(2):
        assert (await fault(calls.send(f"{web.url}/a", auth=auth)))[0] == "authentication"
    assert (await calls.send(f"{web.url}/a", auth=auth)).status == 200


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            refuse(401, error="invalid_client", error_description="client cl1ent unknown"),
            "answered 401, invalid_client",
        ),
        (refuse(400, error="<script>cl1ent"), "answered 400."),
        (lambda _: aio.Response(text="cl1ent"), "without a token"),
        (lambda _: aio.json_response({"access_token": "a\nb"}), "without a token"),
        (issue(token_type="DPoP"), "no bearer token"),
        (lambda _: aio.Response(body=b"x" * 300_000), "more than 262144 bytes"),
    ],
    ids=["refused", "script", "text", "line end", "dpop", "huge"],
)
async def test_a_refusal_tells_its_code_and_nothing_that_was_sent(calls, web, fault, answer, reason):
    web.answer(TOKEN, answer)
    kind, status, detail = await fault(calls.send(f"{web.url}/a", auth=policy(web)))
    assert (kind, status) == ("authentication", 401)
    assert reason in detail
    assert "cl1ent" not in detail
    assert not web.hits["/a"]


async def test_an_issuer_that_sends_elsewhere_gets_no_further(calls, web, elsewhere, fault):
    web.answer(TOKEN, lambda _: aio.Response(status=307, headers={"location": f"{elsewhere.url}/t"}))
    assert (await fault(calls.send(f"{web.url}/a", auth=policy(web))))[0] == "authentication"
    assert not elsewhere.hits


@pytest.mark.parametrize(
    "settings",
    [{"grant": "authorization_code"}, {"grant": "password"}, {"authority": "ftp://a"}, {"authority": "http://[::1"}],
)
async def test_a_policy_that_cannot_be_asked_with_is_refused(calls, web, fault, settings):
    assert (await fault(calls.send(f"{web.url}/a", auth=policy(web, **settings))))[0] == "configuration"
