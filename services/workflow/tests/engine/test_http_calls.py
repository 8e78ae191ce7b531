"""How a call becomes a request."""

import base64
import json

import pytest
from aiohttp import web as aio
from millwright_runtime import tracing
from millwright_workflow.domain.interpreter import Authentication

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def seen(web, path="/a"):
    _, headers, query, body = web.hits[path][-1]
    return {name.lower(): value for name, value in headers.items()}, query, body


async def test_a_body_is_json_unless_the_headers_say_otherwise(calls, web):
    await calls.send(f"{web.url}/a", "POST", body={"part": 7})
    assert (seen(web)[0]["content-type"], seen(web)[2]) == ("application/json", b'{"part":7}')
    await calls.send(f"{web.url}/a", "POST", body="part;7", headers={"Content-Type": "text/csv"})
    assert (seen(web)[0]["content-type"], seen(web)[2]) == ("text/csv", b"part;7")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    await calls.send(f"{web.url}/a", "POST", body={"a": "x y", "b": [1, 2]}, headers=form)
    assert seen(web)[2] == b"a=x+y&b=1&b=2"
    await calls.send(f"{web.url}/a", "POST")
    assert "content-type" not in seen(web)[0]


async def test_a_query_is_added_to_what_the_uri_has(calls, web):
    await calls.send(f"{web.url}/a?x=1", query={"y": ["2", "3"], "z": "a b&c"})
    assert seen(web)[1] == "x=1&y=2&y=3&z=a b%26c"


async def test_a_call_says_which_it_is_and_of_which_trace(calls, web, caller):
    tracing.join(TRACEPARENT)
    await calls.send(f"{web.url}/a", caller=caller)
    await calls.send(f"{web.url}/a", caller=caller)
    (first, *_), (second, *_) = [(hit[1],) for hit in web.hits["/a"]]
    assert first["idempotency-key"] == second["idempotency-key"] == f"{caller.instance_id}/do/0/ask"
    assert first["traceparent"].split("-")[1] == TRACE_ID
    assert caller.confirmed == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "3"},
        {"transfer-encoding": "chunked"},
        {"a b": "c"},
        {"x": "a\r\ny: b"},
        {"Connection": "close"},
    ],
)
async def test_headers_that_are_not_an_authors_are_refused(calls, web, fault, headers):
    kind, _, detail = await fault(calls.send(f"{web.url}/a", headers=headers))
    assert (kind, "cannot be sent" in detail, web.hits["/a"]) == ("configuration", True, [])


@pytest.mark.parametrize("uri", ["ftp://a/b", "http://", "a", "http://a:b/", "http://[::1", "http://a:99999/"])
async def test_what_is_no_uri_of_the_web_is_refused(calls, fault, uri):
    assert (await fault(calls.send(uri)))[0] == "configuration"


async def test_seals_are_opened_wherever_they_stand(open_calls, web):
    async with open_calls(secrets={"key": "p/q r&s", "login": {"user": "ann", "code": 7}}) as calls:
        key, login = calls.sealed["key"], calls.sealed["login"]
        uri = web.url.replace("://", f"://{login['user']}:{key}@") + f"/{key}/x?k={key}"
        await calls.send(
            uri, "POST", headers={"x-key": f"v={key}"}, query={"q": key}, body={"a": [key], "n": login["code"]}
        )
        form = {"content-type": "application/x-www-form-urlencoded"}
        await calls.send(f"{web.url}/f", "POST", headers=form, body=f"a={key}")
    path = next(path for path in web.hits if path.startswith("/p"))
    headers, query, body = seen(web, path)
    assert path == "/p/q r&s/x"  # the server has decoded it
    assert headers["x-key"] == "v=p/q r&s"
    assert query == "k=p/q r%26s&q=p/q r%26s"
    assert json.loads(body) == {"a": ["p/q r&s"], "n": 7}
    assert base64.b64decode(headers["authorization"].split()[1]) == b"ann:p/q r&s"
    assert seen(web, "/f")[2] == b"a=p%2Fq+r%26s"


async def test_a_seal_at_the_beginning_of_a_uri_is_the_uri(open_calls, web):
    async with open_calls(secrets={"base": f"{web.url}/hook?k=a%20b"}) as calls:
        await calls.send(calls.sealed["base"])
    assert seen(web, "/hook")[1] == "k=a b"


async def test_a_secret_that_there_is_not_is_no_workflows_to_send(open_calls, web, fault):
    async with open_calls(secrets={"key": "S3CRET"}) as calls:
        kind, status, detail = await fault(calls.send(f"{web.url}/a", headers={"x": calls.sealed["gone"]}))
        policy = Authentication("bearer", secret="gone")
        assert (await fault(calls.send(f"{web.url}/a", auth=policy)))[0] == "authorization"
    assert (kind, status) == ("authorization", 403)
    assert "'gone'" in detail
    assert not web.hits


async def test_a_seal_of_another_instance_is_text(open_calls, web):
    forged = ".~0000000000000000~" + b"/key".hex() + "~."
    async with open_calls(secrets={"key": "S3CRET"}) as calls:
        await calls.send(f"{web.url}/a", headers={"x-key": forged})
    assert seen(web)[0]["x-key"] == forged


async def test_basic_and_bearer_are_headers(open_calls, web):
    async with open_calls(secrets={"login": {"username": "ann", "password": "pw"}}) as calls:
        await calls.send(f"{web.url}/a", auth=Authentication("basic", secret="login"))
        assert base64.b64decode(seen(web)[0]["authorization"].split()[1]) == b"ann:pw"
        settings = {"username": "bob", "password": calls.sealed["login"]["password"]}
        await calls.send(f"{web.url}/a", auth=Authentication("basic", settings=settings))
        assert base64.b64decode(seen(web)[0]["authorization"].split()[1]) == b"bob:pw"
        await calls.send(f"{web.url}/a", auth=Authentication("bearer", settings={"token": "t"}))
        assert seen(web)[0]["authorization"] == "Bearer t"


async def test_digest_answers_the_servers_challenge(calls, web):
    challenge = 'Digest realm="plant", nonce="abc", qop="auth", algorithm=SHA-256'
    web.answer(
        "/a", lambda _: aio.Response(status=401, headers={"www-authenticate": challenge}), lambda _: aio.Response()
    )
    policy = Authentication("digest", settings={"username": "ann", "password": "pw"})
    answer = await calls.send(f"{web.url}/a", "POST", body={"a": 1}, auth=policy)
    assert answer.status == 200
    headers, _, body = seen(web)
    assert headers["authorization"].startswith('Digest username="ann"')
    assert body == b'{"a":1}'


async def test_a_policy_that_lacks_something_is_refused(calls, web, fault):
    kind, _, detail = await fault(calls.send(f"{web.url}/a", auth=Authentication("basic", settings={"username": "a"})))
    assert (kind, "'password'" in detail) == ("configuration", True)


async def test_the_answer_is_given_as_it_came(calls, web):
    web.answer("/a", lambda _: aio.Response(status=418, body=b"\xff\0", headers=[("X-A", "1"), ("X-A", "2")]))
    answer = await calls.send(f"{web.url}/a")
    assert (answer.status, answer.body, answer.headers["x-a"]) == (418, b"\xff\0", "1, 2")


@pytest.mark.parametrize("token", ["S3CRET\n", "S3CRET\0"])
async def test_a_token_that_a_header_cannot_hold_is_refused_unseen(calls, web, fault, token):
    policy = Authentication("bearer", settings={"token": token})
    kind, _, detail = await fault(calls.send(f"{web.url}/a", auth=policy))
    assert (kind, "S3CR" in detail, web.hits["/a"]) == ("configuration", False, [])
