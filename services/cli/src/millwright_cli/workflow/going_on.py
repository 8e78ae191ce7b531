"""`millwright instance pause | resume | retry | fork | checkpoints`: how instances stop and go on."""

from typing import Annotated

import typer
from millwright.workflow.v1 import instance_service_pb2 as pb
from millwright.workflow.v1 import instance_service_pb2_grpc
from rich.text import Text

from millwright_cli.arguments import Limit, OptionalReason
from millwright_cli.connection import Connection, Service, new_request_id
from millwright_cli.drawing import glyph, short
from millwright_cli.paging import collect
from millwright_cli.session import Session, Verb, current
from millwright_cli.workflow.arguments import InstanceName
from millwright_cli.workflow.views import checkpoint as views
from millwright_cli.workflow.words import WORDS, Term

SERVICE = Service("workflow", pb.DESCRIPTOR, WORDS)


def add_to(app: typer.Typer) -> None:
    """Add the verbs to `millwright instance`."""
    for verb in (pause, resume, retry, fork, checkpoints):
        app.command(cls=Verb)(verb)


def pause(ctx: typer.Context, name: InstanceName, reason: OptionalReason = "") -> None:
    """Stop a running instance before its next task, within two seconds."""
    session = current(ctx)
    connection, stub = _connect(session)
    answer = connection.call(stub.PauseInstance, pb.PauseInstanceRequest(name=name, reason=reason))
    sentence = session.say(Term.PAUSE_ASKED, instance=short(answer.instance.name))
    session.screen.answer(answer, Text.assemble(glyph("KIND_PAUSED"), " ", sentence))


def resume(ctx: typer.Context, name: InstanceName) -> None:
    """Let a paused instance go on where it stopped, on the version it began on."""
    session = current(ctx)
    connection, stub = _connect(session)
    answer = connection.call(stub.ResumeInstance, pb.ResumeInstanceRequest(name=name))
    sentence = session.say(Term.RESUMED, instance=short(answer.instance.name))
    session.screen.answer(answer, Text.assemble(glyph("KIND_RESUMED"), " ", sentence))


def retry(ctx: typer.Context, name: InstanceName) -> None:
    """Let a faulted or cancelled instance go on: the task that failed is run again."""
    session = current(ctx)
    connection, stub = _connect(session)
    answer = connection.call(stub.RetryInstance, pb.RetryInstanceRequest(name=name))
    sentence = session.say(Term.RETRIED, instance=short(answer.instance.name))
    session.screen.answer(answer, Text.assemble(glyph("KIND_RESUMED"), " ", sentence))


def fork(
    ctx: typer.Context,
    name: InstanceName,
    *,
    version: Annotated[
        int, typer.Option("--version", metavar="N", min=0, help="The version to run on.", show_default="its own")
    ] = 0,
    checkpoint: Annotated[
        int | None,
        typer.Option("--from", metavar="N", min=1, help="The last checkpoint to take over.", show_default="all"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")] = False,
) -> None:
    """Start a new instance that goes on from what another has finished; that one is left as it is."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = pb.ForkInstanceRequest(
        name=name,
        version=version,
        from_checkpoint=checkpoint,
        request_id=new_request_id(),
        validate_only=dry_run,
    )
    answer = connection.call(stub.ForkInstance, request)
    word = Term.FORK_CHECKED if dry_run else Term.FORKED
    sentence = session.say(word, instance=short(answer.instance.name), n=answer.adopted_tasks)
    session.screen.answer(answer, Text.assemble(glyph("KIND_STARTED"), " ", sentence))


def checkpoints(ctx: typer.Context, name: InstanceName, *, limit: Limit = 50) -> None:
    """List what is kept of an instance, newest first."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = pb.ListCheckpointsRequest(instance=name)
    answer = collect(connection, stub.ListCheckpoints, request, lambda page: page.checkpoints, limit)
    session.screen.answer(answer, views.checkpoint_table(answer.checkpoints, session.say))


def _connect(session: Session) -> tuple[Connection, instance_service_pb2_grpc.InstanceServiceStub]:
    connection = session.connect(SERVICE)
    return connection, instance_service_pb2_grpc.InstanceServiceStub(connection.channel)
