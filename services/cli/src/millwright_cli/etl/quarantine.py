"""`millwright etl quarantine …`: rows that could not be used, and the way back."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from millwright.etl.v1 import quarantine_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.arguments import Limit, Watch, named
from millwright_cli.connection import new_request_id
from millwright_cli.etl import services
from millwright_cli.etl.run_watch import RunWatch
from millwright_cli.etl.views import quarantine as views
from millwright_cli.etl.words import Term
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Session, Verb, current

app = typer.Typer(cls=Noun, help="See rows that could not be used, mend them or leave them out.", no_args_is_help=True)


class State(StrEnum):
    """Where a row stands."""

    OPEN = "open"
    FIXED = "fixed"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"


def row_name(text: str) -> str:
    """Read a row's id, with or without `quarantinedRecords/`, as a resource name."""
    return named("quarantinedRecords", text)


Rows = Annotated[
    list[str],
    typer.Argument(parser=row_name, metavar="ROW...", help="Their ids, as listed.", show_default=False),
]


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    *,
    state: Annotated[State, typer.Option("--state", help="Only in this state.")] = State.OPEN,
    from_date: Annotated[str, typer.Option("--from", metavar="DATE", help="Only from this business day on.")] = "",
    to_date: Annotated[str, typer.Option("--to", metavar="DATE", help="Only up to this business day.")] = "",
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="Only with this reason, such as NEGATIVE.")] = "",
    limit: Limit = 50,
) -> None:
    """List rows that were set aside, the newest first, with everything that is wrong with each."""
    session = current(ctx)
    connection, stub = services.quarantine(session)
    request = pb.ListQuarantinedRecordsRequest(
        state=pb.QuarantinedRecord.State.Value(f"STATE_{state.name}"), from_date=from_date, to_date=to_date, code=code
    )
    found = collect(connection, stub.ListQuarantinedRecords, request, lambda page: page.records, limit)
    table = views.records(found.records, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def redrive(
    ctx: typer.Context,
    rows: Rows,
    *,
    corrections: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Correct a field; an empty value takes it away."),
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What was done; it is kept.")] = "",
    watch: Watch = False,
) -> None:
    """Send rows through again: as they are once a rule is mended, or corrected. Answers with a run over their days."""
    session = current(ctx)
    struct = json_format.ParseDict(_corrections(session, corrections or []), Struct())
    request = pb.RedriveRecordsRequest(
        redrives=[pb.Redrive(name=name, corrections=struct) for name in rows], note=note, request_id=new_request_id()
    )
    connection, stub = services.quarantine(session)
    answer = connection.call(stub.RedriveRecords, request)
    lines = list(views.redriven(answer, len(rows), session.say))
    if not watch:
        session.screen.answer(answer, *lines)
        return
    session.screen.lines(*lines)
    raise typer.Exit(RunWatch(session, *services.pipeline(session)).run(answer.run.name))


@app.command(cls=Verb)
def ignore(
    ctx: typer.Context,
    rows: Rows,
    *,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; it is kept.", show_default=False)],
) -> None:
    """Leave rows out for good. What their source sends later is looked at anew."""
    session = current(ctx)
    connection, stub = services.quarantine(session)
    request = pb.IgnoreRecordsRequest(names=rows, note=note)
    session.write(connection, stub.IgnoreRecords, request, lambda answer, _, say: views.ignored(answer, say))


def _corrections(session: Session, given: list[str]) -> dict[str, Any]:
    """Read corrections: a value is JSON where it is some, else a text."""
    found: dict[str, Any] = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not field or not equals:
            raise errors.usage("BAD_CORRECTION", session.say(Term.BAD_CORRECTION, text=text))
        found[field] = _value(value)
    return found


def _value(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text
