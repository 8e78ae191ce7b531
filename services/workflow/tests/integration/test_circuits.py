"""Circuits are shared by replicas through Valkey, work without it, and are shown; and the carrier that they guard."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import pytest
from aiohttp import web as web_server
from grpc_health.v1 import health_pb2, health_pb2_grpc
from millwright.workflow.v1 import catalogue_service_pb2 as pb
from millwright_runtime.api.identity import Identity, read_key
from millwright_runtime.valkey import Valkey
from millwright_workflow.app import SERVICE
from millwright_workflow.domain.circuit import FAILURES_TO_OPEN, State
from millwright_workflow.domain.interpreter import TaskReference, WorkflowFault
from millwright_workflow.domain.interpreter import errors as faults
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.engine.catalogue.circuits import Circuits
from millwright_workflow.engine.catalogue.remote import Method, Remote, RemoteCalls
from millwright_workflow.store.circuits import CircuitStates
from workflow_rig.client import Instance
from workflow_rig.definitions import get

INSTANCE = uuid.UUID(int=7)
NOWHERE = "redis://127.0.0.1:1/0"
CHECK = Method(
    contract="grpc_health.v1.health_pb2",
    path="grpc.health.v1.Health/Check",
    request=lambda _, arguments, __: arguments,
    output=lambda _, __, answer: answer,
)


@pytest.fixture(scope="module")
def settings(urls, service_settings):
    """The settings of a service that guards HTTP calls, too."""
    return service_settings(SERVICE, urls.service, http_circuits=True)


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["with Valkey", "without"])
async def states(request, valkey):
    """Circuits as one process has them."""
    client = Valkey(valkey.url if request.param == "with Valkey" else NOWHERE)
    yield CircuitStates(client)
    await client.close()


async def breaking():
    raise faults.communication("/do/0", "down", 503)


async def refused_by(circuits, tenant, operation=breaking, name="press"):
    """Call something that fails, and give the detail of the fault."""
    with pytest.raises(WorkflowFault) as caught:
        await circuits.call(tenant, name, "/do/0", operation)
    return caught.value.error.detail


async def test_failures_in_a_row_open_a_circuit_and_further_calls_are_refused_unsent(states, tenant):
    circuits = Circuits(states)
    for _ in range(FAILURES_TO_OPEN):
        assert await refused_by(circuits, tenant) == "down"
    assert (await states.get(tenant, "press")).state is State.OPEN
    assert "The circuit of press is open" in await refused_by(circuits, tenant)
    assert await circuits.call(tenant, "lathe", "/do/0", _fine) == "fine"  # each has its own


async def test_what_one_replica_has_learned_another_knows(valkey, tenant):
    one, other = Valkey(valkey.url), Valkey(valkey.url)
    for _ in range(FAILURES_TO_OPEN):
        await refused_by(Circuits(CircuitStates(one)), tenant)
    assert "is open" in await refused_by(Circuits(CircuitStates(other)), tenant)
    await one.close()
    await other.close()


async def test_failures_that_come_at_the_same_time_are_all_counted(valkey, tenant):
    clients = [Valkey(valkey.url) for _ in range(4)]
    await asyncio.gather(*(refused_by(Circuits(CircuitStates(client)), tenant) for client in clients))
    assert (await CircuitStates(clients[0]).get(tenant, "press")).failures == 4
    for client in clients:
        await client.close()


async def test_a_refusal_of_the_other_side_is_no_failure_of_its(states, tenant):
    async def refuse():
        raise faults.communication("/do/0", "no such thing", 404)

    circuits = Circuits(states)
    for _ in range(FAILURES_TO_OPEN + 1):
        assert await refused_by(circuits, tenant, refuse) == "no such thing"


async def _fine():
    return "fine"


class Health(health_pb2_grpc.HealthServicer):
    """A service that is away a few times, and keeps what it was told."""

    def __init__(self):
        self.away = 0
        self.metadata = []
        self.requests = []

    def Check(self, request, context):  # noqa: N802 - as gRPC has it
        self.metadata.append(dict(context.invocation_metadata()))
        self.requests.append(request)
        if len(self.metadata) <= self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if request.service == "nothing":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@pytest.fixture
def remote():
    """A real server of another service, by a contract that is installed."""
    server = grpc.server(ThreadPoolExecutor(2))
    health = Health()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield health
    server.stop(None).wait()


@pytest.fixture
async def invoke(states, keys):
    """Give a function that calls a remote function."""
    identity = Identity(read_key(keys.private_file), keys.issuer, keys.audience)
    opened = []

    async def call(endpoint, function=None, **arguments):
        place = Remote(function or f"check-{uuid.uuid4().hex}", "MILLWRIGHT_WORKFLOW_CHECK_ENDPOINT", endpoint, CHECK)
        opened.append(RemoteCalls(place, Circuits(states), identity, 5.0))
        instance = SimpleNamespace(instance=INSTANCE, tenant="plant-a")
        caller = SimpleNamespace(instance=instance, confirm=lambda: asyncio.sleep(0))
        return await opened[-1].carry_out(caller, Invoke(TaskReference("/do/0/check"), place.function, arguments))

    yield call
    for calls in opened:
        await calls.close()


async def test_arguments_become_the_request_and_the_answer_the_output(invoke, remote):
    assert await invoke(remote.endpoint, service="press") == {"status": "SERVING"}
    assert remote.requests[0].service == "press"


async def test_a_service_that_is_away_is_called_again_with_the_same_key(invoke, remote):
    remote.away = 2
    assert await invoke(remote.endpoint) == {"status": "SERVING"}
    assert [each["idempotency-key"] for each in remote.metadata] == [f"{INSTANCE}/do/0/check"] * 3


async def fault_of(call):
    with pytest.raises(WorkflowFault) as caught:
        await call
    return caught.value.error


async def test_what_it_refuses_is_a_communication_fault(invoke, remote):
    error = await fault_of(invoke(remote.endpoint, service="nothing"))
    assert (error.type, error.status) == (f"{faults.TYPES}communication", 404)


async def test_a_service_that_stays_away_opens_its_circuit(invoke, remote):
    remote.away, function = 100, f"check-{uuid.uuid4().hex}"
    for _ in range(FAILURES_TO_OPEN):
        assert (await fault_of(invoke(remote.endpoint, function=function))).status == 503
    sent = len(remote.requests)
    assert "is open" in (await fault_of(invoke(remote.endpoint, function=function))).detail
    assert len(remote.requests) == sent


async def test_what_has_no_endpoint_is_a_configuration_fault_that_says_why(invoke):
    error = await fault_of(invoke(None))
    assert error.type == f"{faults.TYPES}configuration"
    assert "MILLWRIGHT_WORKFLOW_CHECK_ENDPOINT does not say" in error.detail


async def test_arguments_that_do_not_fit_are_a_validation_fault(invoke, remote):
    assert (await fault_of(invoke(remote.endpoint, colour="red"))).type == f"{faults.TYPES}validation"


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        ("judge", {"ruleset": "quality.lots"}, "MILLWRIGHT_WORKFLOW_JUDGMENT_ENDPOINT does not say"),
        ("run-pipeline", {"pipeline": "daily"}, "MILLWRIGHT_WORKFLOW_ETL_ENDPOINT does not say"),
        (
            "query-production",
            {"from": "2026-11-01", "to": "2026-11-01", "measures": ["yield"]},
            "MILLWRIGHT_WORKFLOW_ETL_ENDPOINT does not say",
        ),
        (
            "rollback-ruleset",
            {"ruleset": "quality.lots", "reason": "too strict"},
            "MILLWRIGHT_WORKFLOW_JUDGMENT_ENDPOINT does not say",
        ),
    ],
)
async def test_functions_of_services_that_cannot_be_called_say_so(client, function, arguments, said):
    await client.release([{"ask": {"call": function, "with": arguments}}])
    ended = await client.run()
    assert ended.state == Instance.STATE_FAULTED
    assert ended.error.type.endswith("/errors/configuration")
    assert said in ended.error.detail


async def test_the_circuits_of_the_catalogue_are_listed_also_while_all_is_well(client):
    circuits = (await client.ListCircuits()).circuits
    assert [circuit.name for circuit in circuits] == sorted(circuit.name for circuit in circuits)
    states = {circuit.name: circuit.state for circuit in circuits}
    assert (states["judge"], states["run-pipeline"]) == (pb.Circuit.STATE_CLOSED, pb.Circuit.STATE_CLOSED)


async def test_a_host_that_keeps_failing_is_left_alone_if_wanted(client, stranger, web):
    url = web.answer("/press", lambda _: web_server.Response(status=500))
    host = url.removeprefix("http://").partition("/")[0]
    await client.release([get(url)])
    details = [(await client.run()).error.detail for _ in range(FAILURES_TO_OPEN + 2)]
    assert len(web.hits["/press"]) == FAILURES_TO_OPEN
    assert f"The circuit of {host} is open" in details[-1]
    [circuit] = [each for each in (await client.ListCircuits()).circuits if each.name == host]
    assert (circuit.state, circuit.failures) == (pb.Circuit.STATE_OPEN, FAILURES_TO_OPEN)
    assert circuit.HasField("retry_time")
    assert host not in [each.name for each in (await stranger.ListCircuits()).circuits]
