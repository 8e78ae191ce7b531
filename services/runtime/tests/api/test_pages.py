"""A page token leads on in the listing that gave it, and nowhere else."""

import uuid
from datetime import UTC, datetime

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue
from millwright_runtime.api import calls, pages
from millwright_runtime.api.calls import Call, Principal
from millwright_runtime.api.pages import PageTokenMismatch
from millwright_runtime.errors import InvalidFields


def calling(method="/test/List", tenant="north"):
    calls.enter(Call(method, Principal("somebody", tenant, frozenset()), float("inf")))


def number(value):
    return Int64Value(value=value)


def megabytes(count):
    return StringValue(value="x" * (count * 1_100_000))


@pytest.fixture(autouse=True)
def call():
    calling()


def test_a_token_gives_back_its_position():
    token = pages.write(["2026-11-23T08:30:00Z", 7], "filter")
    assert pages.read(token, list, "filter") == ["2026-11-23T08:30:00Z", 7]


def test_no_token_is_the_first_page():
    assert pages.read("", list, "filter") is None


def test_a_token_of_another_query_is_refused():
    with pytest.raises(PageTokenMismatch):
        pages.read(pages.write(7, "filter"), pages.number, "another filter")


@pytest.mark.parametrize("elsewhere", [{"method": "/test/Other"}, {"tenant": "south"}])
def test_a_token_of_another_method_or_tenant_is_refused(elsewhere):
    token = pages.write(7, "filter")
    calling(**elsewhere)
    with pytest.raises(PageTokenMismatch):
        pages.read(token, list, "filter")


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "bnVsbA", "W10", "WzEsMl0", "eyJhIjoxLCJiIjoyfQ", "=" * 5, "🏭"])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(PageTokenMismatch):
        pages.read(token, list, "filter")


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (500, 500), (501, 500), (2**31 - 1, 500)])
def test_a_page_has_the_size_asked_for_within_bounds(asked, given):
    assert pages.size(asked) == given


def test_a_negative_size_is_a_wrong_field():
    with pytest.raises(InvalidFields, match="page_size: must not be negative"):
        pages.size(-1)


@pytest.mark.parametrize("position", ["7", -1, 2**63, None, [1], 1.5])
def test_a_forged_position_of_another_form_is_a_mismatch(position):
    with pytest.raises(PageTokenMismatch):
        pages.read(pages.write(position, "filter"), pages.number, "filter")


@pytest.mark.parametrize("position", [7, None, ["a"], "a" * 1001, "a\x00"])
def test_a_forged_text_of_another_form_is_a_mismatch(position):
    with pytest.raises(PageTokenMismatch):
        pages.read(pages.write(position, "filter"), pages.text, "filter")


@pytest.mark.parametrize(("found", "size", "page", "more"), [([1, 2, 3], 2, [1, 2], True), ([1, 2], 2, [1, 2], False)])
def test_a_page_leads_on_if_one_more_was_found(found, size, page, more):
    cut, token = pages.cut(found, size, number, lambda item: item, "filter")
    assert [each.value for each in cut] == page
    assert (pages.read(token, pages.number, "filter") == page[-1]) if more else token == ""


@pytest.mark.parametrize(
    ("sizes", "pages_of"),
    [
        ([1, 1, 1], [3]),
        ([1, 1, 1, 2, 1], [3, 2]),
        ([4, 1, 1], [1, 2]),
        ([1, 4, 4, 1], [1, 1, 1, 1]),
    ],
)
def test_a_page_has_no_more_than_a_client_reads_but_always_something(sizes, pages_of):
    seen, numbered = [], list(enumerate(sizes))
    while numbered:
        cut, token = pages.cut(numbered, 10, lambda item: megabytes(item[1]), lambda item: item[0])
        seen.append(len(cut))
        numbered = numbered[len(cut) :]
        assert (token != "") == bool(numbered)
        assert not token or pages.read(token, pages.number) == numbered[0][0] - 1
    assert seen == pages_of


def test_nothing_found_is_a_page_without_a_next_one():
    assert pages.cut([], 2, number, lambda item: item) == ([], "")


def test_a_position_of_an_instant_and_a_uuid_comes_back_exactly():
    time, identifier = datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=UTC), uuid.uuid4()
    token = pages.write(pages.of_time_and_id(time, identifier))
    assert pages.read(token, pages.time_and_id) == (time, identifier)


@pytest.mark.parametrize("forged", [[], ["2026", "7"], [7, 7], 7, ["2026-03-02T08:00:00Z", "no uuid"], None])
def test_a_forged_position_of_an_instant_and_a_uuid_is_refused(forged):
    with pytest.raises(PageTokenMismatch):
        pages.read(pages.write(forged), pages.time_and_id)
