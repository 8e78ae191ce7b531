"""The way to the service that judges and keeps judgments, and which of them a command is about."""

from datetime import datetime
from typing import Annotated

import typer
from millwright.judgment.v1 import judgment_service_pb2, judgment_service_pb2_grpc

from millwright_cli.arguments import named, since, timestamp
from millwright_cli.connection import Connection, Service
from millwright_cli.judgment.words import WORDS
from millwright_cli.session import Session

SERVICE = Service("judgment", judgment_service_pb2.DESCRIPTOR, WORDS)

Stub = judgment_service_pb2_grpc.JudgmentServiceStub


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to it."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)


def execution_name(text: str) -> str:
    """Read an execution's id, with or without `executions/`, as a resource name."""
    return named("executions", text)


def experiment_name(text: str) -> str:
    """Read an experiment's id, with or without `experiments/`, as a resource name."""
    return named("experiments", text)


ExecutionName = Annotated[
    str, typer.Argument(parser=execution_name, metavar="ID", help="The execution's id.", show_default=False)
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", parser=since, metavar="WHEN", help="Only judged since: 2h, 30d, or 2026-07-01T08:00."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", parser=since, metavar="WHEN", help="Only judged before: 2h, 30d, or 2026-07-01T08:00."),
]
Outcomes = Annotated[
    list[str] | None,
    typer.Option(
        "--outcome",
        metavar="OUTCOME",
        help="Only with this outcome, INDETERMINATE or NO_MATCH; may be given more than once.",
    ),
]
Line = Annotated[str, typer.Option("--line", metavar="LINE", help="Only of this line.", show_default=False)]
Product = Annotated[str, typer.Option("--product", metavar="PRODUCT", help="Only of this product.", show_default=False)]
Shift = Annotated[str, typer.Option("--shift", metavar="SHIFT", help="Only of this shift.", show_default=False)]
Unit = Annotated[str, typer.Option("--unit", metavar="UNIT", help="Only of this unit.", show_default=False)]
WinningRule = Annotated[
    str, typer.Option("--rule", metavar="RULE", help="Only where this rule decided.", show_default=False)
]
InExperiment = Annotated[
    str | None,
    typer.Option(
        "--experiment", parser=experiment_name, metavar="ID", help="Only of this experiment.", show_default=False
    ),
]


def execution_filter(
    ruleset: str,
    *,
    version: int | None,
    from_time: datetime | None,
    to_time: datetime | None,
    outcomes: list[str] | None,
    line: str,
    product: str,
    shift: str,
    unit: str,
    experiment: str | None,
    rule: str,
) -> judgment_service_pb2.ExecutionFilter:
    """Put together which executions are meant."""
    return judgment_service_pb2.ExecutionFilter(
        ruleset=f"{ruleset}/versions/{version}" if version else ruleset,
        from_time=timestamp(from_time),
        to_time=timestamp(to_time),
        outcomes=outcomes or (),
        line=line,
        product=product,
        shift=shift,
        unit=unit,
        experiment=experiment or "",
        winning_rule=rule,
    )
