"""Documents from elsewhere: what they may be, where they may be, and for how long they are remembered."""

import pytest
from aiohttp import web as aio
from millwright_workflow.domain.interpreter import Authentication


def text(body, **more):
    return lambda _: aio.Response(text=body, **more)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": [1, 2]}', {"a": [1, 2]}),
        ("a:\n  - 1\n  - 'on'\n", {"a": [1, "on"]}),
        ("\ufeffa: 1", {"a": 1}),
        ("12", 12),
    ],
)
async def test_json_and_yaml_are_read(calls, web, body, value):
    assert await calls.read(web.answer("/d", text(body))) == value


@pytest.mark.parametrize(
    "answer",
    [
        text("a: [1"),
        text("a: 1\na: 2"),
        text("a: !!python/object x"),
        lambda _: aio.Response(body=b"\xff\xfe\x00"),
        text("a", status=404),
        text("x" * (4 * 1024 * 1024 + 1)),
        text("&a [" + "1," * 30_000 + "]"),
    ],
    ids=["broken", "twice", "tag", "bytes", "404", "huge", "many"],
)
async def test_what_is_neither_is_a_fault_of_communication(calls, web, fault, answer):
    kind, status, detail = await fault(calls.read(web.answer("/d", answer)))
    assert (kind, status) == ("communication", 502)
    assert f"GET {web.url}/d" in detail


async def test_a_document_is_read_once_and_the_same_object_while_it_is_remembered(calls, web):
    url = web.answer("/d", text('{"a": 1}'))
    first, second = await calls.read(url), await calls.read(url)
    assert first is second
    assert len(web.hits["/d"]) == 1


async def test_nobody_is_given_what_another_may_read(calls, web, caller):
    url = web.answer("/d", text("1"))
    policies = [None, *(Authentication("bearer", settings={"token": token}) for token in "ab")]
    for policy in policies:
        await calls.read(url, policy)
    caller.tenant = "plant-b"
    await calls.read(url, caller=caller)
    assert [hit[1].get("Authorization") for hit in web.hits["/d"]] == [None, "Bearer a", "Bearer b", None]


async def test_redirections_are_followed(calls, web):
    web.answer("/d", lambda _: aio.Response(status=301, headers={"location": "/e"}))
    web.answer("/e", text("2"))
    assert await calls.read(f"{web.url}/d") == 2


async def test_files_are_read_from_the_directory_that_is_allowed(open_calls, fault, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a b.json").write_text("3")
    (tmp_path / "secret.json").write_text("4")
    (tmp_path / "docs" / "link.json").symlink_to(tmp_path / "secret.json")
    base = (tmp_path / "docs").as_uri()
    async with open_calls(directory=tmp_path / "docs") as calls:
        assert await calls.read(f"{base}/a%20b.json") == 3
        for path in ("../secret.json", "%2e%2e/secret.json", "link.json", "none.json", "", "a\0b"):
            assert (await fault(calls.read(f"{base}/{path}")))[:2] == ("communication", 404)
        assert (await fault(calls.read("file://elsewhere/a")))[0] == "configuration"


async def test_files_are_read_nowhere_unless_that_is_set(calls, fault):
    assert (await fault(calls.read("file:///etc/hostname")))[0] == "configuration"


async def test_no_other_scheme_is_read(calls, fault):
    assert (await fault(calls.read("ftp://plant.example/a")))[0] == "configuration"
