"""Gives every test suite the local stack's fixtures."""

pytest_plugins = ["millwright_local.pytest_plugin"]
