"""The workflow service: its instances, what waits for a person, and its releases."""

from collections.abc import Iterable

from millwright.workflow.v1 import (
    approval_service_pb2,
    approval_service_pb2_grpc,
    instance_service_pb2,
    instance_service_pb2_grpc,
    release_pb2,
    release_service_pb2,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from millwright.workflow.v1.approval_service_pb2 import Approval
from millwright.workflow.v1.instance_pb2 import Instance
from rich.text import Text

from millwright_cli.drawing import clean, marked
from millwright_cli.session import Session
from millwright_cli.watch.news import Look, News, ReleaseLogs, Thing
from millwright_cli.watch.sources.asking import ALL, NEWEST, titled
from millwright_cli.workflow import moves
from millwright_cli.workflow.views import instance as instance_views
from millwright_cli.workflow.views import release as release_views

_OPEN = (Instance.STATE_PENDING, Instance.STATE_RUNNING, Instance.STATE_PAUSED, Instance.STATE_COMPENSATING)


class Workflow:
    """Looks at the workflow service."""

    service = moves.SERVICE.name

    def __init__(self, session: Session) -> None:
        self._connection, self._releases = moves.connect(session)
        self._say = session.say.of(moves.SERVICE.words)
        channel = self._connection.channel
        self._instances = instance_service_pb2_grpc.InstanceServiceStub(channel)
        self._approvals = approval_service_pb2_grpc.ApprovalServiceStub(channel)
        self._workflows = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
        self._logs = ReleaseLogs[release_pb2.Release]()

    def look(self) -> Look:
        """Ask for instances, for approvals that wait, and for what releases there were."""
        things = [*map(self._instance, self._list_instances()), *map(self._approval, self._list_approvals())]
        asked = workflow_service_pb2.ListWorkflowsRequest(page_size=ALL)
        workflows = self._connection.call(self._workflows.ListWorkflows, asked).workflows
        grown = self._logs.grown({it.name: it.latest_revision for it in workflows}, self._read_releases)
        return Look(
            things, [News.of(titled(release_views.release_line(it, self._say), name), it) for name, it in grown]
        )

    def _list_instances(self) -> Iterable[Instance]:
        request = instance_service_pb2.ListInstancesRequest(page_size=NEWEST)
        newest = self._connection.call(self._instances.ListInstances, request).instances
        request.states.extend(_OPEN)
        still_open = self._connection.call(self._instances.ListInstances, request).instances
        return {it.name: it for it in (*still_open, *newest)}.values()

    def _list_approvals(self) -> Iterable[Approval]:
        request = approval_service_pb2.ListApprovalsRequest(page_size=NEWEST)
        return self._connection.call(self._approvals.ListApprovals, request).approvals

    def _read_releases(self, workflow: str, count: int) -> Iterable[release_pb2.Release]:
        request = release_service_pb2.ListReleasesRequest(workflow=workflow, page_size=count)
        return self._connection.call(self._releases.ListReleases, request).releases

    def _instance(self, it: Instance) -> Thing:
        line = titled(instance_views.progress(it, self._say), it.workflow, it.name)
        return Thing(it.name, Instance.State.Name(it.state), it.state in _OPEN, line, it)

    def _approval(self, it: Approval) -> Thing:
        state = Approval.State.Name(it.state)
        line = Text.assemble(marked(state, self._say), f"  {clean(it.title)}  ", (clean(it.role), "dim"))
        return Thing(it.name, state, it.state == Approval.STATE_WAITING, titled(line, it.name), it)

    def _release(self, name: str, it: release_pb2.Release) -> News:
        return News.of(titled(release_views.release_line(it, self._say), name), it)
