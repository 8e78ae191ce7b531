"""Operations as rows: asking for one, moving it on, ending it; each with its event, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from millwright_runtime import tracing
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_modules.domain import module as module_domain
from millwright_modules.domain import names
from millwright_modules.domain.errors import OperationPastCancel, OperationUnderWay, UploadIncomplete
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.module import Module, State
from millwright_modules.domain.operation import (
    NEXT,
    Activity,
    Operation,
    Options,
    Progress,
    Stage,
    percent,
)
from millwright_modules.domain.problem import Problem, Severity
from millwright_modules.store import events, modules, operations, uploads, versions

_MOST_PROBLEMS = 100
_ENDS = {
    Stage.COMPLETED: Activity.DONE,
    Stage.FAILED: Activity.FAILED,
    Stage.CANCELLED: Activity.CANCELLED,
    Stage.ROLLED_BACK: Activity.ROLLED_BACK,
}


class Started(NamedTuple):
    """The operation, and whether it was there already."""

    operation: Operation
    is_joined: bool


async def start(
    connection: Connection,
    log: EventLog,
    tenant: str,
    digest: bytes,
    manifest: Manifest | None,
    options: Options,
    expected_generation: int | None,
    requester: str,
) -> Started:
    """Ask for an install. Without a manifest, which is one that cannot be read, the operation will say what is wrong.

    The same package joins the operation that is under way for it, if what comes out of it is what is asked for, or the
    one that has made it live. Raises UploadNotFound, UploadIncomplete, GenerationMismatch, OperationUnderWay.
    """
    upload = await uploads.lock(connection, digest)
    if not upload.is_complete:
        missing = upload.total_bytes - upload.received_bytes
        raise UploadIncomplete(upload=names.upload(digest), missing_bytes=missing)
    await uploads.touch(connection, digest)
    under_way = await operations.find_open(connection, digest)
    if under_way:
        return _join(under_way, await modules.find(connection, under_way.code), options, expected_generation)
    code, version, base_generation = "", "", 0
    if manifest is not None:
        module = await modules.lock_or_insert(connection, tenant, manifest)
        module_domain.check_generation(module, expected_generation)
        if module.operation is not None:
            raise OperationUnderWay(module=names.module(module.code), operation=names.operation(module.operation))
        if done := await _what_made_it_live(connection, module, digest):
            return Started(done, is_joined=True)
        code, version, base_generation = module.code, str(manifest.version), module.generation
    operation = await operations.insert(
        connection, tenant, code, version, digest, options, base_generation, requester, tracing.origin()
    )
    if code:
        await modules.note_operation(connection, code, operation.id)
    await log.append(connection, [events.of_operation(operation, entered=True)])
    return Started(operation, is_joined=False)


def _join(under_way: Operation, module: Module | None, options: Options, expected_generation: int | None) -> Started:
    if module is not None:
        module_domain.check_generation(module, expected_generation)
    if under_way.options.outcome != options.outcome:
        raise OperationUnderWay(module=names.module(under_way.code), operation=names.operation(under_way.id))
    return Started(under_way, is_joined=True)


async def _what_made_it_live(connection: Connection, module: Module, digest: bytes) -> Operation | None:
    """Give the operation that installed a package, if that package is what is live."""
    live = await versions.find_package(connection, digest)
    if module.state is not State.ENABLED or live is None or live.version != module.active_version:
        return None
    return await operations.find_completed(connection, digest)


async def cancel(connection: Connection, log: EventLog, operation_id: uuid.UUID) -> Operation:
    """Stop an operation; one that has ended stays as it is. Whoever works on it can write nothing any more.

    Raises OperationNotFound, OperationPastCancel.
    """
    operation = await operations.lock(connection, operation_id)
    if operation.stage.is_terminal:
        return operation
    if not operation.stage.is_cancellable:
        raise OperationPastCancel(operation=names.operation(operation_id))
    return await enter(connection, log, operation, Stage.CANCELLED, held=False)


async def enter(
    connection: Connection,
    log: EventLog,
    operation: Operation,
    stage: Stage,
    found: Sequence[Problem] = (),
    *,
    held: bool = True,
) -> Operation:
    """Move an operation to its next stage, with what was `found` on the way, the worst first; raise LeaseLost."""
    assert stage in NEXT[operation.stage], f"{operation.stage} → {stage}"
    found = sorted(found, key=lambda problem: problem.severity is not Severity.ERROR)[:_MOST_PROBLEMS]
    activity = _ENDS.get(stage, Activity.WAITING)
    progress = Progress(percent(stage, 0.0, operation.progress.percent), activity=activity)
    moved = replace(operation, stage=stage, progress=progress, problems=[*operation.problems, *found])
    written = await operations.write(connection, moved, held=held)
    if stage.is_terminal and operation.code:
        await modules.clear_operation(connection, operation.code, operation.id)
    await log.append(connection, [events.of_operation(written, entered=True, found=found)])
    return written


async def wait(connection: Connection, log: EventLog, operation: Operation, place: int) -> Operation:
    """Write at which place an operation waits to be worked on; raise LeaseLost if it waits no more."""
    waiting = replace(
        operation.progress, place=place, activity=Activity.WAITING, bytes_per_second=0.0, seconds_left=0.0
    )
    return await progress(connection, log, replace(operation, progress=waiting))


async def progress(connection: Connection, log: EventLog, operation: Operation) -> Operation:
    """Write how far an operation is within its stage; raise LeaseLost."""
    written = await operations.write(connection, operation)
    await log.append(connection, [events.of_operation(written, entered=False)])
    return written
