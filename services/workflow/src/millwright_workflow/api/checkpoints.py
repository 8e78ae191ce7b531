"""The part of InstanceService that shows what is kept of an instance."""

from __future__ import annotations

from millwright.workflow.v1 import checkpoint_pb2
from millwright.workflow.v1 import instance_service_pb2 as pb
from millwright_runtime.api import calls, messages, pages
from millwright_runtime.service import Platform

from millwright_workflow.domain import names
from millwright_workflow.domain.execution import Checkpoint, Tier
from millwright_workflow.engine.running.worker import Worker
from millwright_workflow.store import instances, steps
from millwright_workflow.store.storage import PostgresStorage

_PAST_ALL_STEPS = 2**63 - 1


class CheckpointCalls:
    """Serves ListCheckpoints and GetCheckpoint."""

    def __init__(self, platform: Platform, storage: PostgresStorage, worker: Worker) -> None:
        self._platform = platform
        self._storage = storage
        self._worker = worker

    async def list(self, request: pb.ListCheckpointsRequest) -> pb.ListCheckpointsResponse:
        """List checkpoints, newest first."""
        tenant = calls.current().principal.tenant
        instance_id = names.parse_instance(request.instance, "instance")
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.number, request.instance) or _PAST_ALL_STEPS
        async with self._platform.database.snapshot(tenant) as connection:
            await instances.get(connection, instance_id)
            found = await steps.page(connection, tenant, instance_id, before, size + 1)
        token = pages.write(found[size - 1][0].number, request.instance) if len(found) > size else ""
        checkpoints = [_message(request.instance, kept, Tier.POSTGRES, size) for kept, size in found[:size]]
        return pb.ListCheckpointsResponse(checkpoints=checkpoints, next_page_token=token)

    async def get(self, request: pb.GetCheckpointRequest) -> pb.GetCheckpointResponse:
        """Get one checkpoint from the quickest tier that has it."""
        tenant = calls.current().principal.tenant
        instance_id = names.parse_instance(request.instance, "instance")
        number = request.sequence or None
        kept, tier = self._worker.find_checkpoint((tenant, instance_id), number), Tier.MEMORY
        if kept is None:
            async with self._platform.database.snapshot(tenant) as connection:
                active = await instances.get_active(connection, instance_id)
            tier, kept = await self._storage.find_checkpoint(active, number)
        message = _message(request.instance, kept, tier, len(kept.output.encode()))
        message.output.CopyFrom(messages.value(kept.result.output))
        return pb.GetCheckpointResponse(checkpoint=message)


def _message(instance: str, kept: Checkpoint, tier: Tier, size: int) -> checkpoint_pb2.Checkpoint:
    return checkpoint_pb2.Checkpoint(
        instance=instance,
        sequence=kept.number,
        task=kept.result.reference,
        size_bytes=size,
        create_time=messages.timestamp(kept.time),
        tier=checkpoint_pb2.Checkpoint.Tier.Value(f"TIER_{tier.value}"),
    )
