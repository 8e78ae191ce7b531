"""The server answers health truthfully, describes itself, and owns its port."""

import asyncio
import json
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from millwright.workflow.v1 import workflow_service_pb2, workflow_service_pb2_grpc
from millwright_local.testing.refusals import refused
from millwright_runtime.api.server import ApiServer
from millwright_runtime.api.servicers import NoServicer
from millwright_runtime.errors import NotFound
from millwright_runtime.settings import PortTaken
from runtime_sample.service import SampleSettings

NAME = "millwright.workflow.v1.WorkflowService"
BUF = Path(sys.executable).with_name("buf")


class WorkflowNotFound(NotFound):
    """The workflow {name} does not exist."""


class Workflows(workflow_service_pb2_grpc.WorkflowServiceServicer):
    async def GetWorkflow(self, request, context):  # noqa: N802 - the contract names the methods
        if request.name == "workflows/none":
            raise WorkflowNotFound(name=request.name)
        return workflow_service_pb2.GetWorkflowResponse(workflow={"name": request.name})


@pytest.fixture
def settings(keys):
    return SampleSettings(
        database_url="postgresql://nowhere",
        listen="127.0.0.1:0",
        jwks=str(keys.jwks_file),
        jwt_issuer=keys.issuer,
        max_message_bytes=4 * 1024 * 1024,
    )


def build(settings):
    return ApiServer(settings, [Workflows()])


@pytest.fixture
async def server(settings):
    server = build(settings)
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def channel(server):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


@pytest.fixture
def metadata(token):
    return (("authorization", f"Bearer {token(roles=['viewer'])}"),)


async def health(channel, name):
    request = health_pb2.HealthCheckRequest(service=name)
    answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def get_workflow(channel, metadata, name="workflows/a"):
    stub = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
    return await stub.GetWorkflow(workflow_service_pb2.GetWorkflowRequest(name=name), metadata=metadata)


def test_what_extends_no_generated_servicer_is_not_served(settings):
    with pytest.raises(NoServicer, match="object"):
        ApiServer(settings, [object()])


async def test_a_server_that_starts_is_alive_and_does_not_serve(server, channel, metadata):
    assert await health(channel, "") == "SERVING"
    assert await health(channel, NAME) == "NOT_SERVING"
    assert (await refused(get_workflow(channel, metadata))).reason == "STARTING"


async def test_a_server_that_can_be_used_serves(server, channel, metadata):
    await server.set_serving(serving=True)
    assert await health(channel, NAME) == "SERVING"
    assert (await get_workflow(channel, metadata)).workflow.name == "workflows/a"


async def test_a_server_that_leaves_says_so_and_still_serves(server, channel, metadata):
    await server.set_serving(serving=True)
    await server.leave()
    await server.set_serving(serving=True)  # a late word of the health loop
    assert await health(channel, NAME) == "NOT_SERVING"
    assert (await get_workflow(channel, metadata)).workflow.name == "workflows/a"


async def test_health_of_a_service_that_is_not_ours_is_not_found(server, channel):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(channel, "somebody.else")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_the_limit_on_a_request_is_the_setting(server, channel, metadata):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get_workflow(channel, metadata, "x" * 8_400_000)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_port_that_is_taken_is_a_clear_error(server, settings):
    second = build(settings.model_copy(update={"listen": f"127.0.0.1:{server.port}"}))
    with pytest.raises(PortTaken, match=f"cannot listen on 127.0.0.1:{server.port}: another process does"):
        await second.start()


async def buf_curl(*arguments):
    """Run `buf curl` and give its exit code, standard output and standard error."""
    command = [BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.parametrize("reflection", ["grpc-v1", "grpc-v1alpha"])
async def test_a_client_with_reflection_alone_lists_and_calls(server, metadata, reflection):
    await server.set_serving(serving=True)
    address = f"http://127.0.0.1:{server.port}"
    _, listed, _ = await buf_curl("--reflect-protocol", reflection, "--list-methods", address)
    assert f"{NAME}/GetWorkflow" in listed.splitlines()
    assert "grpc.health.v1.Health/Check" in listed.splitlines()
    code, output, errors = await buf_curl(
        *("--reflect-protocol", reflection, "-H", f"authorization: {metadata[0][1]}"),
        *("-d", '{"name": "workflows/a"}', f"{address}/{NAME}/GetWorkflow"),
    )
    assert code == 0, errors
    assert json.loads(output) == {"workflow": {"name": "workflows/a"}}


async def test_a_client_with_reflection_alone_reads_the_details_of_an_error(server, channel, metadata):
    await server.set_serving(serving=True)
    asked = iter([reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME)])
    answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked)
    files = (await answers.read()).file_descriptor_response.file_descriptor_proto
    files = {file.name: file for file in map(descriptor_pb2.FileDescriptorProto.FromString, files)}
    pool = descriptor_pool.DescriptorPool()
    pool.Add(files["google/protobuf/duration.proto"])
    pool.Add(files["google/rpc/error_details.proto"])
    error_info = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.ErrorInfo"))
    refusal = await refused(get_workflow(channel, metadata, "workflows/none"))
    read = error_info.FromString(refusal.info.SerializeToString())
    assert (read.reason, dict(read.metadata)) == ("WORKFLOW_NOT_FOUND", {"name": "workflows/none"})
