"""The page about a chaos run says what the book says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import seconds
from tests.chaos.book import Book
from tests.chaos.report import INTRODUCTION, MEANING, page
from tests.chaos.run import Course

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"


@pytest.fixture
def book(tmp_path):
    """The book of a short run: a call before it began, a call and a work in it, and one fault."""
    book = Book(tmp_path / "journal.jsonl")
    book.close_call(book.open_call("workflow", "PublishVersion"))
    book.begin_again()
    harm = book.open_harm("kill", "workflow-2")
    book.close_call(book.open_call("workflow", "StartInstance"))
    book.close_call(book.open_call("workflow", "RollbackVersion"), "FAILED_PRECONDITION")
    work = book.open_work("workflow", "instance", "instances/1")
    book.close_harm(harm)
    book.come_to_rest()
    book.close_work(work, "COMPLETED")
    yield book
    book.close()


def test_what_was_done_and_answered_is_counted(book) -> None:
    text = page(Course(7, book, []))
    assert "| seed | 7 |" in text
    assert "| kill | 1 | workflow-2 |" in text
    assert "| workflow | StartInstance | 1 | 0 |" in text
    assert "| workflow | RollbackVersion | 0 | 1 |" in text
    assert "| acknowledged calls | 2 |" in text
    assert "| instance COMPLETED | 1 |" in text
    assert "None." in text


def test_violations_are_told_in_full(book) -> None:
    text = page(Course(7, book, ["run is there twice: 1, such as a"]))
    assert "- run is there twice: 1, such as a" in text
    assert "| violations | 1 |" in text
    assert "None." not in text


def test_the_page_that_is_shown_is_of_the_faults_and_the_violations_that_there_are() -> None:
    shown = PAGE.read_text()
    assert shown.startswith(INTRODUCTION)
    assert MEANING in shown


def test_what_was_before_the_run_is_not_in_its_time(book) -> None:
    before, *others = book.calls
    assert before.end is not None
    assert before.begin <= before.end <= 0
    assert all(call.begin >= 0 for call in others)


def test_the_journal_has_a_line_for_each(book, tmp_path) -> None:
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert len(lines) == 8


@pytest.mark.parametrize(("text", "number"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5m", 90)])
def test_a_length_is_read_in_seconds_or_minutes(text, number) -> None:
    assert seconds(text) == number
