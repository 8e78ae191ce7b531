"""Databases of a test run."""

import itertools

from millwright_local.databases import create_database
from millwright_local.postgres import Postgres


class DatabaseFactory:
    """Makes databases in the test run's Postgres, granted to the services' roles."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._numbers = itertools.count(1)

    async def create(self, template: str | None = None) -> str:
        """Create a database and return its name.

        With `template` it is a copy (about 40 ms) of that database, to which nobody may be connected.
        """
        name = f"test_{next(self._numbers)}"
        await create_database(self._postgres, name, template=template)
        return name

    async def drop(self, name: str) -> None:
        """Drop a database and end the connections to it. Databases also end with the test run."""
        async with self._postgres.connect() as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
