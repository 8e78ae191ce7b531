"""TLS and mTLS: who gets in, what rotates without a restart, and what a probe sees beside it."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from millwright.workflow.v1 import release_service_pb2 as release_pb
from millwright.workflow.v1 import release_service_pb2_grpc, workflow_service_pb2, workflow_service_pb2_grpc
from millwright_local.testing.certificates import Authority
from millwright_local.testing.refusals import refused
from millwright_runtime.api.peers import Peer
from millwright_runtime.api.server import ApiServer
from millwright_runtime.certificates import Certificates, CertificateUnusable, Files
from millwright_runtime.settings import PortTaken
from runtime_sample.service import SampleSettings

NAME = "millwright.workflow.v1.WorkflowService"
SECONDS = 10


class Workflows(workflow_service_pb2_grpc.WorkflowServiceServicer):
    """Answers at once; of `workflows/slow`, once the test lets it."""

    def __init__(self):
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def GetWorkflow(self, request, context):  # noqa: N802 - the contract names the methods
        if request.name == "workflows/slow":
            self.asked.set()
            await self.let.wait()
        return workflow_service_pb2.GetWorkflowResponse(workflow={"name": request.name})


class Releases(release_service_pb2_grpc.ReleaseServiceServicer):
    """Streams that say what the test says."""

    def __init__(self):
        self.said = asyncio.Queue()

    async def WatchReleases(self, request, context):  # noqa: N802 - the contract names the methods
        while True:
            yield release_pb.WatchReleasesResponse(sequence=await self.said.get())


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def issued(authority, tmp_path):
    """The service's certificate."""
    return authority.issue(tmp_path / "service")


@pytest.fixture
def settings(keys, issued):
    return SampleSettings(
        database_url="postgresql://nowhere",
        listen="127.0.0.1:0",
        health_listen="127.0.0.1:0",
        jwks=str(keys.jwks_file),
        jwt_issuer=keys.issuer,
        tls_certificate=issued.certificate,
        tls_key=issued.key,
    )


@pytest.fixture
def metadata(token):
    return (("authorization", f"Bearer {token(roles=['viewer'])}"),)


@asynccontextmanager
async def serving(settings):
    workflows, releases = Workflows(), Releases()
    server = ApiServer(settings, [workflows, releases])
    server.workflows, server.releases = workflows, releases
    await server.start()
    await server.set_serving(serving=True)
    try:
        yield server
    finally:
        await server.stop(0)


@asynccontextmanager
async def connected(server, ca, shown=None):
    """A connection of its own, trusting `ca`, showing what was `shown`."""
    shows = (shown.key.read_bytes(), shown.certificate.read_bytes()) if shown else (None, None)
    credentials = grpc.ssl_channel_credentials(ca.encode(), *shows)
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{server.port}", credentials, options=options) as channel:
        yield channel


async def get(channel, metadata, name="workflows/a"):
    stub = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
    request = workflow_service_pb2.GetWorkflowRequest(name=name)
    return (await stub.GetWorkflow(request, metadata=metadata, timeout=SECONDS)).workflow.name


async def code_of(call):
    """Give the code that a call ends with that does not reach our code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name


async def refused_by_tls(server, ca, metadata, shown=None):
    async with connected(server, ca, shown) as channel:
        return await code_of(get(channel, metadata)) == "UNAVAILABLE"


async def health(address, service):
    async with grpc.aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def test_a_client_that_trusts_its_authority_calls(settings, authority, metadata):
    async with serving(settings) as server, connected(server, authority.pem) as channel:
        assert await get(channel, metadata) == "workflows/a"


async def test_tls_is_no_token(settings, authority):
    async with serving(settings) as server, connected(server, authority.pem) as channel:
        assert (await refused(get(channel, ()))).reason == "TOKEN_MISSING"


async def test_a_client_of_another_authority_and_one_in_plaintext_do_not(settings, metadata):
    async with serving(settings) as server:
        assert await refused_by_tls(server, Authority("other").pem, metadata)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            assert await code_of(get(channel, metadata)) == "UNAVAILABLE"


async def test_where_clients_must_show_a_certificate_only_one_of_the_authority_lets_in(
    settings, authority, issued, tmp_path, metadata
):
    settings = settings.model_copy(update={"tls_client_ca": issued.ca})
    async with serving(settings) as server:
        assert await refused_by_tls(server, authority.pem, metadata)
        stranger = Authority("other").issue(tmp_path / "stranger")
        assert await refused_by_tls(server, authority.pem, metadata, stranger)
        known = authority.issue(tmp_path / "client", "worker")
        async with connected(server, authority.pem, known) as channel:
            assert await get(channel, metadata) == "workflows/a"


async def test_probes_in_plaintext_have_health_and_nothing_else(settings, issued, metadata):
    settings = settings.model_copy(update={"tls_client_ca": issued.ca})
    async with serving(settings) as server:
        address = f"127.0.0.1:{server.health_port}"
        assert await health(address, NAME) == "SERVING"
        await server.set_serving(serving=False)
        assert await health(address, NAME) == "NOT_SERVING"
        async with grpc.aio.insecure_channel(address) as channel:
            assert await code_of(get(channel, metadata)) == "UNIMPLEMENTED"


async def test_a_port_for_probes_that_is_taken_is_a_clear_error(settings):
    async with serving(settings) as server:
        taken = f"127.0.0.1:{server.health_port}"
        with pytest.raises(PortTaken, match=taken):
            await ApiServer(settings.model_copy(update={"health_listen": taken}), [Workflows()]).start()


async def test_a_key_that_does_not_fit_is_a_clear_error(settings, authority, issued, tmp_path):
    issued.key.write_bytes(authority.issue(tmp_path / "other").key.read_bytes())
    with pytest.raises(CertificateUnusable, match="is not the key of the certificate"):
        ApiServer(settings, [Workflows()])


async def test_certificates_rotate_under_calls_and_an_open_stream_and_none_of_them_fails(
    settings, authority, issued, metadata
):
    """New connections see the new authority's certificate; connections that are there do not notice."""
    newer = Authority("newer")
    async with serving(settings) as server, connected(server, authority.pem) as old:
        stream = release_service_pb2_grpc.ReleaseServiceStub(old).WatchReleases(
            release_pb.WatchReleasesRequest(), metadata=metadata
        )
        server.releases.said.put_nowait(1)
        assert (await stream.read()).sequence == 1
        stopped = asyncio.Event()
        calling = asyncio.create_task(keep_calling(old, metadata, stopped))

        newer.issue(issued.certificate.parent)
        await server.certificates.refresh()
        async with connected(server, newer.pem) as new:
            assert await get(new, metadata) == "workflows/a"
        assert await refused_by_tls(server, authority.pem, metadata)
        server.releases.said.put_nowait(2)
        assert (await stream.read()).sequence == 2
        stopped.set()
        assert await calling > 0
        stream.cancel()


async def keep_calling(channel, metadata, stopped):
    """Call until told; give how many there were. Raises if one fails."""
    calls = 0
    while not stopped.is_set():
        await get(channel, metadata)
        calls += 1
    return calls


async def test_a_broken_pair_keeps_the_old_one_in_use(settings, authority, issued, metadata):
    async with serving(settings) as server:
        issued.certificate.write_text("broken")
        for _ in range(2):
            await server.certificates.refresh()
        async with connected(server, authority.pem) as channel:
            assert await get(channel, metadata) == "workflows/a"


async def test_new_authorities_of_clients_let_theirs_in_and_the_old_ones_out(
    settings, authority, issued, tmp_path, metadata
):
    newer = Authority("newer")
    settings = settings.model_copy(update={"tls_client_ca": tmp_path / "clients.pem"})
    settings.tls_client_ca.write_text(authority.pem)
    known, next_one = authority.issue(tmp_path / "known"), newer.issue(tmp_path / "next")
    async with serving(settings) as server:
        assert await refused_by_tls(server, authority.pem, metadata, next_one)
        settings.tls_client_ca.write_text(newer.pem)
        await server.certificates.refresh()
        async with connected(server, authority.pem, next_one) as channel:
            assert await get(channel, metadata) == "workflows/a"
        assert await refused_by_tls(server, authority.pem, metadata, known)


async def test_a_peer_shows_its_newest_certificate_and_trusts_the_newest_authorities(
    settings, authority, issued, tmp_path, metadata
):
    settings = settings.model_copy(update={"tls_client_ca": issued.ca})
    own = authority.issue(tmp_path / "caller")
    async with serving(settings) as server:
        certificates = Certificates("call", Files(own.certificate, own.key, own.ca))
        peer = Peer(f"127.0.0.1:{server.port}", certificates, SECONDS)
        first = peer.channel()
        assert await get(first, metadata) == "workflows/a"
        assert peer.channel() is first

        newer = Authority("newer")
        newer.issue(issued.certificate.parent)
        newer.issue(own.certificate.parent)
        await server.certificates.refresh()
        under_way = asyncio.create_task(get(first, metadata, "workflows/slow"))
        await server.workflows.asked.wait()
        await certificates.refresh()
        assert await get(peer.channel(), metadata) == "workflows/a"
        assert peer.channel() is not first
        server.workflows.let.set()
        assert await under_way == "workflows/slow"
        await peer.close()
