"""Fixtures for the tests of the stack itself: a place for servers that a test may break."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from millwright_local.services import Service


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that a server's account can reach."""
    with TemporaryDirectory(prefix="millwright-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture(scope="session")
def plain() -> Service:
    """The small service of `plain_service.py`, which stands for a real one."""
    service = runpy.run_path(str(Path(__file__).with_name("plain_service.py")))["PLAIN"]
    assert isinstance(service, Service)
    return service
