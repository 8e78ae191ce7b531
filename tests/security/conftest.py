"""Each of the four services in this process, and the contract that it serves."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import pytest
from millwright_etl.app import SERVICE as ETL
from millwright_judgment.app import SERVICE as JUDGMENT
from millwright_modules.app import SERVICE as MODULES
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE as WORKFLOW

from tests.security.contract import Contract

SERVICES = {service.name: service for service in (WORKFLOW, JUDGMENT, ETL, MODULES)}


Serve = Callable[[str], AbstractAsyncContextManager[Contract]]


@pytest.fixture(scope="session")
def serve(service_databases, service_settings, tmp_path_factory) -> Serve:
    """Serves the service of a name, on a database of its own."""

    @asynccontextmanager
    async def serving(name: str) -> AsyncIterator[Contract]:
        service = SERVICES[name]
        others = {"work_directory": tmp_path_factory.mktemp("work")} if service is MODULES else {}
        async with (
            service_databases.fresh(service) as urls,
            running(service, service_settings(service, urls.service, **others)) as process,
            grpc.aio.insecure_channel(f"127.0.0.1:{process.server.port}") as channel,
        ):
            yield await Contract.of(channel)

    return serving


@pytest.fixture(scope="module", params=SERVICES)
async def contract(request, serve) -> AsyncIterator[Contract]:
    """What a service serves."""
    async with serve(request.param) as contract:
        yield contract
