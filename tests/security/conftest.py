"""Each of the four services in this process, and the contract that it serves."""

from collections.abc import AsyncIterator

import grpc
import pytest
from millwright_etl.app import SERVICE as ETL
from millwright_judgment.app import SERVICE as JUDGMENT
from millwright_modules.app import SERVICE as MODULES
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE as WORKFLOW

from tests.security.contract import Contract

SERVICES = {service.name: service for service in (WORKFLOW, JUDGMENT, ETL, MODULES)}


@pytest.fixture(scope="module", params=SERVICES)
async def contract(request, service_databases, service_settings, tmp_path_factory) -> AsyncIterator[Contract]:
    """What a service serves, on a database of its own."""
    service = SERVICES[request.param]
    others = {"work_directory": tmp_path_factory.mktemp("work")} if service is MODULES else {}
    async with (
        service_databases.fresh(service) as urls,
        running(service, service_settings(service, urls.service, **others)) as process,
        grpc.aio.insecure_channel(f"127.0.0.1:{process.server.port}") as channel,
    ):
        yield await Contract.of(channel)
