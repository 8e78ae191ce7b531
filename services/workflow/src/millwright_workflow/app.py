"""The composition root: the only place that builds concrete objects of the workflow service."""

from __future__ import annotations

import uuid
from pathlib import Path

from millwright.workflow.v1 import (
    instance_service_pb2,
    instance_service_pb2_grpc,
    release_service_pb2,
    release_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from millwright_runtime.api.server import Servicer
from millwright_runtime.events.log import EventLog
from millwright_runtime.service import Parts, Platform, Service

from millwright_workflow.api.instances import InstanceServicer
from millwright_workflow.api.releases import ReleaseServicer
from millwright_workflow.api.workflows import WorkflowServicer
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.driver import Means
from millwright_workflow.engine.expressions import Expressions
from millwright_workflow.engine.http import HttpCalls
from millwright_workflow.engine.sandbox import Sandbox
from millwright_workflow.engine.worker import Worker
from millwright_workflow.engine.writer import Writer
from millwright_workflow.settings import WorkflowSettings
from millwright_workflow.store.checkpoints import Checkpoints

SCHEMA = "workflow"


async def compose(platform: Platform, settings: WorkflowSettings) -> Parts:
    """Put the service together."""
    log = EventLog(SCHEMA)
    worker_id = uuid.uuid4()  # of this process and no other: never reused, so that a lease is never mistaken
    sandbox = Sandbox(settings.sandbox_processes)
    http = HttpCalls()
    definitions = Definitions(platform.database, sandbox)
    checkpoints = Checkpoints(platform.valkey)
    writer = Writer(platform, log, checkpoints, worker_id)
    means = Means(writer, Expressions(sandbox), http)
    hand_over_seconds = settings.drain_seconds / 2  # the other half is for those that must be interrupted
    worker = Worker(
        platform, log, definitions, checkpoints, means, worker_id, settings.max_instances, hand_over_seconds
    )
    return Parts(
        servicers=[
            Servicer(
                workflow_service_pb2.DESCRIPTOR.services_by_name["WorkflowService"],
                workflow_service_pb2_grpc.add_WorkflowServiceServicer_to_server,
                WorkflowServicer(platform, log, definitions),
            ),
            Servicer(
                release_service_pb2.DESCRIPTOR.services_by_name["ReleaseService"],
                release_service_pb2_grpc.add_ReleaseServiceServicer_to_server,
                ReleaseServicer(platform, log),
            ),
            Servicer(
                instance_service_pb2.DESCRIPTOR.services_by_name["InstanceService"],
                instance_service_pb2_grpc.add_InstanceServiceServicer_to_server,
                InstanceServicer(platform, log),
            ),
        ],
        loops=[writer, worker],
        closers=[sandbox.close, http.close],
    )


SERVICE = Service(
    name=SCHEMA, settings=WorkflowSettings, migrations=Path(__file__).parent / "migrations", compose=compose
)
