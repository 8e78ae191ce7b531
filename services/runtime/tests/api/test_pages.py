"""A page token leads on in the listing that gave it, and nowhere else."""

import pytest
from millwright_runtime.api import calls, pages
from millwright_runtime.api.calls import Call, Principal
from millwright_runtime.api.pages import PageTokenMismatch
from millwright_runtime.errors import InvalidFields


def calling(method="/test/List", tenant="north"):
    calls.enter(Call(method, Principal("somebody", tenant, frozenset()), float("inf")))


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
