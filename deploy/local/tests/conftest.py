"""Fixtures for the tests of the stack itself: a place for servers that a test may break."""

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from millwright_local.scratch import scratch_directory
from millwright_local.services import Service


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that a server's account can reach."""
    with scratch_directory() as path:
        yield path


@pytest.fixture(scope="session")
def plain() -> Service:
    """The small service of `plain_service.py`, which stands for a real one."""
    service = runpy.run_path(str(Path(__file__).with_name("plain_service.py")))["PLAIN"]
    assert isinstance(service, Service)
    return service
