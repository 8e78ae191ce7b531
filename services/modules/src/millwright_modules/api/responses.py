"""Results as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import json_format, struct_pb2
from millwright.modules.v1 import module_pb2, operation_pb2
from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import messages
from millwright_runtime.events.log import LoggedEvent

from millwright_modules.domain import names
from millwright_modules.domain.module import Activation, Asset, Module, ModuleVersion
from millwright_modules.domain.operation import Operation, Progress
from millwright_modules.domain.problem import Problem
from millwright_modules.domain.resolution import Step
from millwright_modules.store.keys import Key
from millwright_modules.store.settings import Saved
from millwright_modules.store.uploads import Upload


def upload(value: Upload) -> pb.Upload:
    """Give an upload."""
    return pb.Upload(
        name=names.upload(value.digest),
        digest=value.digest,
        total_bytes=value.total_bytes,
        received_bytes=value.received_bytes,
        complete=value.is_complete,
        update_time=messages.timestamp(value.update_time),
    )


def operation(value: Operation) -> operation_pb2.Operation:
    """Give an operation."""
    return operation_pb2.Operation(
        name=names.operation(value.id),
        module=names.module(value.code) if value.code else "",
        version=value.version,
        kind=operation_pb2.Operation.KIND_INSTALL,
        package_digest=value.package_digest,
        stage=operation_pb2.Stage.Value(f"STAGE_{value.stage.value}"),
        progress=progress(value.progress),
        problems=[problem(each) for each in value.problems],
        requester=value.requester,
        create_time=messages.timestamp(value.create_time),
        end_time=messages.timestamp(value.end_time),
    )


def progress(value: Progress) -> operation_pb2.Progress:
    """Give how far an operation is."""
    done = value.done
    return operation_pb2.Progress(
        percent=value.percent,
        bytes_done=done.bytes_done,
        bytes_total=done.bytes_total,
        files_done=done.files_done,
        files_total=done.files_total,
        steps_done=done.steps_done,
        steps_total=done.steps_total,
        rate=value.bytes_per_second,
        seconds_left=value.seconds_left,
        messages=value.activity.messages,
        queue_place=value.place,
    )


def event(value: LoggedEvent) -> operation_pb2.OperationEvent:
    """Give an event of an operation, as it was written."""
    return json_format.ParseDict(value.data, operation_pb2.OperationEvent())


def problem(value: Problem) -> module_pb2.Problem:
    """Give a problem, in words."""
    return module_pb2.Problem(
        reason=value.reason.value,
        severity=module_pb2.Problem.Severity.Value(f"SEVERITY_{value.severity.value}"),
        path=value.path,
        line=value.line,
        expected=value.expected,
        found=value.found,
        messages=value.messages,
        hints=value.hints,
    )


def module(value: Module) -> module_pb2.Module:
    """Give a module."""
    return module_pb2.Module(
        name=names.module(value.code),
        titles=value.titles,
        category=module_pb2.Module.Category.Value(f"CATEGORY_{value.category.upper()}"),
        publisher=value.publisher,
        state=module_pb2.Module.State.Value(f"STATE_{value.state.value}"),
        active_version=value.active_version,
        generation=value.generation,
        operation=names.operation(value.operation) if value.operation else "",
        create_time=messages.timestamp(value.create_time),
        update_time=messages.timestamp(value.update_time),
    )


def version(value: ModuleVersion, live: str, assets: Sequence[Asset] = ()) -> module_pb2.ModuleVersion:
    """Give a version of a module whose live version is `live`."""
    return module_pb2.ModuleVersion(
        name=names.version(value.code, value.version),
        package_digest=value.package_digest,
        package_bytes=value.package_bytes,
        manifest=value.manifest,
        assets=[asset(each) for each in assets],
        signer=value.signer,
        warnings=[problem(each) for each in value.warnings],
        active=value.version == live,
        create_time=messages.timestamp(value.create_time),
    )


def asset(value: Asset) -> module_pb2.Asset:
    """Give a file that browsers load."""
    return module_pb2.Asset(path=value.path, digest=value.digest, bytes=value.size_bytes, media_type=value.media_type)


def activation(value: Activation) -> module_pb2.Activation:
    """Give a row of the history."""
    move = value.move
    return module_pb2.Activation(
        name=names.activation(move.code, move.generation),
        kind=module_pb2.Activation.Kind.Value(f"KIND_{move.kind.value}"),
        from_version=move.from_version,
        to_version=move.to_version,
        reason=move.reason,
        actor=move.actor,
        automatic=move.is_automatic,
        operation=names.operation(move.operation) if move.operation else "",
        create_time=messages.timestamp(value.create_time),
    )


def step(value: Step) -> pb.PlannedStep:
    """Give a step of a plan."""
    return pb.PlannedStep(
        module=names.module(value.code),
        kind=module_pb2.Activation.Kind.Value(f"KIND_{value.kind.value}"),
        from_version=str(value.from_version or ""),
        to_version=str(value.to_version or ""),
    )


def settings(code: str, version: str, value: Saved | None, defaults: object = None) -> module_pb2.ModuleSettings:
    """Give a module's settings; where none were saved, the defaults of its version."""
    if value is None:
        return module_pb2.ModuleSettings(name=names.settings(code), values=_struct(defaults or {}), version=version)
    return module_pb2.ModuleSettings(
        name=names.settings(code),
        values=_struct(value.values),
        version=value.version,
        etag=str(value.revision),
        updater=value.updater,
        update_time=messages.timestamp(value.update_time),
    )


def key(value: Key) -> pb.SigningKey:
    """Give a key that is trusted."""
    return pb.SigningKey(
        name=names.key(value.key),
        public_key=value.public_key,
        owner=value.owner,
        creator=value.creator,
        create_time=messages.timestamp(value.create_time),
    )


def _struct(values: object) -> struct_pb2.Struct:
    return json_format.ParseDict(values, struct_pb2.Struct())  # type: ignore[arg-type]  # of JSON
