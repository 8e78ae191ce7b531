"""The pages of the state machines draw exactly the edges that the code allows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from millwright_workflow.domain import approvals, circuit, instances, releases, work
from millwright_workflow.domain.canaries import CanaryState
from millwright_workflow.domain.instances import State
from millwright_workflow.domain.releases import Channel, ChannelState, VersionState

PAGES = Path(__file__).parents[4] / "docs" / "architecture"
Edge = tuple[str, str, frozenset[str]]
"""From, to, and the labels. `[*]` is where things begin and end."""


def drawn(page: str) -> list[set[Edge]]:
    """Give the edges of each state diagram on a page."""
    text = (PAGES / page).read_text()
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    return [{_edge(line) for line in diagram.strip().splitlines()} for diagram in diagrams]


def _edge(line: str) -> Edge:
    match = re.fullmatch(r"\s*(\S+) --> ([^\s:]+)(?:: (.+))?", line)
    assert match, f"not an edge: {line}"
    return match[1], match[2], frozenset((match[3] or "").split(", ")) - {""}


def rows(page: str) -> list[set[Edge]]:
    """Give the edges of each table on a page that begins with one."""
    text = (PAGES / page).read_text()
    tables = re.findall(r"\| edge \|.*?\n\|[-|]+\n((?:\|.*\n)+)", text)
    return [{_row(line) for line in table.splitlines()} for table in tables]


def _row(line: str) -> Edge:
    match = re.match(r"\| (?:`(\w+)` )?→ `(\w+)`(?: by `?(\w+)`?)? \|", line)
    assert match, f"not an edge: {line}"
    return match[1] or "[*]", match[2], frozenset(filter(None, [match[3]]))


def singly(edges: set[Edge]) -> set[Edge]:
    """Split edges of several labels, as the tables do, and leave out those that lead out."""
    return {
        (before, after, frozenset(label))
        for before, after, labels in edges
        if after != "[*]"
        for label in ([{each} for each in labels] or [set()])
    }


def test_the_instance_page_draws_the_transitions_of_instances():
    [diagram] = drawn("instance-states.md")

    assert diagram == {
        ("[*]", instances.INITIAL.value, frozenset()),
        *(
            (before.value, after.value, frozenset({happening.value}))
            for (before, after), happening in instances.TRANSITIONS.items()
        ),
        *((state.value, "[*]", frozenset()) for state in State if state.is_terminal),
    }


def test_the_release_page_draws_the_transitions_of_versions_and_channels():
    version, channel = drawn("release-states.md")

    assert version == {
        ("[*]", VersionState.GOOD.value, frozenset()),
        *_allowed(releases.VERSION_TRANSITIONS),
    }
    expected = {("[*]", ChannelState.ABSENT.value, frozenset()), *_allowed(releases.CHANNEL_TRANSITIONS)}
    thaw = (ChannelState.FROZEN.value, ChannelState.POINTING.value)
    assert channel == {(*edge[:2], edge[2] | {"time"}) if edge[:2] == thaw else edge for edge in expected}


def test_the_canary_page_draws_the_transitions_of_canaries():
    [diagram] = drawn("canary-states.md")

    assert diagram == {
        ("[*]", CanaryState.ABSENT.value, frozenset()),
        (CanaryState.RUNNING.value, CanaryState.HELD.value, frozenset({"gates"})),
        *_allowed(releases.CANARY_TRANSITIONS),
    }


def test_only_a_frozen_channel_changes_by_time_alone():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    frozen, pointing = Channel("prod", 1, 1, now, now), Channel("prod", 1, 1, None, now)
    early, late = now.replace(year=2025), now.replace(year=2027)

    assert (frozen.state(early), frozen.state(late)) == (ChannelState.FROZEN, ChannelState.POINTING)
    assert (pointing.state(early), pointing.state(late)) == (ChannelState.POINTING, ChannelState.POINTING)


def test_the_work_page_draws_the_transitions_of_work_items():
    [diagram] = drawn("work-states.md")

    assert diagram == {
        ("[*]", work.INITIAL.value, frozenset()),
        *_allowed(work.TRANSITIONS),
        *((state.value, "[*]", frozenset()) for state in work.State if state.is_settled),
    }


def test_the_approval_page_draws_the_transitions_of_approvals():
    [diagram] = drawn("approval-states.md")
    left = {before for before, _ in approvals.TRANSITIONS}

    assert diagram == {
        ("[*]", approvals.INITIAL.value, frozenset()),
        *_caused(approvals.TRANSITIONS),
        *((state.value, "[*]", frozenset()) for state in approvals.State if state not in left),
    }


def test_the_circuit_page_draws_the_transitions_of_circuits():
    [diagram] = drawn("circuit-states.md")

    assert diagram == {("[*]", circuit.INITIAL.value, frozenset()), *_caused(circuit.TRANSITIONS)}


IS_LABELLED = {
    "instance-states.md": False,
    "release-states.md": True,
    "canary-states.md": True,
    "work-states.md": True,
    "approval-states.md": True,
    "circuit-states.md": True,
}


@pytest.mark.parametrize(("page", "is_labelled"), IS_LABELLED.items())
def test_the_tables_have_a_row_for_each_edge_that_is_drawn(page, is_labelled):
    for diagram, table in zip(drawn(page), rows(page), strict=True):
        edges = singly(diagram)
        if not is_labelled:
            edges = {(before, after, frozenset()) for before, after, _ in edges}
        assert table == edges - {("[*]", "ABSENT", frozenset())}


def _allowed(transitions) -> set[Edge]:
    return {
        (before.value, after.value, frozenset(operation.value for operation in operations))
        for (before, after), operations in transitions.items()
    }


def _caused(transitions) -> set[Edge]:
    return {(before.value, after.value, frozenset({cause.value})) for (before, after), cause in transitions.items()}
