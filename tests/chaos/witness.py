"""Reads what the services hold after a run: over their own APIs, and where those do not tell it, from the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from millwright.etl.v1.pipeline_service_pb2 import ListRunsRequest
from millwright.etl.v1.production_service_pb2 import (
    MEASURE_TOTAL_QTY,
    MEASURE_WORK_ORDERS,
    ProductionFilter,
    QueryProductionRequest,
)
from millwright.judgment.v1.judgment_service_pb2 import ListExecutionsRequest
from millwright.judgment.v1.release_pb2 import Release as RulesetRelease
from millwright.judgment.v1.release_service_pb2 import ListReleasesRequest as ListRulesetReleasesRequest
from millwright.judgment.v1.replay_service_pb2 import ListReplaysRequest
from millwright.judgment.v1.ruleset_service_pb2 import ListVersionsRequest as ListRulesetVersionsRequest
from millwright.modules.v1.module_pb2 import Activation
from millwright.modules.v1.module_service_pb2 import GetModuleRequest, ListActivationsRequest, ListOperationsRequest
from millwright.workflow.v1.approval_service_pb2 import Approval, ListApprovalsRequest
from millwright.workflow.v1.instance_service_pb2 import ListInstancesRequest
from millwright.workflow.v1.release_pb2 import Release
from millwright.workflow.v1.release_service_pb2 import ListReleasesRequest
from millwright.workflow.v1.workflow_service_pb2 import ListVersionsRequest
from millwright_local.databases import DATABASE
from millwright_local.etl_client import EtlClient
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.processes import until
from millwright_local.services import SERVICES
from millwright_local.workflow_client import WorkflowClient

from tests.chaos.book import Book
from tests.chaos.caller import Caller
from tests.chaos.checker import Cancelled
from tests.chaos.load.crossing import MODULE as CROSSING_MODULE
from tests.chaos.load.crossing import WORKFLOW as CROSSING
from tests.chaos.load.inspections import WORKFLOW as INSPECTION
from tests.chaos.load.judgment import RULESET
from tests.chaos.load.modules import CODES
from tests.chaos.load.workflow import WORKFLOW
from tests.chaos.world import World

PAGE = 500
_CANCELLED = """
SELECT instance, cancel_reason AS reason, state, end_time FROM workflow.instance WHERE cancel_reason IS NOT NULL
"""
OUTBOX_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """What is there."""

    names: dict[str, list[str]]
    """By kind, what acknowledged calls have made."""
    requesters: dict[str, str]
    """By run and operation: the instance that asked for it, of those that instances asked for."""
    cancelled: dict[str, Cancelled]
    """By instance, of those that were to be cancelled."""
    ruleset_moves: list[RulesetRelease]
    installs: list[str]
    """The operation of each activation that an install made."""
    live: dict[str, str]
    """By module, the version that is live."""
    rows: int
    pieces: float
    outboxes: dict[str, int]
    """By service, the events that are not published."""


class Witness:
    """Reads from one replica of each service or the other."""

    def __init__(self, world: World, book: Book) -> None:
        self._world = world
        chance = Random("witness")
        self._workflow = Caller(book, "workflow", world.clients("workflow", WorkflowClient), chance)
        self._judgment = Caller(book, "judgment", world.clients("judgment", JudgmentClient), chance)
        self._etl = Caller(book, "etl", world.clients("etl", EtlClient), chance)
        self._modules = Caller(book, "modules", world.clients("modules", ModulesClient), chance)

    async def read(self) -> Held:
        """Read all of it, once the outboxes are empty or have had their time."""
        outboxes = await self._drained_outboxes()
        activations = [it for code in CODES for it in await self._activations(code)]
        rows, pieces = await self._production()
        runs = {it.name: it.requester async for it in self._pages(self._etl, _list_runs, "runs")}
        operations = {it.name: it.requester async for it in self._pages(self._modules, _list_operations, "operations")}
        return Held(
            names={
                **await self._workflow_names(),
                **await self._judgment_names(),
                "run": [name for name, requester in runs.items() if not _is_instance(requester)],
                "operation": [name for name, requester in operations.items() if not _is_instance(requester)],
                "module of workflows": [it.to_version for it in await self._activations(CROSSING_MODULE)],
                "module rollback": [it.name for it in activations if it.kind == Activation.KIND_ROLLBACK],
            },
            requesters={name: it for name, it in {**runs, **operations}.items() if _is_instance(it)},
            cancelled=await self._cancelled(),
            ruleset_moves=[it async for it in self._pages(self._judgment, _list_ruleset_releases, "releases")],
            installs=[it.operation for it in activations if it.kind != Activation.KIND_ROLLBACK],
            live={code: await self._live(code) for code in CODES},
            rows=rows,
            pieces=pieces,
            outboxes=outboxes,
        )

    async def _workflow_names(self) -> dict[str, list[str]]:
        releases = [it async for it in self._pages(self._workflow, _list_releases, "releases")]
        return {
            "instance": [it.name async for it in self._pages(self._workflow, _list_instances(WORKFLOW), "instances")],
            "crossing": [it.name async for it in self._pages(self._workflow, _list_instances(CROSSING), "instances")],
            "inspection": [
                it.name async for it in self._pages(self._workflow, _list_instances(INSPECTION), "instances")
            ],
            "approval": [it.name async for it in self._pages(self._workflow, _list_approved, "approvals")],
            "workflow version": [
                str(it.number) async for it in self._pages(self._workflow, _list_versions, "versions")
            ],
            "workflow release": [it.name for it in releases if it.operation != Release.OPERATION_PUBLISH],
        }

    async def _judgment_names(self) -> dict[str, list[str]]:
        releases = [it async for it in self._pages(self._judgment, _list_ruleset_releases, "releases")]
        return {
            "execution": [it.name async for it in self._pages(self._judgment, _list_executions, "executions")],
            "replay": [it.name async for it in self._pages(self._judgment, _list_replays, "replays")],
            "ruleset version": [
                it.name async for it in self._pages(self._judgment, _list_ruleset_versions, "versions")
            ],
            "ruleset release": [it.name for it in releases if it.operation != RulesetRelease.OPERATION_PUBLISH],
        }

    async def _cancelled(self) -> dict[str, Cancelled]:
        async with self._world.postgres.connect(DATABASE) as connection:
            rows = await connection.fetch(_CANCELLED)
        return {f"instances/{it['instance']}": Cancelled(it["reason"], it["state"], it["end_time"]) for it in rows}

    async def _activations(self, code: str) -> list[Activation]:
        def ask(token: str) -> Any:
            return ListActivationsRequest(module=f"modules/{code}", page_size=PAGE, page_token=token)

        method = (lambda client: client.modules.ListActivations, ask)
        return [it async for it in self._pages(self._modules, method, "activations")]

    async def _live(self, code: str) -> str:
        request = GetModuleRequest(name=f"modules/{code}")
        answer = await self._modules.read(lambda client: client.modules.GetModule, request)
        return str(answer.module.active_version)

    async def _production(self) -> tuple[int, float]:
        """Give the rows and the pieces that are in facts."""
        client = self._etl.any_client()
        asking = QueryProductionRequest(
            filter=ProductionFilter(from_date="2020-01-01", to_date="2029-12-31"),
            measures=[MEASURE_WORK_ORDERS, MEASURE_TOTAL_QTY],
        )
        answers = [it async for it in client.stream(client.production.QueryProduction, asking)]
        (row,) = (row for answer in answers for row in answer.rows)
        rows, pieces = (it.value for it in row.values)
        return int(rows), pieces

    async def _drained_outboxes(self) -> dict[str, int]:
        """Wait until every event is published, and give what is left."""
        left: dict[str, int] = {}

        async def are_empty() -> bool:
            left.update(await self._outboxes())
            return not any(left.values())

        with suppress(TimeoutError):
            await until(are_empty, OUTBOX_SECONDS, poll_seconds=0.5)
        return left

    async def _outboxes(self) -> dict[str, int]:
        async with self._world.postgres.connect(DATABASE) as connection:
            return {it.name: await connection.fetchval(f"SELECT count(*) FROM {it.name}.outbox") for it in SERVICES}

    async def _pages(self, caller: Caller[Any], listing: Listing, field: str) -> AsyncIterator[Any]:
        method, ask = listing
        token = ""
        while True:
            answer = await caller.read(method, ask(token))
            for item in getattr(answer, field):
                yield item
            token = answer.next_page_token
            if not token:
                return


Listing = tuple[Callable[[Any], Any], Callable[[str], Any]]
"""A method that lists, and what makes the request of the page after a token."""


def _list_instances(workflow: str) -> Listing:
    return (
        lambda client: client.instances.ListInstances,
        lambda token: ListInstancesRequest(workflow=workflow, page_size=PAGE, page_token=token),
    )


def _is_instance(requester: str) -> bool:
    return requester.startswith("instances/")


_list_versions: Listing = (
    lambda client: client.workflows.ListVersions,
    lambda token: ListVersionsRequest(workflow=WORKFLOW, page_size=PAGE, page_token=token),
)
_list_approved: Listing = (
    lambda client: client.approvals.ListApprovals,
    lambda token: ListApprovalsRequest(states=[Approval.STATE_APPROVED], page_size=PAGE, page_token=token),
)
_list_releases: Listing = (
    lambda client: client.releases.ListReleases,
    lambda token: ListReleasesRequest(workflow=WORKFLOW, page_size=PAGE, page_token=token),
)
_list_executions: Listing = (
    lambda client: client.judgments.ListExecutions,
    lambda token: ListExecutionsRequest(page_size=PAGE, page_token=token),
)
_list_replays: Listing = (
    lambda client: client.replays.ListReplays,
    lambda token: ListReplaysRequest(page_size=PAGE, page_token=token),
)
_list_ruleset_versions: Listing = (
    lambda client: client.rulesets.ListVersions,
    lambda token: ListRulesetVersionsRequest(ruleset=RULESET, page_size=PAGE, page_token=token),
)
_list_ruleset_releases: Listing = (
    lambda client: client.releases.ListReleases,
    lambda token: ListRulesetReleasesRequest(ruleset=RULESET, page_size=PAGE, page_token=token),
)
_list_runs: Listing = (
    lambda client: client.pipelines.ListRuns,
    lambda token: ListRunsRequest(page_size=PAGE, page_token=token),
)
_list_operations: Listing = (
    lambda client: client.modules.ListOperations,
    lambda token: ListOperationsRequest(page_size=PAGE, page_token=token),
)
