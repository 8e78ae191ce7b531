"""HTTP calls against a real server: what comes back, and what is thrown when nothing usable does."""

import asyncio

import pytest
from aiohttp import web as aiohttp
from millwright_workflow.domain.interpreter import CallHttp, WorkflowFault
from millwright_workflow.domain.interpreter.effects import TaskReference
from millwright_workflow.engine import http
from millwright_workflow.engine.http import HttpCalls


@pytest.fixture
async def calls():
    """The client of workflows."""
    calls = HttpCalls()
    yield calls
    await calls.close()


def call(uri, method="GET", headers=None, query=None, body=None, follow_redirects=False):
    """Make the call of a task."""
    return CallHttp(TaskReference("/do/0/ask"), method, uri, headers or {}, query or {}, body, follow_redirects)


@pytest.fixture
def fault_of(calls):
    """Give a function that sends a call which must fault, and gives the error."""

    async def fault_of(*arguments, **options):
        with pytest.raises(WorkflowFault) as caught:
            await calls.send(call(*arguments, **options), "key")
        error = caught.value.error
        assert error.instance == "/do/0/ask"
        return error

    return fault_of


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500, 599])
async def test_any_status_is_an_answer(calls, web, status):
    url = web.answer("/a", lambda _: aiohttp.Response(status=status))
    assert (await calls.send(call(url), "key")).status == status


async def test_an_answer_has_its_headers_in_small_letters_and_its_body(calls, web):
    url = web.answer("/a", lambda _: aiohttp.Response(body=b"\x00\xff", headers={"X-Line": "7"}))
    answer = await calls.send(call(url), "key")
    assert (answer.body, answer.headers["x-line"]) == (b"\x00\xff", "7")


async def test_a_request_carries_what_the_task_says(calls, web):
    sent = call(web.url + "/a?x=1", "POST", {"X-Line": "7"}, {"y": "2", "z": ["3", "4"]}, {"seal": "ok"})
    await calls.send(sent, "key")
    ((method, headers, query, body),) = web.hits["/a"]
    assert (method, query, body) == ("POST", "x=1&y=2&z=3&z=4", b'{"seal":"ok"}')
    assert (headers["x-line"], headers["Content-Type"]) == ("7", "application/json")


async def test_text_is_sent_as_it_is_if_its_type_is_said(calls, web):
    await calls.send(call(web.url + "/a", "POST", {"content-type": "text/csv"}, body="a;b"), "key")
    assert web.hits["/a"][0][3] == b"a;b"


async def test_text_without_a_type_is_json(calls, web):
    await calls.send(call(web.url + "/a", "POST", body="a"), "key")
    assert web.hits["/a"][0][3] == b'"a"'


async def test_a_repetition_can_be_told_by_its_key(calls, web):
    for _ in range(2):
        await calls.send(call(web.url + "/a"), "0192/do/0/ask@1")
    assert [headers["idempotency-key"] for _, headers, _, _ in web.hits["/a"]] == ["0192/do/0/ask@1"] * 2


async def test_a_task_may_be_named_in_any_script(calls, web):
    await calls.send(call(web.url + "/a"), "0192/do/0/불량 알림\n")
    ((_, headers, _, _),) = web.hits["/a"]
    assert headers["idempotency-key"].startswith("0192/do/0/%EB%B6%88")


async def test_a_task_may_bring_a_key_of_its_own(calls, web):
    await calls.send(call(web.url + "/a", headers={"Idempotency-Key": "mine"}), "key")
    assert web.hits["/a"][0][1]["idempotency-key"] == "mine"


async def test_a_redirection_is_followed_only_if_told(calls, web):
    url = web.answer("/a", lambda _: aiohttp.Response(status=302, headers={"location": "/b"}))
    assert (await calls.send(call(url), "key")).status == 302
    assert (await calls.send(call(url, follow_redirects=True), "key")).status == 200


async def test_a_redirection_without_end_is_a_fault(fault_of, web):
    url = web.answer("/a", lambda _: aiohttp.Response(status=302, headers={"location": "/a"}))
    error = await fault_of(url, follow_redirects=True)
    assert (error.type.rpartition("/")[2], error.status) == ("communication", 503)


async def test_a_redirection_to_a_file_is_a_fault(fault_of, web):
    url = web.answer("/a", lambda _: aiohttp.Response(status=302, headers={"location": "file:///etc/passwd"}))
    assert (await fault_of(url, follow_redirects=True)).type.endswith("/communication")


UNREACHABLE = ["http://127.0.0.1:1/", "http://nosuch.invalid/", f"http://{'a' * 70}.example/", "http://[::1]:1/"]


@pytest.mark.parametrize("uri", UNREACHABLE)
async def test_what_cannot_be_reached_is_a_communication_fault(fault_of, uri):
    error = await fault_of(uri)
    assert (error.type.rpartition("/")[2], error.status) == ("communication", 503)


IMPOSSIBLE = [
    "",
    "/path",
    "ftp://plant.example/",
    "file:///etc/passwd",
    "http://",
    "http:///x",
    "http://plant example/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:x/",
    "http://[::1/",
    "javascript:alert(1)",
    "http://plant.example/\x00",
    "http://a\r\nb/",
    "h" * 100_000,
]


@pytest.mark.parametrize("uri", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
async def test_what_is_no_address_is_a_fault_of_the_workflow(fault_of, uri):
    error = await fault_of(uri)
    assert error.type.endswith(("/configuration", "/communication"))
    assert len(error.detail) < 1000


@pytest.mark.parametrize("headers", [{"a b": "1"}, {"x": "1\r\ny: 2"}, {"x": "\x00"}, {"한": "1"}, {"x": "한"}])
async def test_headers_that_cannot_be_sent_are_a_fault(fault_of, web, headers):
    assert (await fault_of(web.url + "/a", headers=headers)).status in (400, 503)
    assert not web.hits["/a"]


async def test_an_answer_that_is_too_large_is_a_fault(fault_of, web, monkeypatch):
    monkeypatch.setattr(http, "_RESPONSE_LIMIT_BYTES", 1000)
    url = web.answer("/a", lambda _: aiohttp.Response(body=b"x" * 1001))
    assert (await fault_of(url)).status == 502


async def test_an_answer_that_does_not_come_is_a_fault_in_time(fault_of, calls, web, monkeypatch):
    monkeypatch.setattr(calls._client, "timeout", 0.2)
    error = await fault_of(web.hold("/a"))
    assert (error.type.rpartition("/")[2], error.status) == ("communication", 504)


async def test_an_answer_that_comes_drop_by_drop_is_a_fault_in_time(fault_of, web, monkeypatch):
    monkeypatch.setattr(http, "_CALL_SECONDS", 0.5)

    async def drip(request):
        response = aiohttp.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.05)

    assert (await fault_of(web.answer("/a", drip))).status == 504


async def test_a_fault_does_not_tell_the_query_nor_the_password(fault_of):
    error = await fault_of("http://kim:secret@127.0.0.1:1/a?token=secret#secret")
    assert "secret" not in error.detail


async def test_a_connection_that_breaks_is_a_fault(fault_of, web):
    async def hang_up(request):
        request.transport.abort()
        return aiohttp.Response()

    assert (await fault_of(web.answer("/a", hang_up))).type.endswith("/communication")
