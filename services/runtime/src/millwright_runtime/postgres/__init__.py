"""Postgres: connections that see one tenant, migrations, and writes that answer a repeated request the same."""
