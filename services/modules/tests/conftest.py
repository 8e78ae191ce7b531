"""The modules service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
from pathlib import Path

import pytest
from millwright_local.testing.service_plugin import UnderTest
from millwright_modules.app import SERVICE

sys.path.append(str(Path(__file__).parent))

from modules_rig.client import Client


@pytest.fixture(scope="session")
def under_test():
    """What is tested here, and who calls it."""
    return UnderTest(SERVICE, Client, roles=("admin",))


@pytest.fixture(scope="module")
def settings(urls, service_settings, tmp_path_factory):
    """The settings of the test file's service."""
    return service_settings(SERVICE, urls.service, work_directory=tmp_path_factory.mktemp("work"))
