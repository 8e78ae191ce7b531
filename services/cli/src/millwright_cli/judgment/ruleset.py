"""`millwright ruleset …`: publishing rulesets and reading them. What moves a channel is in `release`."""

from functools import partial
from typing import Annotated

import typer
from millwright.judgment.v1 import ruleset_service_pb2 as pb

from millwright_cli.arguments import DryRun, Limit, OptionalReason, Reason, VersionNumber, file_text
from millwright_cli.judgment import draft, release
from millwright_cli.judgment.arguments import Replayed, RulesetName, reference
from millwright_cli.judgment.rulesets import connect
from millwright_cli.judgment.views import gate
from millwright_cli.judgment.views import release as release_views
from millwright_cli.judgment.views import ruleset as views
from millwright_cli.paging import collect
from millwright_cli.publishing import Promote, Publish
from millwright_cli.session import Noun, Verb, current

app = typer.Typer(
    cls=Noun, help="Draft and publish rulesets, release and roll back their versions.", no_args_is_help=True
)

File = Annotated[str, typer.Argument(metavar="FILE", help="The document, JSON; - for standard input.")]


@app.command(cls=Publish)
def publish(
    ctx: typer.Context,
    file: File,
    *,
    promote: Promote = "",
    reason: OptionalReason = "",
    replay: Replayed = None,
    dry_run: DryRun = False,
) -> None:
    """Publish a document as the next version of its ruleset, if it passes the gate."""
    session = current(ctx)
    request = pb.PublishVersionRequest(
        document=file_text(file, session.say),
        promote_to=promote,
        reason=reason,
        validate_only=dry_run,
        replay_executions=replay,
    )
    connection, stub = connect(session)
    session.write(connection, stub.PublishVersion, request, partial(views.publication, dry_run=dry_run))


@app.command(cls=Verb)
def validate(ctx: typer.Context, file: File, *, replay: Replayed = None) -> None:
    """Put a document through the gate and show its report; nothing is published. Exits with 5 if something blocks."""
    session = current(ctx)
    request = pb.PublishVersionRequest(
        document=file_text(file, session.say), validate_only=True, replay_executions=replay
    )
    connection, stub = connect(session)
    answer = connection.call(stub.PublishVersion, request)
    session.screen.answer(answer, *gate.report(answer.version.gate_report, session.say))


@app.command("list", cls=Verb)
def list_(ctx: typer.Context, limit: Limit = 50) -> None:
    """List the rulesets by name."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListRulesetsRequest()
    found = collect(connection, stub.ListRulesets, request, lambda page: page.rulesets, limit)
    table = views.ruleset_table(found.rulesets, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def get(ctx: typer.Context, name: RulesetName) -> None:
    """Show a ruleset and where its channels point."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetRuleset, pb.GetRulesetRequest(name=name))
    session.screen.answer(answer, *views.ruleset(answer, session.say))


@app.command(cls=Verb)
def versions(ctx: typer.Context, name: RulesetName, limit: Limit = 50) -> None:
    """List a ruleset's versions, newest first."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListVersionsRequest(ruleset=name)
    found = collect(connection, stub.ListVersions, request, lambda page: page.versions, limit)
    table = views.version_table(found.versions, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def show(
    ctx: typer.Context,
    name: RulesetName,
    version: VersionNumber,
    *,
    report: Annotated[bool, typer.Option("--report", help="What the gate found instead of the document.")] = False,
) -> None:
    """Show a version's document; into a pipe it goes exactly as it was published."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetVersion, pb.GetVersionRequest(name=f"{name}/versions/{version}"))
    if report:
        session.screen.answer(answer, *gate.report(answer.version.gate_report, session.say))
    elif session.screen.is_json or session.screen.is_live:
        session.screen.answer(answer, *views.document(answer.version, session.say))
    else:
        session.screen.raw(answer.version.document)


@app.command(cls=Verb)
def diff(
    ctx: typer.Context,
    name: RulesetName,
    before: Annotated[str, typer.Argument(parser=reference, metavar="FROM", help="A version, or drafts/ID.")],
    after: Annotated[str, typer.Argument(parser=reference, metavar="TO", help="A later version, or drafts/ID.")],
) -> None:
    """Show what differs between two versions, or a version and a draft, rule by rule."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.DiffVersionsRequest(**{"from": f"{name}/{before}"}, to=f"{name}/{after}")
    answer = connection.call(stub.DiffVersions, request)
    session.screen.answer(answer, *views.differences(answer, before, after, session.say))


@app.command(cls=Verb)
def retire(ctx: typer.Context, name: RulesetName, version: VersionNumber, reason: Reason) -> None:
    """Take a version out of use for good: it can only be replayed any more."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.RetireVersionRequest(name=f"{name}/versions/{version}", reason=reason)
    session.write(connection, stub.RetireVersion, request, release_views.mark)


@app.command("import", cls=Verb)
def import_(
    ctx: typer.Context,
    name: RulesetName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The decision file, JSON; - for standard input.")],
    *,
    semver: Annotated[str, typer.Option("--semver", metavar="X.Y.Z", help="The document's version.")] = "1.0.0",
) -> None:
    """Print a GoRules decision file as a document of ours; what to look at before it is published goes to stderr."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ImportDecisionRequest(decision=file_text(file, session.say), ruleset=name, semver=semver)
    answer = connection.call(stub.ImportDecision, request)
    if session.screen.is_json:
        session.screen.answer(answer)
        return
    session.screen.raw(answer.document)
    session.screen.aside(*gate.imported(answer.findings, session.say))


@app.command(cls=Verb)
def export(ctx: typer.Context, name: RulesetName, version: VersionNumber) -> None:
    """Print a version as a decision file for GoRules' editor and engine."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.ExportDecision, pb.ExportDecisionRequest(version=f"{name}/versions/{version}"))
    if session.screen.is_json:
        session.screen.answer(answer)
    else:
        session.screen.raw(answer.decision)


app.add_typer(release.app)
app.add_typer(draft.app, name="draft")
