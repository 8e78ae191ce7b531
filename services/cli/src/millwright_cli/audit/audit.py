"""`millwright audit …`: who changed what in a service, or was refused to."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from millwright.api.v1 import audit_service_pb2, audit_service_pb2_grpc
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.arguments import Limit, since, timestamp
from millwright_cli.audit.words import WORDS, Term
from millwright_cli.connection import Service
from millwright_cli.drawing import clean, table
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Verb, current
from millwright_cli.times import moment
from millwright_cli.words import Word, Words

_DONE = "OK"

app = typer.Typer(cls=Noun, help="See who changed what, or was refused to.", no_args_is_help=True)


class Log(StrEnum):
    """The service whose log it is."""

    WORKFLOW = "workflow"
    JUDGMENT = "judgment"
    ETL = "etl"
    MODULES = "modules"


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    service: Annotated[Log, typer.Argument(help="Of which service.", show_default=False)],
    by: Annotated[str, typer.Option("--by", metavar="SUBJECT", help="Only of this caller.", show_default=False)] = "",
    about: Annotated[
        str,
        typer.Option("--about", metavar="NAME", help="Only of this resource and what is below it.", show_default=False),
    ] = "",
    call: Annotated[
        str,
        typer.Option("--call", metavar="RPC", help="Only of this RPC, such as RollbackVersion.", show_default=False),
    ] = "",
    from_time: Annotated[
        datetime | None,
        typer.Option(
            "--since", parser=since, metavar="WHEN", help="Not before: `2h`, or ISO 8601.", show_default=False
        ),
    ] = None,
    to_time: Annotated[
        datetime | None,
        typer.Option("--until", parser=since, metavar="WHEN", help="Before: `2h`, or ISO 8601.", show_default=False),
    ] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused.")] = False,  # noqa: FBT002 - a flag
    limit: Limit = 50,
) -> None:
    """List the entries of a service's audit log, newest first. It takes an admin's token."""
    session = current(ctx)
    connection = session.connect(Service(service.value, audit_service_pb2.DESCRIPTOR, WORDS))
    stub = audit_service_pb2_grpc.AuditServiceStub(connection.channel)
    request = audit_service_pb2.ListAuditEntriesRequest(
        subject=by,
        resource=about,
        method=call,
        from_time=timestamp(from_time),
        to_time=timestamp(to_time),
        only_refused=refused,
    )
    found = collect(connection, stub.ListAuditEntries, request, lambda page: page.entries, limit)
    session.screen.listing(found, _table(found.entries, session.say), limit=limit, goes_on=bool(found.next_page_token))


def _table(entries: Iterable[audit_service_pb2.AuditEntry], say: Words) -> RenderableType:
    headings = (Word.WHEN, Word.ACTOR, Term.CALL, Term.RESOURCES, Term.OUTCOME, Term.FROM)
    rows = (
        (
            moment(each.create_time, say),
            clean(each.subject),
            clean(each.method.rpartition(".")[2]),
            clean(", ".join(each.resources)),
            _outcome(each, say),
            clean(each.peer),
        )
        for each in entries
    )
    return table(headings, rows, say)


def _outcome(entry: audit_service_pb2.AuditEntry, say: Words) -> Text:
    if entry.code == _DONE:
        return Text(say(Term.DONE), style="green")
    return Text(clean(f"{entry.code} {entry.reason}".strip()), style="red")
