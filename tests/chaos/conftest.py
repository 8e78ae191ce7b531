"""Fixtures of the chaos tests."""

from tests.end_to_end.conftest import tenant

__all__ = ["tenant"]
