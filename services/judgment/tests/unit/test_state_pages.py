"""The pages of states and the tables in the code say the same."""

import re
from pathlib import Path

from millwright_judgment.domain.experiments import EXPERIMENT_TRANSITIONS
from millwright_judgment.domain.releases import VERSION_TRANSITIONS
from millwright_judgment.domain.replays.replay import REPLAY_TRANSITIONS, ReplayState, Step

PAGES = Path(__file__).parents[4] / "docs/architecture"
EDGE = re.compile(r"^\| `([A-Z_*\[\]]+)` → `([A-Z_]+)` \| ([A-Z_, ]+) \|", re.MULTILINE)
ARROW = re.compile(r"^    ([A-Z_*\[\]]+) --> ([A-Z_]+): ([A-Z_, ]+)$", re.MULTILINE)


def drawn(pattern, page):
    """The edges of a page, with the operations that make them."""
    found = pattern.findall((PAGES / page).read_text())
    return {(before, after): set(operations.split(", ")) for before, after, operations in found}


def written(transitions):
    """The edges of a table."""
    return {
        (before.value if before else "[*]", after.value): {operation.value for operation in operations}
        for (before, after), operations in transitions.items()
    }


def test_every_edge_of_a_version_is_in_the_table_and_in_the_picture():
    page, edges = "ruleset-release-states.md", written(VERSION_TRANSITIONS)
    assert drawn(EDGE, page) == edges
    assert drawn(ARROW, page) == {("[*]", "PUBLISHED"): {"PUBLISH"}, **edges}


def test_every_edge_of_an_experiment_is_in_the_table_and_in_the_picture():
    page, edges = "experiment-states.md", written(EXPERIMENT_TRANSITIONS)
    assert drawn(EDGE, page) == edges
    assert drawn(ARROW, page) == edges


def test_every_edge_of_a_replay_is_in_the_table_and_in_the_picture():
    page, edges = "replay-states.md", written(REPLAY_TRANSITIONS)
    assert drawn(EDGE, page) == edges
    assert drawn(ARROW, page) == edges


def test_a_step_of_a_replay_leads_to_one_state_and_every_state_is_reached():
    for step in Step:
        assert len({after for (_, after), steps in REPLAY_TRANSITIONS.items() if step in steps}) == 1
    assert {after for _, after in REPLAY_TRANSITIONS} == set(ReplayState)
    assert {state for state in ReplayState if not state.is_terminal} == set(Step.CANCEL.from_states)
