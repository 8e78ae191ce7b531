"""`millwright experiment …`: versions on trial beside the one in use."""

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from millwright.judgment.v1 import experiment_pb2
from millwright.judgment.v1 import experiment_service_pb2 as pb

from millwright_cli.arguments import (
    ChannelId,
    DryRun,
    ExpectedRevision,
    Limit,
    OptionalReason,
    Reason,
    VersionNumber,
    percent_bp,
)
from millwright_cli.judgment import pages
from millwright_cli.judgment.arguments import OnlyRuleset, RulesetName
from millwright_cli.judgment.experiment_watch import ExperimentWatch
from millwright_cli.judgment.experiments import Alpha, ExperimentId, ExperimentName, Guardrails, arm, connect, step
from millwright_cli.judgment.pages import PageFile
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.views import experiment as views
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Verb, current

_WHOLE_BP = 10_000

app = typer.Typer(cls=Noun, help="Try versions beside the one in use: canary, A/B and shadow.", no_args_is_help=True)

Watch = Annotated[bool, typer.Option("--watch", help="Follow it to its end.")]
Etag = Annotated[
    str, typer.Option("--etag", metavar="ETAG", help="Only if the experiment is as this says.", show_default=False)
]
Share = Annotated[
    int | None,
    typer.Option(
        "--share", parser=percent_bp, metavar="SHARE", help="How many of the units take part.", show_default="100%"
    ),
]
ArmName = Annotated[str, typer.Option("--arm", metavar="NAME", help="What to call the arm on trial.")]


@app.command(cls=Verb)
def canary(
    ctx: typer.Context,
    name: RulesetName,
    version: VersionNumber,
    *,
    steps: Annotated[
        list[experiment_pb2.ExperimentStep],
        typer.Option(
            "--step",
            parser=step,
            metavar="SHARE[/SPAN[/N]]",
            help="A share of the units, how long it lasts and how many judgments it needs at least: 10%/30m/500; again "
            "for the next step.",
            show_default=False,
        ),
    ],
    guardrails: Guardrails = None,
    alpha: Alpha = 0,
    id_: ExperimentId = "",
    arm_name: ArmName = "trial",
    channel: ChannelId = "prod",
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
    dry_run: DryRun = False,
    watch: Watch = False,
) -> None:
    """Judge a growing share by a version; it comes back by itself when a guardrail breaks."""
    experiment = experiment_pb2.Experiment(
        mode=experiment_pb2.Experiment.MODE_CANARY,
        arms=[experiment_pb2.Arm(name=arm_name, version=version)],
        steps=steps,
    )
    wish = _Wish(id_, guardrails, alpha, expected_revision, reason, is_dry=dry_run, is_watched=watch)
    _begin(ctx, f"{name}/channels/{channel}", experiment, wish)


@app.command(cls=Verb)
def ab(
    ctx: typer.Context,
    name: RulesetName,
    *,
    arms: Annotated[
        list[experiment_pb2.Arm],
        typer.Option(
            "--arm",
            parser=arm,
            metavar="NAME=VERSION[:WEIGHT]",
            help="An arm beside the control, such as tighter=2 or tighter=2:3; may be given more than once.",
            show_default=False,
        ),
    ],
    control_weight: Annotated[int, typer.Option("--control-weight", metavar="N", min=1, help="The control's.")] = 1,
    share: Share = None,
    guardrails: Guardrails = None,
    alpha: Alpha = 0,
    id_: ExperimentId = "",
    channel: ChannelId = "prod",
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
    dry_run: DryRun = False,
    watch: Watch = False,
) -> None:
    """Split units between the version in use and others: each arm's judgments count."""
    control = experiment_pb2.Arm(name="control", weight=control_weight)
    experiment = experiment_pb2.Experiment(
        mode=experiment_pb2.Experiment.MODE_AB,
        arms=[control, *arms],
        enrolment_bp=_WHOLE_BP if share is None else share,
    )
    wish = _Wish(id_, guardrails, alpha, expected_revision, reason, is_dry=dry_run, is_watched=watch)
    _begin(ctx, f"{name}/channels/{channel}", experiment, wish)


@app.command(cls=Verb)
def shadow(
    ctx: typer.Context,
    name: RulesetName,
    version: VersionNumber,
    *,
    share: Share = None,
    guardrails: Guardrails = None,
    alpha: Alpha = 0,
    id_: ExperimentId = "",
    arm_name: ArmName = "trial",
    channel: ChannelId = "prod",
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
    dry_run: DryRun = False,
    watch: Watch = False,
) -> None:
    """Judge the same inputs by a version beside the one in use; what it says is only counted."""
    experiment = experiment_pb2.Experiment(
        mode=experiment_pb2.Experiment.MODE_SHADOW,
        arms=[experiment_pb2.Arm(name=arm_name, version=version, weight=1)],
        enrolment_bp=_WHOLE_BP if share is None else share,
    )
    wish = _Wish(id_, guardrails, alpha, expected_revision, reason, is_dry=dry_run, is_watched=watch)
    _begin(ctx, f"{name}/channels/{channel}", experiment, wish)


@app.command(cls=Verb)
def get(ctx: typer.Context, name: ExperimentName) -> None:
    """Show one experiment: its arms, its steps, and how it ended."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetExperiment, pb.GetExperimentRequest(name=name))
    session.screen.answer(answer, *views.experiment(answer.experiment, session.say))


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    ruleset: OnlyRuleset = None,
    limit: Limit = 50,
) -> None:
    """List experiments, newest first."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListExperimentsRequest(ruleset=ruleset or "")
    found = collect(connection, stub.ListExperiments, request, lambda page: page.experiments, limit)
    table = views.experiment_table(found.experiments, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command("step", cls=Verb)
def step_(
    ctx: typer.Context,
    name: ExperimentName,
    *,
    share: Annotated[
        int | None,
        typer.Option(
            "--share",
            parser=percent_bp,
            metavar="SHARE",
            help="Of A/B and shadow: how many take part from now on.",
            show_default=False,
        ),
    ] = None,
    etag: Etag = "",
    reason: OptionalReason = "",
) -> None:
    """Move a canary to its next step now, or let more units take part in an A/B or shadow experiment."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.StepExperimentRequest(name=name, enrolment_bp=share or 0, etag=etag, reason=reason)
    session.write(connection, stub.StepExperiment, request, views.moved)


@app.command(cls=Verb)
def stop(ctx: typer.Context, name: ExperimentName, *, reason: Reason) -> None:
    """Stop an experiment: all is judged by the channel's version again."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.StopExperimentRequest(name=name, reason=reason)
    session.write(connection, stub.StopExperiment, request, views.stopped)


@app.command(cls=Verb)
def promote(
    ctx: typer.Context,
    name: ExperimentName,
    arm: Annotated[str, typer.Argument(metavar="ARM", help="The arm's name.", show_default=False)],
    *,
    etag: Etag = "",
    reason: OptionalReason = "",
) -> None:
    """Point the channel to an arm's version, and end the experiment."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.PromoteArmRequest(name=name, arm=arm, etag=etag, reason=reason)
    session.write(connection, stub.PromoteArm, request, views.promoted)


@app.command(cls=Verb)
def report(ctx: typer.Context, name: ExperimentName, *, html: PageFile = None) -> None:
    """Show what an experiment has shown so far: outcomes by arm, how they differ, and what the guardrails say."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.GetExperimentReportRequest(name=name, with_html=html is not None, language=session.say.language)
    answer = connection.call(stub.GetExperimentReport, request)
    if html:
        pages.write(session, html, answer.html)
        answer.html = ""
    session.screen.answer(answer, *views.report(answer.report, session.say))
    if html:
        session.screen.notice(session.say(Trial.PAGE_WRITTEN, path=html))


@app.command(cls=Verb)
def watch(ctx: typer.Context, name: ExperimentName) -> None:
    """Follow an experiment to its end: exits 0 if an arm was promoted, 8 if it was rolled back, 9 if it was stopped."""
    session = current(ctx)
    raise typer.Exit(ExperimentWatch(session, *connect(session)).run(name))


@dataclass(frozen=True)
class _Wish:
    """How an experiment is to begin, whatever its mode."""

    id: str
    guardrails: list[experiment_pb2.Guardrail] | None
    alpha: float
    expected_revision: int | None
    reason: str
    is_dry: bool
    is_watched: bool


def _begin(ctx: typer.Context, channel: str, experiment: experiment_pb2.Experiment, wish: _Wish) -> None:
    session = current(ctx)
    mode = experiment_pb2.Experiment.Mode.Name(experiment.mode).removeprefix("MODE_").lower()
    experiment.name = f"experiments/{wish.id or f'{mode}-{uuid.uuid4().hex[:8]}'}"
    experiment.channel = channel
    for each in wish.guardrails or ():
        each.alpha = wish.alpha
        experiment.guardrails.append(each)
    request = pb.StartExperimentRequest(
        experiment=experiment,
        expected_revision=wish.expected_revision,
        reason=wish.reason,
        validate_only=wish.is_dry,
    )
    connection, stub = connect(session)
    is_followed = wish.is_watched and not wish.is_dry
    draw = partial(views.began, is_dry=wish.is_dry, is_followed=is_followed)
    session.write(connection, stub.StartExperiment, request, draw, is_followed=is_followed)
    if is_followed:
        raise typer.Exit(ExperimentWatch(session, connection, stub).run(experiment.name))
