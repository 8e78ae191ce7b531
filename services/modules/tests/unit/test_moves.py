"""The moves of the pointer of what is live."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from millwright_modules.domain import module as domain
from millwright_modules.domain.errors import GenerationMismatch, NoRollbackTarget, NotInstalled
from millwright_modules.domain.module import Actor, Module, MoveKind, State

TIME = datetime(2026, 1, 1, tzinfo=UTC)
ACTOR = Actor("kim", "because")
NEW = Module("quality", {"en": "Quality"}, "feature", "Millwright", State.INSTALLING, "", 0, None, TIME, TIME)


def lived(*moves):
    """A module after moves, and its history, newest first. A move is a version that goes live, or a kind."""
    module, history = NEW, []
    for move in moves:
        match move:
            case "off":
                module, written = domain.disable(module, ACTOR)
            case "on":
                module, written = domain.enable(module, ACTOR)
            case "out":
                module, written = domain.uninstall(module, ACTOR)
            case "back":
                module, written = domain.roll_back(module, target(module, history), ACTOR)
            case _:
                module, written = domain.go_live(module, move, ACTOR)
        if written:
            history.insert(0, written)
    return module, history


def target(module, history, kept=("1", "2", "3")):
    """What a rollback without a target goes back to."""
    return domain.rollback_target(module, history, kept)


def test_every_move_is_counted_and_written():
    module, history = lived("1", "2", "off", "on", "back", "out")
    assert (module.state, module.active_version, module.generation) == (State.UNINSTALLED, "1", 6)
    assert [(move.generation, move.kind.value, move.from_version, move.to_version) for move in reversed(history)] == [
        (1, "INSTALL", "", "1"),
        (2, "UPGRADE", "1", "2"),
        (3, "DISABLE", "2", "2"),
        (4, "ENABLE", "2", "2"),
        (5, "ROLLBACK", "2", "1"),
        (6, "UNINSTALL", "1", ""),
    ]


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        (("1", "2"), "1"),
        (("1", "2", "3"), "2"),
        (("1", "2", "3", "back"), "1"),
        (("1", "2", "off"), "1"),
        (("1", "out"), "1"),
        (("1", "2", "out"), "2"),
        (("1", "2", "back", "3"), "1"),
    ],
)
def test_a_rollback_goes_to_what_was_live_before(moves, expected):
    assert target(*lived(*moves)) == expected


@pytest.mark.parametrize("moves", [("1",), ("1", "2", "back"), ("1", "off")])
def test_where_nothing_was_live_before_there_is_no_target(moves):
    with pytest.raises(NoRollbackTarget):
        target(*lived(*moves))


def test_a_version_that_is_not_kept_is_no_target():
    module, history = lived("1", "2", "3")
    assert target(module, history, kept=("1", "3")) == "1"


@pytest.mark.parametrize("move", [domain.enable, domain.disable, domain.uninstall])
def test_what_is_not_installed_cannot_be_moved(move):
    for module in (NEW, lived("1", "out")[0]):
        with pytest.raises(NotInstalled):
            move(module, ACTOR)


@pytest.mark.parametrize("move", [domain.enable, lambda module, actor: domain.roll_back(module, "1", actor)])
def test_what_is_so_already_is_not_written(move):
    module, _ = lived("1")
    assert move(module, ACTOR) == (module, None)


def test_a_rollback_serves_what_was_disabled():
    module, history = lived("1", "2", "off")
    moved, move = domain.roll_back(module, target(module, history), ACTOR)
    assert (moved.state, moved.active_version, move.kind) == (State.ENABLED, "1", MoveKind.ROLLBACK)


def test_only_the_generation_that_was_seen_is_moved():
    module = replace(NEW, generation=3)
    domain.check_generation(module, None)
    domain.check_generation(module, 3)
    with pytest.raises(GenerationMismatch):
        domain.check_generation(module, 2)
