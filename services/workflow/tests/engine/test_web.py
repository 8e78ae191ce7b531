"""What comes of requests: redirections, limits, hostile answers, and what may not be reached."""

import asyncio
import gzip
import socket
import ssl
import time

import pytest
from aiohttp import web as aio
from workflow_rig.certificate import certificate

MIB = 1024 * 1024


def to(location, status=302):
    return lambda _: aio.Response(status=status, headers={"location": location})


async def raw(*chunks, hold=None):
    """Serve bytes as they are, on a port of its own; `hold` keeps the connection open."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
        await writer.drain()
        if hold:
            await hold.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, f"http://127.0.0.1:{port}"


async def served(*chunks, then):
    server, url = await raw(*chunks)
    async with server:
        return await then(url)


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
async def test_a_redirection_is_followed_as_http_has_it(calls, web, status, method, expected):
    web.answer("/a", to("/b?x=1", status))
    await calls.send(f"{web.url}/a?key=1", method, body={"part": 7}, redirect=True)
    got, headers, query, body = web.hits["/b"][0]
    assert (got, query) == (expected, "x=1")
    assert body == (b'{"part":7}' if expected == method != "HEAD" else body if method == "HEAD" else b"")
    assert ("Content-Type" in headers) == bool(body)


async def test_a_redirection_is_the_answer_where_it_is_not_to_be_followed(calls, web):
    answer = await calls.send(web.answer("/a", to("/b")))
    assert (answer.status, answer.headers["location"], web.hits["/b"]) == (302, "/b", [])


async def test_redirections_end(calls, web, fault):
    kind, status, detail = await fault(calls.send(web.answer("/a", to("/a")), redirect=True))
    assert (kind, status) == ("communication", 502)
    assert "more than 5 times" in detail
    assert len(web.hits["/a"]) == 6


@pytest.mark.parametrize("location", ["ftp://plant.example/x", "file:///etc/passwd", "http://[::1"])
async def test_a_redirection_leads_to_the_web_or_nowhere(calls, web, fault, location):
    kind, _, detail = await fault(calls.send(web.answer("/a", to(location)), redirect=True))
    assert kind == "communication"
    assert "no http or https URI" in detail


async def test_credentials_do_not_follow_to_another_origin(calls, web, elsewhere):
    web.answer("/a", to(f"{elsewhere.url}/b", 307))
    headers = {"authorization": "Bearer t", "cookie": "a=b", "x-plant": "7"}
    await calls.send(f"{web.url}/a", "POST", headers=headers, body={"a": 1}, redirect=True)
    _, seen, _, body = elsewhere.hits["/b"][0]
    assert not {"authorization", "cookie"} & set(map(str.lower, seen))
    assert (seen["x-plant"], body) == ("7", b'{"a":1}')


async def test_credentials_follow_on_the_same_origin(calls, web):
    web.answer("/a", to("/b"))
    await calls.send(f"{web.url}/a", headers={"authorization": "Bearer t"}, redirect=True)
    assert web.hits["/b"][0][1]["Authorization"] == "Bearer t"


async def test_what_a_secret_went_into_does_not_follow_to_another_origin(open_calls, web, elsewhere, fault):
    async with open_calls(secrets={"key": "S3CRET"}) as calls:
        for status in (302, 307):
            web.answer("/a", to(f"{elsewhere.url}/b", status))
            await calls.send(f"{web.url}/a", headers={"x-key": calls.sealed["key"], "x-plant": "7"}, redirect=True)
        kind, _, detail = await fault(calls.send(f"{web.url}/a", "POST", body=calls.sealed["key"], redirect=True))
    assert (kind, "another origin" in detail) == ("authorization", True)
    assert all("x-key" not in seen and seen["x-plant"] == "7" for _, seen, _, _ in elsewhere.hits["/b"])
    assert [seen["x-key"] for _, seen, _, _ in web.hits["/a"][:2]] == ["S3CRET"] * 2


async def test_no_cookie_is_kept(calls, web):
    web.answer("/a", lambda _: aio.Response(headers={"set-cookie": "session=1; Path=/"}))
    await calls.send(f"{web.url}/a")
    await calls.send(f"{web.url}/a")
    assert ["cookie" in map(str.lower, headers) for _, headers, _, _ in web.hits["/a"]] == [False, False]


async def test_no_proxy_of_our_environment_is_used(monkeypatch, open_calls, web):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with open_calls() as calls:
        assert (await calls.send(f"{web.url}/a")).status == 200


async def test_an_answer_has_a_largest_size(calls, web, fault):
    web.answer("/fits", lambda _: aio.Response(body=b"x" * (4 * MIB)))
    web.answer("/large", lambda _: aio.Response(body=b"x" * (4 * MIB + 1)))
    assert len((await calls.send(f"{web.url}/fits")).body) == 4 * MIB
    kind, status, detail = await fault(calls.send(f"{web.url}/large"))
    assert (kind, status) == ("communication", 502)
    assert "more than 4194304 bytes" in detail


async def test_a_compressed_answer_counts_as_what_it_becomes(calls, web, fault):
    bomb = gzip.compress(b"\0" * (200 * MIB))
    web.answer("/bomb", lambda _: aio.Response(body=bomb, headers={"content-encoding": "gzip"}))
    assert len(bomb) < MIB
    assert "more than 4194304 bytes" in (await fault(calls.send(f"{web.url}/bomb")))[2]


async def test_an_answer_that_drips_is_cut_off(open_calls, fault):
    hold = asyncio.Event()
    server, url = await raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", hold=hold)
    async with server, open_calls(seconds=0.3) as calls:
        begin = time.monotonic()
        kind, status, detail = await fault(calls.send(url))
        hold.set()
    assert (kind, status, "did not answer in time" in detail) == ("communication", 504, True)
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"",
    ],
    ids=["short", "chunks", "gzip", "two lengths", "long header", "not http", "nothing"],
)
async def test_an_answer_that_is_broken_is_a_fault_that_holds_nothing_of_it(calls, fault, answer):
    kind, status, detail = await served(answer, then=lambda url: fault(calls.send(url)))
    assert kind == "communication"
    assert status in (502, 503)
    assert "abc" not in detail
    assert "yyy" not in detail


async def test_a_name_without_an_address_and_a_refused_connection_read_differently(calls, fault):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = await fault(calls.send(f"http://127.0.0.1:{taken.getsockname()[1]}/a"))
    unknown = await fault(calls.send("http://nowhere.invalid/a"))
    assert refused[:2] == unknown[:2] == ("communication", 503)
    assert "the connection was refused" in refused[2]
    assert "its name has no address" in unknown[2]


async def test_a_server_that_speaks_no_tls_is_told_so(calls, web, fault):
    _, _, detail = await fault(calls.send(web.url.replace("http:", "https:")))
    assert "TLS could not be agreed upon" in detail


async def test_a_certificate_that_nobody_has_signed_is_not_trusted(calls, fault, tmp_path):
    for name, content in zip(("key", "chain"), certificate(), strict=True):
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "chain", tmp_path / "key")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, status, detail = await fault(calls.send(f"https://localhost:{port}/"))
    assert (status, "its certificate is not trusted (self" in detail) == (503, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_a_denied_network_is_not_called(open_calls, web, fault, host):
    port = web.url.rpartition(":")[2]
    async with open_calls(denied="127.0.0.0/8,::1/128") as calls:
        kind, status, detail = await fault(calls.send(f"http://{host}:{port}/a"))
    assert (kind, status) == ("authorization", 403)
    assert "in a denied network" in detail
    assert not web.hits


async def test_a_denied_network_is_not_reached_by_a_redirection(open_calls, web, fault):
    web.answer("/a", to("http://169.254.169.254/latest/meta-data/"))
    async with open_calls(denied="169.254.0.0/16") as calls:
        kind, _, detail = await fault(calls.send(f"{web.url}/a", redirect=True))
    assert (kind, "in a denied network" in detail) == ("authorization", True)


async def test_one_host_gets_so_many_connections_and_others_go_on(calls, web, elsewhere):
    web.hold("/slow")
    sent = [asyncio.create_task(calls.send(f"{web.url}/slow")) for _ in range(40)]
    await web.arrival("/slow", 32)
    assert (await calls.send(f"{elsewhere.url}/a")).status == 200
    assert len(web.hits["/slow"]) == 32
    web.let_go("/slow")
    assert {answer.status for answer in await asyncio.gather(*sent)} == {200}
