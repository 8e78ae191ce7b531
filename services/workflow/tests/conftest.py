"""The workflow service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from millwright_local.testing.service_plugin import UnderTest
from millwright_workflow.app import SERVICE

sys.path.append(str(Path(__file__).parent))

from workflow_rig.client import Client
from workflow_rig.web import Web


@pytest.fixture(scope="session")
def under_test():
    """What is tested here, and who calls it."""
    return UnderTest(SERVICE, Client)


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    """A web server for workflows to call."""
    async with Web() as server:
        yield server
