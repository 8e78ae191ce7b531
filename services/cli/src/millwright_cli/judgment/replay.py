"""`millwright replay …`: what past judgments would be with another version, and why."""

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer
from millwright.judgment.v1 import judgment_service_pb2, replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.arguments import DryRun, Limit
from millwright_cli.judgment import dataset as dataset_noun
from millwright_cli.judgment import executions, pages, replay_watch, upload
from millwright_cli.judgment.arguments import OnlyRuleset, RulesetName
from millwright_cli.judgment.executions import (
    ExecutionName,
    InExperiment,
    Line,
    Outcomes,
    Product,
    Shift,
    Since,
    Unit,
    Until,
    WinningRule,
    execution_filter,
    execution_name,
)
from millwright_cli.judgment.pages import PageFile
from millwright_cli.judgment.replays import ReplayName, connect, dataset_name
from millwright_cli.judgment.targets import Add, Multiply, Remove, Set, To, input_changes, target, target_reference
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.views import comparison as comparison_views
from millwright_cli.judgment.views import replay as views
from millwright_cli.judgment.views import report as report_views
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Session, Verb, current

app = typer.Typer(
    cls=Noun,
    help="Judge past executions again, by another version, and learn what changes and why.",
    no_args_is_help=True,
)


class Change(StrEnum):
    """How deep a difference goes."""

    RULE = "rule"
    DETAIL = "detail"
    OUTCOME = "outcome"
    ERROR = "error"
    NOT_REPRODUCIBLE = "not-reproducible"


@app.command(cls=Verb)
def execution(
    ctx: typer.Context,
    name: ExecutionName,
    *,
    to: To,
    set_: Set = None,
    multiply: Multiply = None,
    add: Add = None,
    remove: Remove = None,
) -> None:
    """Judge one execution again, and show both results side by side with what led from one to the other."""
    session = current(ctx)
    judging, judging_stub = executions.connect(session)
    asking = judgment_service_pb2.GetExecutionRequest(name=name)
    ruleset = judging.call(judging_stub.GetExecution, asking).execution.version.partition("/versions/")[0]
    connection, stub = connect(session)
    request = pb.ReplayExecutionRequest(
        execution=name,
        targets=[target(ruleset, each) for each in to],
        input_changes=input_changes(session.say, set_=set_, multiply=multiply, add=add, remove=remove),
    )
    answer = connection.call(stub.ReplayExecution, request)
    session.screen.answer(answer, *comparison_views.side_by_side(answer, session.say))


@app.command(cls=Verb)
def start(
    ctx: typer.Context,
    ruleset: RulesetName,
    *,
    to: To,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            parser=target_reference,
            metavar="TARGET",
            help="What to compare with.",
            show_default="what was recorded",
        ),
    ] = None,
    execution: Annotated[
        list[str] | None,
        typer.Option("--execution", parser=execution_name, metavar="ID", help="These executions, instead of a filter."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", parser=dataset_name, metavar="ID", help="The rows of an upload, instead of a filter."
        ),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="Only judged by this version.", show_default=False),
    ] = None,
    since: Since = None,
    until: Until = None,
    outcome: Outcomes = None,
    line: Line = "",
    product: Product = "",
    shift: Shift = "",
    unit: Unit = "",
    experiment: InExperiment = None,
    rule: WinningRule = "",
    sample: Annotated[
        float, typer.Option("--sample", metavar="SHARE", min=0, max=1, help="Take about this share, such as 0.1.")
    ] = 0,
    most: Annotated[int, typer.Option("--max", metavar="N", min=0, help="At most so many, the newest.")] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, another sample.")] = 0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="N", min=0, max=1, help="Confidences so near count as the same.")
    ] = 0,
    set_: Set = None,
    multiply: Multiply = None,
    add: Add = None,
    remove: Remove = None,
    dry_run: DryRun = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end, and show the report.")] = False,
) -> None:
    """Judge many executions again, in the background; nothing is stored but the report."""
    session = current(ctx)
    wanted = execution_filter(
        ruleset,
        version=version,
        from_time=since,
        to_time=until,
        outcomes=outcome,
        line=line,
        product=product,
        shift=shift,
        unit=unit,
        experiment=experiment,
        rule=rule,
    )
    selection = replay_pb2.Selection(sample_rate=sample, max_executions=most, seed=seed)
    _select(session, selection, wanted, execution, dataset, is_filtered=wanted.ByteSize() > _size_of(ruleset))
    request = pb.CreateReplayRequest(
        selection=selection,
        baseline=target(ruleset, baseline) if baseline else None,
        targets=[target(ruleset, each) for each in to],
        input_changes=input_changes(session.say, set_=set_, multiply=multiply, add=add, remove=remove),
        confidence_tolerance=tolerance,
        validate_only=dry_run,
    )
    connection, stub = connect(session)
    draw = partial(views.creation, dry_run=dry_run, watched=watch)
    is_followed = watch and not dry_run
    answer = session.write(connection, stub.CreateReplay, request, draw, is_followed=is_followed)
    if is_followed:
        raise typer.Exit(replay_watch.follow_to_report(session, connection, stub, answer.replay.name))


@app.command(cls=Verb)
def get(ctx: typer.Context, name: ReplayName) -> None:
    """Show one replay: what it replays, and how far it is."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetReplay, pb.GetReplayRequest(name=name))
    session.screen.answer(answer, *views.replay(answer.replay, session.say))


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    ruleset: OnlyRuleset = None,
    limit: Limit = 50,
) -> None:
    """List replays, newest first."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListReplaysRequest(ruleset=ruleset or "")
    found = collect(connection, stub.ListReplays, request, lambda page: page.replays, limit)
    table = views.replay_table(found.replays, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def cancel(ctx: typer.Context, name: ReplayName) -> None:
    """Stop a replay; there is no report of it."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.CancelReplay, pb.CancelReplayRequest(name=name))
    session.screen.answer(answer, views.line(answer.replay, session.say))


@app.command(cls=Verb)
def watch(ctx: typer.Context, name: ReplayName) -> None:
    """Follow a replay to its end: exits 0 if it completed, 8 if it failed, 9 if it was cancelled."""
    session = current(ctx)
    raise typer.Exit(replay_watch.follow(session, *connect(session), name))


@app.command(cls=Verb)
def report(ctx: typer.Context, name: ReplayName, *, html: PageFile = None) -> None:
    """Show the report: what becomes what, how sure that is, by which causes, and where."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.GetReplayReportRequest(name=name, with_html=html is not None, language=session.say.language)
    answer = connection.call(stub.GetReplayReport, request)
    if html:
        pages.write(session, html, answer.html)
        answer.html = ""
    session.screen.answer(answer, *report_views.replay(answer.report, session.say))
    if html:
        session.screen.notice(session.say(Trial.PAGE_WRITTEN, path=html))


@app.command(cls=Verb)
def differences(
    ctx: typer.Context,
    name: ReplayName,
    *,
    target: Annotated[int, typer.Option("--target", metavar="N", min=1, help="Only on this target, from 1.")] = 1,
    change: Annotated[Change | None, typer.Option("--change", help="Only as deep as this.", show_default=False)] = None,
    cause: Annotated[str, typer.Option("--cause", metavar="ID", help="Only of this cause, such as c1.")] = "",
    from_outcome: Annotated[str, typer.Option("--from", metavar="OUTCOME", help="Only from this outcome.")] = "",
    to_outcome: Annotated[str, typer.Option("--to", metavar="OUTCOME", help="Only to this outcome.")] = "",
    limit: Limit = 50,
) -> None:
    """List what differs, execution by execution."""
    session = current(ctx)
    connection, stub = connect(session)
    depth = replay_pb2.Comparison.Change.Value(f"CHANGE_{change.name}" if change else "CHANGE_UNSPECIFIED")
    request = pb.ListReplayDifferencesRequest(
        replay=name, target=target - 1, change=depth, cause=cause, from_outcome=from_outcome, to_outcome=to_outcome
    )
    found = collect(connection, stub.ListReplayDifferences, request, lambda page: page.differences, limit)
    table = comparison_views.difference_table(found.differences, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


app.command(cls=Verb)(upload.upload)
app.add_typer(dataset_noun.app, name="dataset")


def _select(
    session: Session,
    selection: replay_pb2.Selection,
    wanted: judgment_service_pb2.ExecutionFilter,
    execution: list[str] | None,
    dataset: str | None,
    *,
    is_filtered: bool,
) -> None:
    """Fill in what is replayed: executions by name, a data set, or what the filter lets through."""
    if sum([bool(execution), bool(dataset), is_filtered]) > 1:
        raise errors.usage("TWO_SELECTIONS", session.say(Trial.TWO_SELECTIONS))
    if execution:
        selection.executions.names.extend(execution)
    elif dataset:
        selection.dataset = dataset
    else:
        selection.filter.CopyFrom(wanted)


def _size_of(ruleset: str) -> int:
    """Give the size of a filter that lets all executions of a ruleset through."""
    return judgment_service_pb2.ExecutionFilter(ruleset=ruleset).ByteSize()
