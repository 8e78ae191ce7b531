"""What an overload must not do is found, and nothing where all is well."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak.emergencies import kinds
from tests.soak.flood import REFUSED, Flood
from tests.soak.mix import Outcome
from tests.soak.overload import BOUND_SECONDS, Overload
from tests.soak.page import write_overload

ROOT = Path(__file__).parents[2]
SERVED = Outcome("judge", 0.0, 1.0, "OK", has_hint=False)
TOLD_TO_COME_AGAIN = Outcome("judge", 0.0, 0.01, REFUSED, has_hint=True)
EMERGENCIES = [replace(SERVED, kind=kind) for kind in kinds()]
ROLLBACK = replace(SERVED, kind="workflow RollbackVersion")
FLOOD = Flood(300, Counter({"OK": 100, REFUSED: 200}), Counter(), unhinted=0)
PROBES = [SERVED, SERVED, TOLD_TO_COME_AGAIN]
WELL = Overload(1.0, 100.0, 0.05, FLOOD, PROBES, EMERGENCIES, recovery_seconds=2.0)


def page(overloaded, directory) -> str:
    """The page about it."""
    write_overload(overloaded, directory)
    return (directory / "overload.md").read_text()


def test_what_is_admitted_in_time_or_told_to_come_again_is_well() -> None:
    assert WELL.violations == []


def test_what_was_begun_counts_and_not_what_was_answered() -> None:
    assert replace(WELL, flood=replace(FLOOD, codes=Counter({"OK": 1}))).times == 3.0


@pytest.mark.parametrize(
    ("begun", "title", "words"),
    [
        (300, "# 3.0 times as much", "3.00 times as many calls as can be served were begun; 3 times"),
        (
            170,
            "# 1.7 times as much",
            "There were to be 3 times as many calls as can be served, and 1.7 times as many were begun",
        ),
    ],
)
def test_the_page_says_how_much_too_much_it_was(begun, title, words, tmp_path) -> None:
    text = page(replace(WELL, flood=replace(FLOOD, begun=begun)), tmp_path)
    assert text.startswith(title)
    assert words in text


def test_the_page_says_what_became_of_each_kind_that_is_always_let_in(tmp_path) -> None:
    refused = replace(ROLLBACK, code=REFUSED, seconds=3.0)
    text = page(replace(WELL, emergencies=[*EMERGENCIES, refused]), tmp_path)
    assert "| workflow RollbackVersion | 2 | 1 | 1 | 2000 ms | 3000 ms |" in text
    assert all(f"| {kind} |" in text for kind in kinds())


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_readmes_say_what_the_page_says(readme) -> None:
    times, *_ = (ROOT / "docs" / "overload.md").read_text().removeprefix("# ").split()
    (line,) = re.findall(r"\[([^\]]*)\]\(docs/overload\.md\)", (ROOT / readme).read_text())
    assert times in line


@pytest.mark.parametrize(
    ("bad", "violation"),
    [
        (replace(WELL, probes=[SERVED, replace(SERVED, code="INTERNAL")]), "otherwise than served or refused"),
        (
            replace(WELL, flood=replace(FLOOD, failures=Counter({"judge INTERNAL": 1}))),
            "otherwise than served or refused",
        ),
        (replace(WELL, probes=[TOLD_TO_COME_AGAIN]), "nothing was admitted"),
        (replace(WELL, probes=[replace(SERVED, seconds=BOUND_SECONDS + 1)] * 2), "the slowest hundredth"),
        (replace(WELL, probes=[SERVED, replace(TOLD_TO_COME_AGAIN, has_hint=False)]), "when to come again"),
        (replace(WELL, flood=replace(FLOOD, unhinted=1)), "when to come again"),
        (replace(WELL, emergencies=[*EMERGENCIES, replace(ROLLBACK, code=REFUSED)]), "did not go through"),
        (
            replace(WELL, emergencies=[*EMERGENCIES, replace(ROLLBACK, seconds=BOUND_SECONDS * 9)]),
            "the slowest hundredth of those",
        ),
        (replace(WELL, emergencies=EMERGENCIES[1:]), f"were not tried: ['{EMERGENCIES[0].kind}']"),
        (replace(WELL, flood=replace(FLOOD, begun=280)), "2.8 times as many calls as can be served were begun"),
        (replace(WELL, recovery_seconds=None), "not as before"),
    ],
)
def test_what_must_not_be_is_found(bad, violation) -> None:
    assert [violation in found for found in bad.violations] == [True]
