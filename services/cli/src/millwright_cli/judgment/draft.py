"""`millwright ruleset draft …`: documents that are still worked on."""

from functools import partial
from typing import Annotated

import grpc
import typer
from millwright.judgment.v1 import ruleset_service_pb2 as pb

from millwright_cli.arguments import DryRun, Limit, OptionalReason, file_text
from millwright_cli.connection import Connection
from millwright_cli.errors import refused
from millwright_cli.judgment.arguments import DraftId, OnlyRuleset, Replayed, RulesetName
from millwright_cli.judgment.rulesets import Stub, connect
from millwright_cli.judgment.views import draft as views
from millwright_cli.judgment.views import ruleset as ruleset_views
from millwright_cli.paging import collect
from millwright_cli.publishing import Promote, Publish
from millwright_cli.session import Noun, Verb, current

app = typer.Typer(cls=Noun, help="Work on a document before it is published.", no_args_is_help=True)

Etag = Annotated[
    str,
    typer.Option("--etag", metavar="ETAG", help="Only if the draft is as this says.", show_default=False),
]


@app.command(cls=Verb)
def save(
    ctx: typer.Context,
    name: RulesetName,
    draft: DraftId,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The document, JSON; - for standard input.")],
    *,
    etag: Etag = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Take the place of whatever the draft is now.")
    ] = False,
) -> None:
    """Save a draft, and show what is wrong with its document. One that exists needs --etag or --overwrite."""
    session = current(ctx)
    document = file_text(file, session.say)
    connection, stub = connect(session)
    resource = f"{name}/drafts/{draft}"
    if overwrite:
        etag = _etag(connection, stub, resource)
    request = pb.SaveDraftRequest(name=resource, document=document, etag=etag)
    session.write(connection, stub.SaveDraft, request, views.saved)


@app.command(cls=Verb)
def get(
    ctx: typer.Context,
    name: RulesetName,
    draft: DraftId,
    *,
    document: Annotated[bool, typer.Option("--document", help="Print the document, as it was saved.")] = False,
) -> None:
    """Show a draft and what the gate found last."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetDraft, pb.GetDraftRequest(name=f"{name}/drafts/{draft}"))
    if document and not session.screen.is_json:
        session.screen.raw(answer.draft.document)
    else:
        session.screen.answer(answer, *views.draft(answer.draft, session.say))


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    name: OnlyRuleset = None,
    limit: Limit = 50,
) -> None:
    """List drafts by name."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListDraftsRequest(ruleset=name or "")
    found = collect(connection, stub.ListDrafts, request, lambda page: page.drafts, limit)
    table = views.draft_table(found.drafts, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def delete(ctx: typer.Context, name: RulesetName, draft: DraftId, *, etag: Etag = "") -> None:
    """Remove a draft."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.DeleteDraft, pb.DeleteDraftRequest(name=f"{name}/drafts/{draft}", etag=etag))
    session.screen.answer(answer, views.removal(draft, session.say))


@app.command(cls=Verb)
def validate(
    ctx: typer.Context, name: RulesetName, draft: DraftId, *, etag: Etag = "", replay: Replayed = None
) -> None:
    """Put a draft through the gate and show its report."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ValidateDraftRequest(name=f"{name}/drafts/{draft}", etag=etag, replay_executions=replay)
    answer = connection.call(stub.ValidateDraft, request)
    session.screen.answer(answer, *views.draft(answer.draft, session.say))


@app.command(cls=Publish)
def publish(
    ctx: typer.Context,
    name: RulesetName,
    draft: DraftId,
    *,
    promote: Promote = "",
    reason: OptionalReason = "",
    replay: Replayed = None,
    dry_run: DryRun = False,
) -> None:
    """Publish a draft as the next version of its ruleset, if it passes the gate."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.PublishVersionRequest(
        draft=f"{name}/drafts/{draft}",
        promote_to=promote,
        reason=reason,
        validate_only=dry_run,
        replay_executions=replay,
    )
    session.write(connection, stub.PublishVersion, request, partial(ruleset_views.publication, dry_run=dry_run))


def _etag(connection: Connection, stub: Stub, name: str) -> str:
    """Give the etag of a draft as it is now; empty if there is none yet."""
    try:
        return connection.call(stub.GetDraft, pb.GetDraftRequest(name=name)).draft.etag
    except grpc.RpcError as error:
        if refused(error).reason != "DRAFT_NOT_FOUND":
            raise
        return ""
