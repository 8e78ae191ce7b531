"""What callers want to have replayed, checked and taken apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from millwright.judgment.v1 import replay_pb2
from millwright_runtime.errors import InvalidFields, Violation

from millwright_judgment.api import inputs
from millwright_judgment.domain import names
from millwright_judgment.domain.input.changes import InputChange, Operation
from millwright_judgment.domain.input.check import Unfit, fitted
from millwright_judgment.domain.names import ChannelName, DraftName, VersionName
from millwright_judgment.domain.replays.replay import MOST_EXECUTIONS, Selection
from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.engine.replaying.targets import Named

_TARGETS = 5
_NAMED_EXECUTIONS = 10_000
_CHANGES = 64


def targets(given: Sequence[replay_pb2.Target]) -> list[Named]:
    """Give what 1 to 5 targets name; raise InvalidFields."""
    if not 1 <= len(given) <= _TARGETS:
        raise InvalidFields([Violation("targets", "OUT_OF_RANGE", f"must be 1 to {_TARGETS}")])
    return [target(each, f"targets[{place}]") for place, each in enumerate(given)]


def target(given: replay_pb2.Target, field: str) -> Named:
    """Give what a target names; None for the version that each execution was judged with."""
    match given.WhichOneof("target"):
        case "version":
            return names.parse_version(given.version, f"{field}.version")
        case "draft":
            return names.parse_draft(given.draft, f"{field}.draft")
        case "channel":
            return names.parse_channel(given.channel, f"{field}.channel")
        case "recorded" if given.recorded:
            return None
    raise InvalidFields([Violation(field, "REQUIRED", "must name a version, a draft or a channel, or be recorded")])


def check_ruleset(named: Iterable[Named], ruleset: str, field: str) -> None:
    """Raise InvalidFields if something is named that is of another ruleset."""
    violations = [
        Violation(f"{field}[{place}]", "MISMATCH", f"must be of the ruleset {ruleset}, like what is replayed")
        for place, each in enumerate(named)
        if isinstance(each, VersionName | DraftName | ChannelName) and each.ruleset != ruleset
    ]
    if violations:
        raise InvalidFields(violations)


def check_known(named: Iterable[Named], field: str) -> None:
    """Raise InvalidFields if something is to be judged with what was recorded, where nothing was."""
    violations = [
        Violation(f"{field}[{place}]", "NOT_RECORDED", "must name a version: of a data set nothing was recorded")
        for place, each in enumerate(named)
        if each is None
    ]
    if violations:
        raise InvalidFields(violations)


def selection(given: replay_pb2.Selection) -> Selection:
    """Give what is replayed; raise InvalidFields."""
    violations = []
    if not (math.isfinite(given.sample_rate) and 0 <= given.sample_rate <= 1):
        violations.append(Violation("selection.sample_rate", "OUT_OF_RANGE", "must be above 0 and at most 1"))
    if not 0 <= given.max_executions <= MOST_EXECUTIONS:
        what = f"must be from 0 to {MOST_EXECUTIONS:,}"
        violations.append(Violation("selection.max_executions", "OUT_OF_RANGE", what))
    if violations:
        raise InvalidFields(violations)
    most, sample_rate = given.max_executions or MOST_EXECUTIONS, given.sample_rate or 1.0
    match given.WhichOneof("source"):
        case "executions":
            field = "selection.executions.names"
            if not 1 <= len(given.executions.names) <= _NAMED_EXECUTIONS:
                raise InvalidFields([Violation(field, "OUT_OF_RANGE", f"must be 1 to {_NAMED_EXECUTIONS:,}")])
            named = {names.parse_execution(name, field) for name in given.executions.names}
            newest = sorted(named, key=lambda each: each.int, reverse=True)
            return Selection(tuple(newest[:most]), None, 1.0, most, given.seed)
        case "filter":
            wanted = inputs.execution_filter(given.filter)
            if wanted.ruleset is None:
                raise InvalidFields([Violation("selection.filter.ruleset", "REQUIRED", "must name a ruleset")])
            return Selection((), wanted, sample_rate, most, given.seed)
        case "dataset":
            dataset = names.parse_dataset(given.dataset, "selection.dataset")
            return Selection((), None, sample_rate, most, given.seed, dataset)
    what = "must be executions by name, a filter, or a data set"
    raise InvalidFields([Violation("selection", "REQUIRED", what)])


def changes(given: Sequence[replay_pb2.InputChange]) -> tuple[InputChange, ...]:
    """Give changes of inputs; raise InvalidFields."""
    if len(given) > _CHANGES:
        raise InvalidFields([Violation("input_changes", "OUT_OF_RANGE", f"must be at most {_CHANGES}")])
    return tuple(_change(each, f"input_changes[{place}]") for place, each in enumerate(given))


def _change(given: replay_pb2.InputChange, field: str) -> InputChange:
    match given.WhichOneof("change"):
        case "set":
            return InputChange(given.field, Operation.SET, inputs.plain(given.set))
        case "add":
            return InputChange(given.field, Operation.ADD, _finite(given.add, f"{field}.add"))
        case "multiply":
            return InputChange(given.field, Operation.MULTIPLY, _finite(given.multiply, f"{field}.multiply"))
        case "remove":
            return InputChange(given.field, Operation.REMOVE)
    raise InvalidFields([Violation(field, "REQUIRED", "must set, add, multiply or remove")])


def _finite(number: float, field: str) -> float:
    if not math.isfinite(number):
        raise InvalidFields([Violation(field, "NOT_FINITE", "must be a finite number")])
    return number


def check_changes(changes: Sequence[InputChange], fields: Sequence[Field]) -> None:
    """Raise InvalidFields for changes that do not fit the fields of what they are judged by."""
    known = {field.name: field for field in fields}
    violations = [
        violation
        for place, change in enumerate(changes)
        if (violation := _misfit(change, known.get(change.field), f"input_changes[{place}]"))
    ]
    if violations:
        raise InvalidFields(violations)


def _misfit(change: InputChange, field: Field | None, at: str) -> Violation | None:
    if field is None:
        return Violation(f"{at}.field", "UNKNOWN_FIELD", "must be a field of every target's input schema")
    if change.operation in (Operation.ADD, Operation.MULTIPLY) and not field.type.is_numeric:
        return Violation(at, "WRONG_TYPE", f"{field.name} is no number: set it instead")
    if change.operation is Operation.SET and change.operand is not None:
        try:
            fitted(field, change.operand)
        except Unfit as unfit:
            return Violation(f"{at}.set", unfit.code, unfit.message)
    return None


def tolerance(given: float) -> float:
    """Give by how much confidences may differ; raise InvalidFields."""
    if not (math.isfinite(given) and 0 <= given <= 1):
        raise InvalidFields([Violation("confidence_tolerance", "OUT_OF_RANGE", "must be from 0 to 1")])
    return given
