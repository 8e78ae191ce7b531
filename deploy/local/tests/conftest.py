"""Fixtures for the tests of the stack itself: a place for servers that a test may break."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that a server's account can reach."""
    with TemporaryDirectory(prefix="millwright-", ignore_cleanup_errors=True) as path:
        yield Path(path)
