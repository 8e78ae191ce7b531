"""The carriers of outward calls as the service puts them together, without a database, against real local servers."""

import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from millwright_workflow.domain.interpreter import CallGrpc, CallHttp, FetchDocument, TaskReference, WorkflowFault
from millwright_workflow.domain.interpreter import secrets as seals
from millwright_workflow.engine.calls.credentials import Credentials
from millwright_workflow.engine.calls.documents import Documents
from millwright_workflow.engine.calls.grpc_calls import GrpcCalls
from millwright_workflow.engine.calls.http import HttpCalls
from millwright_workflow.engine.calls.network import Network, parse_networks
from millwright_workflow.engine.calls.secrets import Secrets, SecretSource
from millwright_workflow.engine.calls.tokens import Tokens
from millwright_workflow.engine.calls.web import Web as Client
from workflow_rig.web import Web

NONCE = "0123456789abcdef"
REFERENCE = TaskReference("/do/0/ask")


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@dataclass
class Caller:
    """An instance on whose behalf calls are made."""

    tenant: str = "plant-a"
    instance_id: uuid.UUID = field(default_factory=uuid.uuid4)
    confirmed: int = 0

    @property
    def instance(self):
        return SimpleNamespace(
            tenant=self.tenant,
            instance=self.instance_id,
            workflow="plant.line",
            version=1,
            start_time=datetime.now(UTC),
        )

    async def confirm(self):
        self.confirmed += 1


@dataclass
class Calls:
    """Everything that calls outward."""

    secrets: Secrets
    client: Client
    tokens: Tokens
    documents: Documents
    http: HttpCalls
    grpc: GrpcCalls
    clock: Clock
    sealed: dict

    async def send(
        self, uri, method="GET", *, caller=None, headers=None, query=None, body=None, redirect=False, auth=None
    ):
        """Send a request and give the answer."""
        call = CallHttp(REFERENCE, method, uri, headers or {}, query or {}, body, redirect, auth)
        return await self.http.carry_out(caller or Caller(), call)

    async def read(self, uri, auth=None, caller=None):
        """Read a document."""
        return await self.documents.carry_out(caller or Caller(), FetchDocument(REFERENCE, uri, auth))

    async def ask(self, proto, host, port, method, arguments=None, service="plant.Press", auth=None, caller=None):
        """Call a method."""
        call = CallGrpc(REFERENCE, proto, None, service, method, host, port, arguments or {}, auth)
        return await self.grpc.carry_out(caller or Caller(), call)


@asynccontextmanager
async def calling(*, secrets=None, denied="", seconds=10.0, directory=None):
    """Give everything that calls outward; `secrets` are those of tenant plant-a, and its workflows name them all."""
    secrets = secrets or {}

    class Source(SecretSource):
        async def read(self, tenant, names):
            return {name: secrets[name] for name in names if name in secrets and tenant == "plant-a"}

    class Definitions:
        async def plan(self, *_):
            return SimpleNamespace(secrets=(*secrets, "gone") if secrets else ())

    async def nonce(*_):
        return NONCE

    clock = Clock()
    kept = Secrets(Source(None, "", {}), Definitions(), nonce)
    network = Network(parse_networks(denied))
    client = Client(network, seconds)
    tokens = Tokens(client, clock)
    credentials = Credentials(tokens)
    documents = Documents(client, kept, credentials, directory and Path(directory))
    http = HttpCalls(client, kept, credentials)
    grpc = GrpcCalls(network, kept, credentials, documents, seconds)
    sealed = seals.seal({**secrets, "gone": ""}, NONCE)
    try:
        yield Calls(kept, client, tokens, documents, http, grpc, clock, sealed)
    finally:
        for close in (grpc.close, documents.close, tokens.close, client.close):
            await close()


@pytest.fixture
def open_calls():
    """Give the function that puts the calls together."""
    return calling


@pytest.fixture
async def calls():
    """Calls without secrets or denied networks."""
    async with calling() as calls:
        yield calls


@pytest.fixture
def caller():
    """An instance."""
    return Caller()


@pytest.fixture
async def elsewhere():
    """A second web server: another origin."""
    async with Web() as server:
        yield server


@pytest.fixture
def fault():
    """Give a function that awaits a call and gives the error of its fault."""

    async def caught(awaitable):
        with pytest.raises(WorkflowFault) as caught:
            await awaitable
        error = caught.value.error
        return error.type.rpartition("/")[2], error.status, error.detail

    return caught
