"""The composition root: the only place that builds concrete objects of the workflow service."""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from millwright_runtime.certificates import Certificates
from millwright_runtime.events.inbox import Inbox
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.streams import Stream
from millwright_runtime.loops import Loop, Removal
from millwright_runtime.service import Parts, Platform, Service

from millwright_workflow.api.approvals import ApprovalServicer
from millwright_workflow.api.checkpoints import CheckpointCalls
from millwright_workflow.api.circuits import CatalogueServicer
from millwright_workflow.api.events import EventServicer
from millwright_workflow.api.instances import InstanceServicer
from millwright_workflow.api.releases import ReleaseServicer
from millwright_workflow.api.work import WorkerServicer
from millwright_workflow.api.workflows import WorkflowServicer
from millwright_workflow.domain.cloud_events import RUN_SUBJECTS, SUBJECTS
from millwright_workflow.domain.interpreter import CallGrpc, CallHttp, Evaluate, FetchDocument, Invoke, Validate
from millwright_workflow.domain.interpreter.effects import Consume, Emit, RunWorkflow, Subscribe
from millwright_workflow.engine.calls.credentials import Credentials
from millwright_workflow.engine.calls.documents import Documents
from millwright_workflow.engine.calls.grpc_calls import GrpcCalls
from millwright_workflow.engine.calls.http import HttpCalls
from millwright_workflow.engine.calls.network import Network, parse_networks
from millwright_workflow.engine.calls.secrets import Secrets, SecretSource
from millwright_workflow.engine.calls.tokens import Tokens
from millwright_workflow.engine.calls.web import Web
from millwright_workflow.engine.canaries import Canaries
from millwright_workflow.engine.catalogue import methods
from millwright_workflow.engine.catalogue.approvals import ApprovalCalls, ApprovalTimes
from millwright_workflow.engine.catalogue.catalogue import Catalogue
from millwright_workflow.engine.catalogue.circuits import Circuits, guard_http
from millwright_workflow.engine.catalogue.remote import Remote, RemoteCalls
from millwright_workflow.engine.catalogue.work import WorkCalls
from millwright_workflow.engine.children import Children
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.events.emitting import Emitting, Publisher
from millwright_workflow.engine.events.intake import Intake, Reception
from millwright_workflow.engine.events.listening import Listening
from millwright_workflow.engine.events.matching import Matching
from millwright_workflow.engine.retention import Retention
from millwright_workflow.engine.run_jobs import RunJobs
from millwright_workflow.engine.running.clock import Clock
from millwright_workflow.engine.running.driver import Carrier, Means
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.run import RunFactory
from millwright_workflow.engine.running.worker import Worker
from millwright_workflow.engine.running.writer import Writer
from millwright_workflow.engine.sandbox.expressions import Expressions
from millwright_workflow.engine.sandbox.pool import Sandbox
from millwright_workflow.engine.sandbox.schemas import Schemas
from millwright_workflow.engine.scheduling import Scheduler
from millwright_workflow.engine.work.dispatch import Dispatch, Lapses
from millwright_workflow.engine.work.heartbeats import Heartbeats
from millwright_workflow.engine.work.notices import Notices
from millwright_workflow.engine.work.settlements import Settlements
from millwright_workflow.settings import WorkflowSettings
from millwright_workflow.store import work_items
from millwright_workflow.store.checkpoints import Checkpoints
from millwright_workflow.store.circuits import CircuitStates
from millwright_workflow.store.saved_states import SavedStates
from millwright_workflow.store.seals import Seals
from millwright_workflow.store.storage import PostgresStorage

SCHEMA = "workflow"
EVENTS_STREAM = "MILLWRIGHT_EVENTS"
RUNS_STREAM = "MILLWRIGHT_ETL"
EVENTS_PAUSE_SECONDS = 60.0
WORK_PAUSE_SECONDS = 5.0

Carriers: TypeAlias = dict[type[Any], Carrier]

Closer: TypeAlias = Callable[[], Awaitable[None]]


class Calls:
    """What reaches out to other systems."""

    def __init__(self, settings: WorkflowSettings, secrets: Secrets, circuits: Circuits) -> None:
        network = Network(parse_networks(settings.denied_networks))
        web = Web(network, settings.call_seconds)
        tokens = Tokens(web)
        credentials = Credentials(tokens)
        documents = Documents(web, secrets, credentials, settings.documents_directory)
        http = HttpCalls(web, secrets, credentials)
        grpc = GrpcCalls(network, secrets, credentials, documents, settings.call_seconds)
        self.carriers: Carriers = {
            FetchDocument: documents.carry_out,
            CallHttp: guard_http(circuits, http.carry_out) if settings.http_circuits else http.carry_out,
            CallGrpc: grpc.carry_out,
        }
        self.closers: list[Closer] = [web.close, tokens.close, documents.close, grpc.close]


class Work:
    """What others do for instances: items for workers, and approvals for people."""

    def __init__(self, platform: Platform, log: EventLog, holdings: Holdings) -> None:
        database, signals, partitions = platform.database, platform.signals, holdings.tenure.epochs.keys
        items = Notices(database, signals, "work_item", partitions)
        settlements = Settlements(database)
        heartbeats = Heartbeats(database, SavedStates(platform.valkey))
        self.approvals = Notices(database, signals, "approval", partitions)
        self.dispatch = Dispatch(database, signals, settlements, heartbeats, items)
        self.functions: dict[str, Carrier] = {
            "task": WorkCalls(database, signals, items).carry_out,
            "approve": ApprovalCalls(platform, log, self.approvals).carry_out,
        }
        self.loops: list[Loop] = [
            settlements,
            heartbeats,
            self.dispatch,
            Lapses(database, signals, items),
            Removal("forgetting-work", database, work_items.forget, WORK_PAUSE_SECONDS),
            items,
            self.approvals,
            ApprovalTimes(platform, log, self.approvals),
        ]


class Events:
    """What instances hear and say."""

    def __init__(
        self, platform: Platform, settings: WorkflowSettings, holdings: Holdings, expressions: Expressions
    ) -> None:
        stream = Stream(platform.jetstream, EVENTS_STREAM, SUBJECTS, timedelta(days=settings.event_retention_days))
        keep = timedelta(seconds=settings.event_keep_seconds)
        self.intake = Intake(platform, Inbox(SCHEMA, "events"), Matching(platform.database, expressions), keep)
        self.receptions = (
            Reception("reception", self.intake, stream),
            Reception("run-reception", self.intake, Stream(platform.jetstream, RUNS_STREAM, RUN_SUBJECTS, None)),
        )
        self.publisher = Publisher(platform, stream)
        listening = Listening(platform, holdings, self.intake)
        self.carriers: Carriers = {
            Subscribe: listening.subscribe,
            Consume: listening.consume,
            Emit: Emitting(platform, holdings, self.intake).carry_out,
        }


async def compose(platform: Platform, settings: WorkflowSettings) -> Parts:
    """Put the service together, a room of the engine at a time."""
    log = EventLog(SCHEMA)
    checkpoints = Checkpoints(platform.valkey)
    storage = PostgresStorage(platform, log, checkpoints)
    sandbox = Sandbox(settings.sandbox_processes)
    expressions = Expressions(sandbox)
    definitions = Definitions(platform.database, sandbox)
    source = SecretSource(settings.secrets_directory, settings.secrets_prefix, os.environ)
    secrets = Secrets(source, definitions, Seals(platform.database).nonce)
    worker_id = uuid.uuid4()  # of this process and no other: never reused, so that a lease is never mistaken
    clock = Clock()
    holdings = Holdings(storage, worker_id, clock)
    writer = Writer(storage, holdings)

    circuit_states = CircuitStates(platform.valkey)
    circuits = Circuits(circuit_states)
    certificates = settings.certificates()
    remotes = _remotes(settings, circuits, certificates)
    calls = Calls(settings, secrets, circuits)
    work = Work(platform, log, holdings)
    events = Events(platform, settings, holdings, expressions)
    children = Children(platform, log, holdings)
    catalogue = Catalogue({**{name: remote.carry_out for name, remote in remotes.items()}, **work.functions})
    carriers: Carriers = {
        Evaluate: expressions.carry_out,
        Validate: Schemas(sandbox).carry_out,
        Invoke: catalogue.carry_out,
        RunWorkflow: children.carry_out,
        **calls.carriers,
        **events.carriers,
    }
    runs = RunFactory(definitions, Means(writer, platform.signals, carriers, holdings.confirm, clock), secrets)
    hand_over_seconds = settings.drain_seconds / 2  # the other half is for those that must be interrupted
    worker = Worker(storage, holdings, platform.signals, runs, settings.max_instances, hand_over_seconds)
    return Parts(
        servicers=[
            WorkflowServicer(platform, log, definitions),
            ReleaseServicer(platform, log),
            InstanceServicer(platform, log, definitions, CheckpointCalls(platform, storage, worker)),
            WorkerServicer(work.dispatch),
            ApprovalServicer(platform, log, work.approvals),
            CatalogueServicer(circuit_states, tuple(remotes)),
            EventServicer(events.intake),
        ],
        loops=[  # they drain from the last to the first: what saves and tells outlives what runs
            checkpoints,
            writer,
            *work.loops,
            events.publisher,
            worker,
            children,
            *events.receptions,
            Removal("forgetting-events", platform.database, events.intake.forget, EVENTS_PAUSE_SECONDS),
            Scheduler(platform, log),
            Canaries(platform, log),
            RunJobs(platform, log, definitions),
            Retention(platform.database, timedelta(days=settings.instance_retention_days)),
            *([certificates] if certificates else []),
        ],
        closers=[sandbox.close, *calls.closers, *(remote.close for remote in remotes.values())],
        keep_days=dict.fromkeys(("task_result", "task_progress"), settings.instance_retention_days),
    )


def _remotes(
    settings: WorkflowSettings, circuits: Circuits, certificates: Certificates | None
) -> dict[str, RemoteCalls]:
    """Give what carries out the functions of other services."""
    judgment = "MILLWRIGHT_WORKFLOW_JUDGMENT_ENDPOINT", settings.judgment_endpoint
    etl = "MILLWRIGHT_WORKFLOW_ETL_ENDPOINT", settings.etl_endpoint
    modules = "MILLWRIGHT_WORKFLOW_MODULES_ENDPOINT", settings.modules_endpoint
    places = (
        Remote("judge", *judgment, methods.JUDGE),
        Remote("rollback-ruleset", *judgment, methods.ROLLBACK_RULESET),
        Remote("run-pipeline", *etl, methods.RUN_PIPELINE),
        Remote("query-production", *etl, methods.QUERY_PRODUCTION),
        Remote("install-module", *modules, methods.INSTALL_MODULE),
    )
    identity, seconds = settings.identity(), settings.call_seconds
    return {place.function: RemoteCalls(place, circuits, identity, seconds, certificates) for place in places}


SERVICE = Service(
    name=SCHEMA, settings=WorkflowSettings, migrations=Path(__file__).parent / "migrations", compose=compose
)
