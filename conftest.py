"""Gives every test suite the local stack's fixtures, and those of a service's own suite."""

pytest_plugins = ["millwright_local.pytest_plugin", "millwright_local.testing.service_plugin"]
