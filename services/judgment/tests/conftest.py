"""The judgment service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
from pathlib import Path

import pytest
from millwright_judgment.app import SERVICE
from millwright_local.testing.service_plugin import UnderTest

sys.path.append(str(Path(__file__).parent))

from judgment_rig.client import Client


@pytest.fixture(scope="session")
def under_test():
    """What is tested here, and who calls it."""
    return UnderTest(SERVICE, Client)
