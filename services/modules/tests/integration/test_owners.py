"""What a module brings is checked by the real services that own it: what they refuse, and what if they are away."""

import json
import random
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from millwright.judgment.v1 import judgment_service_pb2, ruleset_service_pb2
from millwright.workflow.v1 import workflow_service_pb2
from millwright_judgment.app import SERVICE as JUDGMENT
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.service_process import ServiceProcess
from millwright_local.services import named
from millwright_local.testing.certificates import Authority
from millwright_local.testing.client import ContractClient, rpcs_of
from millwright_modules.app import SERVICE
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE as WORKFLOW
from module_samples.packages import archive, files
from modules_rig.client import MODULE, stage

EXAMPLE = Path(__file__).parents[4] / "examples/modules/quality-analytics"
RULESET, FLOW = "rulesets/lot.json", "workflows/review-lot.yaml"
GOOD = {path: (EXAMPLE / path).read_bytes() for path in (RULESET, FLOW)}
NOBODY = "127.0.0.1:9"
BAD_FLOW = GOOD[FLOW].replace(b"then: review", b"then: nowhere")


class OwnersClient(ContractClient):
    """Calls the services that own documents."""

    rpcs = rpcs_of((ruleset_service_pb2, judgment_service_pb2))


class Flows(ContractClient):
    """Calls the workflow service."""

    rpcs = rpcs_of((workflow_service_pb2,))


def bringing(version="1.0.0", **documents):
    """A package without a page that brings a ruleset and a workflow; `documents` take their places."""
    brought = GOOD | {path: documents[key] for key, path in (("ruleset", RULESET), ("flow", FLOW)) if key in documents}
    backend = {"rulesets": [RULESET], "workflows": [FLOW]}
    return archive(files(version=version, frontend=None, backend=backend) | brought)


def bad_ruleset():
    """The ruleset of the example, with a field that no input has, and a cell that does not parse."""
    ruleset = json.loads(GOOD[RULESET])
    table = next(node for node in ruleset["decision"]["nodes"] if node["type"] == "decisionTableNode")["content"]
    table["inputs"][0]["field"] = "defects"
    return json.dumps(ruleset).encode()


@pytest.fixture(scope="module")
async def processes(service_databases, service_settings, tmp_path_factory):
    """The judgment and the workflow service, as processes."""
    async with service_databases.fresh(JUDGMENT) as judgment_urls, service_databases.fresh(WORKFLOW) as workflow_urls:
        owners = {}
        for service, urls in ((JUDGMENT, judgment_urls), (WORKFLOW, workflow_urls)):
            settings = service_settings(service, urls.service)
            owners[service.name] = ServiceProcess(
                named(service.name),
                tmp_path_factory.mktemp(service.name) / "log",
                {
                    "DATABASE_URL": urls.service,
                    "NATS_URL": settings.nats_url.get_secret_value(),
                    "VALKEY_URL": settings.valkey_url.get_secret_value(),
                    "JWKS": settings.jwks,
                    "JWT_ISSUER": settings.jwt_issuer,
                    "JWT_AUDIENCE": settings.jwt_audience,
                    **{key: f"{LOOPBACK}:{find_free_port()}" for key in ("LISTEN", "METRICS_LISTEN")},
                },
            )
            await owners[service.name].start()
        yield owners
        for process in owners.values():
            await process.stop()


@pytest.fixture
async def owners(processes):
    """The services for a test that may stop or freeze them: afterwards they are brought back."""
    yield processes
    for process in processes.values():
        process.thaw()
        if not process.process.is_running:
            await process.start()


@pytest.fixture
def asking(owners, service_databases, service_settings, connected, keys, tmp_path):
    """Open a client of a modules service that knows the owners; `changes` are settings of it."""

    @asynccontextmanager
    async def asking(tls=None, **changes):
        async with service_databases.fresh(SERVICE) as urls:
            known = {f"{name}_endpoint": process.address for name, process in owners.items()}
            known |= {"signing_key": keys.private_file, "work_directory": tmp_path}
            settings = service_settings(SERVICE, urls.service, **(known | changes))
            async with running(SERVICE, settings) as service, connected(service, tls=tls) as client:
                yield client

    return asking


@asynccontextmanager
async def owner_client(kind, process, token, tenant):
    """A client of an owner, in a tenant."""
    async with grpc.aio.insecure_channel(process.address) as channel:
        yield kind(channel, token(tenant=tenant, roles=("admin",)), tenant)


async def planned(client, package):
    """The problems that a plan for a package shows."""
    return (await client.PlanChange(install=await client.upload(package))).problems


def told(problems):
    """What problems are, and of what; that the package is not signed is not of interest."""
    return {(problem.reason, problem.path) for problem in of_owners(problems)}


def of_owners(problems):
    """The problems that owners have to do with."""
    return [problem for problem in problems if problem.reason != "UNSIGNED"]


async def test_what_the_owners_take_is_installed_and_published_by_nobody(asking, owners, token):
    async with asking() as client:
        assert not await planned(client, bringing())
        assert not told((await client.installed(bringing())).problems)
        async with owner_client(OwnersClient, owners["judgment"], token, client.tenant) as judgment:
            assert not (await judgment.ListRulesets()).rulesets
        async with owner_client(Flows, owners["workflow"], token, client.tenant) as workflow:
            assert not (await workflow.ListWorkflows()).workflows


async def test_what_they_refuse_is_told_file_by_file_in_both_languages(asking):
    package = bringing(ruleset=bad_ruleset(), flow=BAD_FLOW)
    async with asking() as client:
        operation = await client.install(package)
        assert stage(operation) == "FAILED"
        assert told(operation.problems) == {("DOCUMENT_REFUSED", RULESET), ("DOCUMENT_REFUSED", FLOW)}
        flow = next(problem for problem in operation.problems if problem.path == FLOW)
        assert "nowhere" in flow.found
        assert "/do/1/decide" in flow.found
        assert FLOW in flow.messages["en"]
        assert "워크플로" in flow.hints["ko"] or "파일" in flow.hints["ko"]
        assert "workflow" in flow.messages["ko"]
        assert list(await planned(client, package)) == of_owners(operation.problems)
        assert not (await client.ListModules()).modules


async def test_owners_are_asked_in_the_tenant_of_the_install(asking, owners, token):
    other = GOOD[RULESET].replace(b'"Quality of a lot"', b'"Quality of each lot"')
    async with asking() as client:
        async with owner_client(OwnersClient, owners["judgment"], token, client.tenant) as judgment:
            await judgment.PublishVersion(document=other.decode(), replay_executions=0)
        operation = await client.install(bringing())
        assert told(operation.problems) == {("DOCUMENT_REFUSED", RULESET)}
        assert "1.0.0" in of_owners(operation.problems)[0].found
    async with asking() as stranger:
        await stranger.installed(bringing())


async def test_a_ruleset_that_a_replay_may_block_is_replayed(asking, owners, token):
    """It says `blocking` itself: without a replay it would be refused, however harmless it is."""
    brought = json.loads(GOOD[RULESET]) | {"version": "1.1.0", "blocking": ["REPLAY_RELAXED"]}
    async with asking() as client:
        async with owner_client(OwnersClient, owners["judgment"], token, client.tenant) as judgment:
            published = await judgment.PublishVersion(document=GOOD[RULESET].decode(), promote_to="line-a")
            (ruleset, _, _) = published.version.name.partition("/versions/")
            values = {"defect_rate": {"number": 0.5}, "is_outlier": {"flag": False}}
            await judgment.Judge(ruleset=f"{ruleset}/channels/line-a", input={"values": values})
        await client.installed(bringing(ruleset=json.dumps(brought).encode()))


@pytest.mark.parametrize("content", [b"\xff\xfe", random.Random(7).randbytes(1 << 20).hex().encode()])
async def test_what_no_owner_could_read_is_refused_without_asking(asking, content):
    async with asking(judgment_endpoint=None, workflow_endpoint=NOBODY) as client:
        operation = await client.install(bringing(flow=content))
        assert told(operation.problems) == {
            ("DOCUMENT_REFUSED", FLOW),
            ("BACKEND_UNCHECKED", "/backend/rulesets"),
        }


async def test_who_is_not_known_is_not_asked_which_is_told(asking):
    async with asking(judgment_endpoint=None, workflow_endpoint=None, signing_key=None) as client:
        package = bringing(ruleset=bad_ruleset(), flow=BAD_FLOW)
        unchecked = {("BACKEND_UNCHECKED", "/backend/rulesets"), ("BACKEND_UNCHECKED", "/backend/workflows")}
        assert told(await planned(client, package)) == unchecked
        operation = await client.installed(package)
        assert told(operation.problems) == unchecked
        (version,) = (await client.ListModuleVersions(module=MODULE)).versions
        assert told(version.warnings) == unchecked
        assert not told((await client.installed(archive(files(version="2.0.0", frontend=None)))).problems)


async def test_an_owner_that_is_away_fails_the_install_when_it_was_waited_for(asking):
    async with asking(judgment_endpoint=NOBODY, owner_seconds=1.0) as client:
        operation = await client.install(bringing())
        assert stage(operation) == "FAILED"
        assert told(operation.problems) == {("BACKEND_UNAVAILABLE", "/backend/rulesets")}
        assert "UNAVAILABLE" in of_owners(operation.problems)[0].found
        assert told(await planned(client, bringing())) == told(operation.problems)


async def test_an_owner_that_is_back_in_time_is_not_noticed(asking, owners):
    async with asking(owner_seconds=60.0) as client:
        await owners["judgment"].kill()
        operation = await client.start(bringing())
        async for message in client.WatchOperation(name=operation, from_sequence=0):
            if "rulesets" in message.event.progress.messages["en"]:
                break
        await owners["judgment"].start()
        assert stage(await client.end_of(operation)) == "COMPLETED"


async def test_an_owner_that_is_frozen_is_away_and_the_install_can_be_asked_for_again(asking, owners):
    async with asking(owner_seconds=5.0) as client:
        owners["workflow"].freeze()
        operation = await client.install(bringing())
        assert told(operation.problems) == {("BACKEND_UNAVAILABLE", "/backend/workflows")}
        assert "DEADLINE_EXCEEDED" in of_owners(operation.problems)[0].found
        owners["workflow"].thaw()
        await client.installed(bringing())  # the package is here: nothing is sent


async def test_an_owner_that_does_not_trust_our_key_is_told_of_at_once(asking, tmp_path):
    key = tmp_path / "strange.pem"
    key.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    async with asking(signing_key=key) as client:
        operation = await client.install(bringing())
        assert stage(operation) == "FAILED"
        assert told(operation.problems) == {
            ("BACKEND_UNAVAILABLE", "/backend/rulesets"),
            ("BACKEND_UNAVAILABLE", "/backend/workflows"),
        }
        assert all("UNAUTHENTICATED" in problem.found for problem in of_owners(operation.problems))


async def test_an_owner_is_asked_over_mutual_tls_where_authorities_are_named(
    asking, service_databases, service_settings, tmp_path
):
    authority = Authority()
    theirs, ours = authority.issue(tmp_path / "judgment"), authority.issue(tmp_path / "modules")
    secure = {"tls_certificate": theirs.certificate, "tls_key": theirs.key, "tls_client_ca": theirs.ca}
    async with service_databases.fresh(JUDGMENT) as urls:
        there = service_settings(JUDGMENT, urls.service, listen=f"{LOOPBACK}:{find_free_port()}", **secure)
        own = {"tls_certificate": ours.certificate, "tls_key": ours.key, "services_ca": ours.ca}
        only = {"judgment_endpoint": there.listen, "workflow_endpoint": None}
        async with running(JUDGMENT, there), asking(tls=ours, **only, **own) as client:
            operation = await client.install(bringing(ruleset=bad_ruleset()))
            refusal = ("DOCUMENT_REFUSED", RULESET)
            assert told(operation.problems) == {refusal, ("BACKEND_UNCHECKED", "/backend/workflows")}


async def test_without_a_key_nobody_is_asked_which_is_told(asking):
    async with asking(signing_key=None) as client:
        operation = await client.installed(bringing(flow=BAD_FLOW))
        assert {problem.expected for problem in of_owners(operation.problems)} == {"MILLWRIGHT_MODULES_SIGNING_KEY"}
