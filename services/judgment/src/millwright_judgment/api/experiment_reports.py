"""Reports of experiments as messages of the contract."""

from __future__ import annotations

from millwright.judgment.v1 import experiment_pb2 as pb
from millwright.judgment.v1 import replay_pb2
from millwright_runtime.api.messages import timestamp

from millwright_judgment.api import experiment_messages as messages
from millwright_judgment.api import responses
from millwright_judgment.domain import names
from millwright_judgment.domain.arm_differences import ArmDifference
from millwright_judgment.domain.experiment_report import ArmReport, Paired, Report
from millwright_judgment.domain.experiment_words import QUESTIONS, WARNINGS
from millwright_judgment.domain.experiments import Experiment
from millwright_judgment.domain.guardrails import GuardrailResult
from millwright_judgment.domain.statistics import TestResult


def report(experiment: Experiment, value: Report) -> pb.ExperimentReport:
    """Give a report."""
    return pb.ExperimentReport(
        experiment=names.experiment(experiment.name),
        arms=[_arm(experiment, each) for each in value.arms],
        guardrails=[_result(each) for each in value.guardrails],
        sample_ratio_p_value=value.sample_ratio_p_value,
        warnings=[replay_pb2.ReportWarning(code=each, texts=WARNINGS[each]) for each in value.warnings],
        report_time=timestamp(value.time),
    )


def _arm(experiment: Experiment, value: ArmReport) -> pb.ArmReport:
    target = names.version(experiment.ruleset, value.arm.version)
    return pb.ArmReport(
        arm=messages.arm(value.arm),
        executions=value.executions,
        units=value.units,
        outcomes=dict(value.outcomes),
        paired=_paired(target, value.paired) if value.paired else None,
        differences=[_difference(each) for each in value.differences],
    )


def _difference(value: ArmDifference) -> pb.ArmDifference:
    return pb.ArmDifference(
        outcome=value.outcome,
        verdict=pb.ArmDifference.Verdict.Value(f"VERDICT_{value.answer.value}"),
        arm_rate=value.arm_counts.share,
        control_rate=value.control_counts.share,
        difference=responses.interval(value.difference),
        arm_executions=value.arm_counts.total,
        control_executions=value.control_counts.total,
    )


def _paired(target: str, value: Paired) -> replay_pb2.TargetReport:
    return replay_pb2.TargetReport(
        target=target,
        compared=value.compared,
        unchanged=value.unchanged,
        changed_outcomes=value.compared - value.unchanged,
        errors=value.errors,
        escalated=value.escalated,
        relaxed=value.relaxed,
        transitions=responses.transitions(value.transitions),
        change_rate=responses.interval(value.change_rate),
        tests=[_test(each) for each in value.tests],
    )


def _result(value: GuardrailResult) -> pb.GuardrailResult:
    return pb.GuardrailResult(
        guardrail=messages.guardrail(value.guardrail),
        arm=value.arm,
        verdict=pb.GuardrailResult.Verdict.Value(f"VERDICT_{value.verdict.value}"),
        arm_rate=value.arm_counts.share,
        control_rate=value.control_counts.share,
        difference=responses.interval(value.difference),
        arm_executions=value.arm_counts.total,
        control_executions=value.control_counts.total,
    )


def _test(value: TestResult) -> replay_pb2.TestResult:
    return replay_pb2.TestResult(
        name=value.name, questions=QUESTIONS[value.name], statistic=value.statistic, p_value=value.p_value
    )
