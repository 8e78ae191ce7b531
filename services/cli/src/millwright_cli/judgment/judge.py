"""`millwright judge …`: one input from what is typed, or every row of a file."""

import uuid
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2

from millwright_cli import errors
from millwright_cli.arguments import DryRun, since, timestamp
from millwright_cli.errors import ExitCode
from millwright_cli.judgment.arguments import ChannelOption, RulesetName, VersionOption, judged_by
from millwright_cli.judgment.executions import connect
from millwright_cli.judgment.judge_file import FileJudging
from millwright_cli.judgment.rows import Columns, read_rows
from millwright_cli.judgment.schema import field_types
from millwright_cli.judgment.values import typed
from millwright_cli.judgment.views import execution as views
from millwright_cli.judgment.words import Term
from millwright_cli.session import Session, current


def judge(
    ctx: typer.Context,
    name: RulesetName,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE]...", help="The input: JSON values, or texts.", show_default=False),
    ] = None,
    *,
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="JSON", help="The input: an object, @FILE, or - for standard input."),
    ] = None,
    file: Annotated[
        str,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Judge every row: CSV with a header, or JSON Lines (.jsonl). _line, _product, _shift, _unit, _time, "
            "_key and _routing_key are about the row.",
            show_default=False,
        ),
    ] = "",
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="With --file: write what became of each row, JSON Lines."),
    ] = None,
    run: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="ID",
            help="With --file: go on with a run that broke off; rows judged in it are not judged again.",
            show_default="a new one",
        ),
    ] = "",
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="With --file: leave out columns that are no field.")
    ] = False,
    channel: ChannelOption = "",
    version: VersionOption = None,
    line: Annotated[str, typer.Option("--line", metavar="LINE", help="Where it was made.")] = "",
    product: Annotated[str, typer.Option("--product", metavar="PRODUCT", help="What was made.")] = "",
    shift: Annotated[str, typer.Option("--shift", metavar="SHIFT", help="The shift that made it.")] = "",
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="The lot or another unit it belongs to.")] = "",
    at: Annotated[
        datetime | None,
        typer.Option("--at", parser=since, metavar="WHEN", help="When it was: 2h ago, or 2026-07-01T08:00."),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            "--key", metavar="KEY", help="The same key within a day gives the first answer again.", show_default=False
        ),
    ] = "",
    routing_key: Annotated[
        str, typer.Option("--routing-key", metavar="KEY", help="What experiments assign by.", show_default="the unit")
    ] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say why it came out so, too.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Judge an input by a ruleset, and store the judgment; with --file, judge every row of a file.

    With --file it exits with 5 if a row was refused.
    """
    session = current(ctx)
    ruleset = judged_by(name, channel, version, session.say)
    if file:
        if values or input_ is not None or dry_run or explain:
            raise errors.usage("FILE_ALONE", session.say(Term.FILE_ALONE))
        _judge_file(session, ruleset, file, results, run, ignores_unknown=ignore_unknown)
        return
    request = judgment_service_pb2.JudgeRequest(
        ruleset=ruleset,
        input=typed(values or (), input_, session.say),
        segment=judgment_pb2.Segment(line=line, product=product, shift=shift, unit=unit),
        event_time=timestamp(at),
        idempotency_key=key or uuid.uuid4().hex,
        routing_key=routing_key,
        validate_only=dry_run,
    )
    connection, stub = connect(session)
    answer = connection.call(stub.Judge, request)
    if not explain or dry_run:
        session.screen.answer(answer, *views.judged(answer, session.say, dry_run=dry_run))
        return
    asking = judgment_service_pb2.ExplainExecutionRequest(name=answer.execution.name)
    explained = connection.call(stub.ExplainExecution, asking)
    session.screen.answer(explained, *views.explanation(explained, session.say))


def _judge_file(
    session: Session, ruleset: str, file: str, results: Path | None, run: str, *, ignores_unknown: bool
) -> None:
    columns = Columns(field_types(session, ruleset), ignores_unknown=ignores_unknown)
    with read_rows(file, columns, session.say) as rows:
        judging = FileJudging(session, *connect(session), ruleset, run or uuid.uuid4().hex[:12])
        refused = judging.run(rows, results)
    if refused:
        raise typer.Exit(ExitCode.INVALID)
