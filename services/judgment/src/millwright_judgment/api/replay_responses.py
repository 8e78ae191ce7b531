"""Replays, comparisons, causes and reports as messages of the contract."""

from __future__ import annotations

from google.protobuf import json_format
from millwright.judgment.v1 import judgment_service_pb2, replay_pb2, replay_service_pb2
from millwright_runtime.api.messages import timestamp
from millwright_runtime.events.log import LoggedEvent

from millwright_judgment.api import executions, responses
from millwright_judgment.domain import names
from millwright_judgment.domain.difference.causes import Cause, Flip
from millwright_judgment.domain.difference.words import in_words
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.input.changes import InputChange, Operation
from millwright_judgment.domain.replays.comparing import Difference
from millwright_judgment.domain.replays.replay import Progress, Replay, Selection, Target, TargetKind
from millwright_judgment.domain.replays.report import (
    CauseReport,
    Expectation,
    NamedTest,
    OtherCauses,
    OtherSegments,
    Report,
    SegmentReport,
    TargetReport,
)


def replay(value: Replay, *, is_stored: bool = True) -> replay_pb2.Replay:
    """Give a replay; one that was not stored has no name."""
    order = value.order
    baseline = _target(order.ruleset, order.baseline) if order.baseline.kind is not TargetKind.RECORDED else None
    return replay_pb2.Replay(
        name=names.replay(value.replay) if is_stored else "",
        ruleset=names.ruleset(order.ruleset),
        selection=_selection(order.selection),
        baseline=baseline,
        targets=[_target(order.ruleset, target) for target in order.targets],
        input_changes=map(_change, order.changes),
        state=replay_pb2.Replay.State.Value(f"STATE_{value.state.value}"),
        progress=_progress(value.progress),
        error=value.error,
        creator=value.creator,
        create_time=timestamp(value.create_time) if is_stored else None,
        start_time=timestamp(value.start_time),
        end_time=timestamp(value.end_time),
    )


def _target(ruleset: str, target: Target) -> replay_pb2.Target:
    match target.kind:
        case TargetKind.VERSION:
            return replay_pb2.Target(version=target.name(ruleset))
        case TargetKind.DRAFT:
            return replay_pb2.Target(draft=target.name(ruleset))
        case TargetKind.RECORDED:
            return replay_pb2.Target(recorded=True)


def _selection(value: Selection) -> replay_pb2.Selection:
    message = replay_pb2.Selection(sample_rate=value.sample_rate, max_executions=value.most_executions, seed=value.seed)
    if value.dataset:
        message.dataset = names.dataset(value.dataset)
    elif value.filter is None:
        message.executions.names.extend(names.execution(each) for each in value.executions)
    else:
        message.filter.CopyFrom(_filter(value.filter))
    return message


def _filter(value: Filter) -> judgment_service_pb2.ExecutionFilter:
    assert value.ruleset is not None
    by = names.version(value.ruleset, value.version) if value.version else names.ruleset(value.ruleset)
    return judgment_service_pb2.ExecutionFilter(
        ruleset=by,
        from_time=timestamp(value.from_time),
        to_time=timestamp(value.to_time),
        outcomes=list(value.outcomes),
        line=value.line or "",
        product=value.product or "",
        shift=value.shift or "",
        unit=value.unit or "",
        experiment=names.experiment(value.experiment) if value.experiment else "",
        winning_rule=value.winning_rule or "",
    )


def _change(value: InputChange) -> replay_pb2.InputChange:
    match value.operation:
        case Operation.SET:
            return replay_pb2.InputChange(field=value.field, set=executions.value(value.operand))
        case Operation.ADD:
            return replay_pb2.InputChange(field=value.field, add=_number(value))
        case Operation.MULTIPLY:
            return replay_pb2.InputChange(field=value.field, multiply=_number(value))
        case Operation.REMOVE:
            return replay_pb2.InputChange(field=value.field, remove=True)


def _number(value: InputChange) -> float:
    assert isinstance(value.operand, int | float)
    return float(value.operand)


def _progress(value: Progress) -> replay_pb2.ReplayProgress:
    return replay_pb2.ReplayProgress(
        total=value.total,
        done=value.done,
        changed=value.changed,
        percent=value.percent,
        rate=value.rate,
        seconds_left=value.seconds_left,
        errors=value.errors,
    )


def event(value: LoggedEvent) -> replay_service_pb2.ReplayEvent:
    """Give an event as the log has it."""
    return json_format.ParseDict(value.data, replay_service_pb2.ReplayEvent(), ignore_unknown_fields=True)


def cause(value: Cause, id_: str = "") -> replay_pb2.Cause:
    """Give a cause."""
    return replay_pb2.Cause(
        id=id_,
        kind=replay_pb2.Cause.Kind.Value(f"KIND_{value.kind}"),
        minimal_edits=map(responses.edit, value.minimal_edits),
        necessary_edits=map(responses.edit, value.necessary_edits),
        flips=map(_flip, value.flips),
        texts=in_words(value),
    )


def _flip(value: Flip) -> replay_pb2.Flip:
    return replay_pb2.Flip(
        table=value.table,
        rule=value.rule,
        field=value.field,
        value=executions.value(value.value),
        cell_before=value.cell_before,
        cell_after=value.cell_after,
        held_before=value.held_before,
        held_after=value.held_after,
        margin_before=value.margin_before,
        margin_after=value.margin_after,
    )


def report(replay_name: str, value: Report) -> replay_pb2.ReplayReport:
    """Give a report."""
    return replay_pb2.ReplayReport(
        replay=replay_name,
        selected=value.selected,
        reproduced=value.reproduced,
        oldest_time=timestamp(value.oldest_time),
        newest_time=timestamp(value.newest_time),
        targets=[_target_report(value.order.ruleset, each) for each in value.targets],
    )


def _target_report(ruleset: str, value: TargetReport) -> replay_pb2.TargetReport:
    return replay_pb2.TargetReport(
        target=value.target.name(ruleset),
        content_hash=value.target.content_hash,
        compared=value.compared,
        unchanged=value.unchanged,
        changed_outcomes=value.changed_outcomes,
        changed_details=value.changed_details,
        changed_rules=value.changed_rules,
        errors=value.errors,
        escalated=value.escalated,
        relaxed=value.relaxed,
        transitions=responses.transitions(value.transitions),
        change_rate=responses.interval(value.change_rate),
        tests=map(_test, value.tests),
        causes=map(_cause_report, value.causes),
        segments=map(_segment, value.segments),
        warnings=[replay_pb2.ReportWarning(code=each.code, texts=each.texts) for each in value.warnings],
        expectation=_expectation(value.expectation) if value.expectation else None,
        other_causes=_other_causes(value.other_causes) if value.other_causes else None,
        other_segments=map(_other_segments, value.other_segments),
        differences_left_out=value.differences_left_out,
    )


def _expectation(value: Expectation) -> replay_pb2.Expectation:
    return replay_pb2.Expectation(
        rows=value.rows,
        met=value.met,
        met_before=value.met_before,
        transitions=responses.transitions(value.transitions),
    )


def _judged(name: str) -> str:
    """Give an execution's name, or the number of a row of a data set."""
    return str(int(name)) if name.isdecimal() else f"executions/{name}"


def _test(value: NamedTest) -> replay_pb2.TestResult:
    return replay_pb2.TestResult(
        name=value.result.name,
        questions=value.questions,
        statistic=value.result.statistic,
        p_value=value.result.p_value,
        design_effect=value.result.effect,
    )


def _cause_report(value: CauseReport) -> replay_pb2.CauseReport:
    return replay_pb2.CauseReport(
        cause=cause(value.cause, value.id),
        executions=value.executions,
        share=value.share,
        cumulative_share=value.cumulative_share,
        transitions=responses.transitions(value.transitions),
        examples=map(_judged, value.examples),
    )


def _segment(value: SegmentReport) -> replay_pb2.SegmentReport:
    return replay_pb2.SegmentReport(
        dimension=value.dimension,
        value=value.value,
        compared=value.compared,
        change_rate=responses.interval(value.change_rate),
        adjusted_p_value=value.adjusted_p_value,
        errors=value.errors,
    )


def _other_causes(value: OtherCauses) -> replay_pb2.OtherCauses:
    return replay_pb2.OtherCauses(
        causes=value.causes,
        executions=value.executions,
        share=value.share,
        transitions=responses.transitions(value.transitions),
    )


def _other_segments(value: OtherSegments) -> replay_pb2.OtherSegments:
    return replay_pb2.OtherSegments(
        dimension=value.dimension,
        compared=value.compared,
        changed_outcomes=value.changed_outcomes,
        errors=value.errors,
    )


def difference(value: Difference, cause_id: str) -> replay_service_pb2.ReplayDifference:
    """Give an execution that differs."""
    return replay_service_pb2.ReplayDifference(
        execution=_judged(value.execution),
        change=value.move.change.value,  # type: ignore[arg-type]  # numbered as the contract does
        from_outcome=value.move.from_outcome,
        to_outcome=value.move.to_outcome,
        from_rule=value.move.from_rule,
        to_rule=value.move.to_rule,
        cause=cause_id,
    )
