"""The roles and databases inside the local Postgres: a pair of roles a service, and who may do what."""

from collections.abc import Sequence

from millwright_local.postgres import Postgres
from millwright_local.services import SERVICES, Service

DATABASE = "millwright"
ROLE_OPTIONS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


async def create_roles(postgres: Postgres, services: Sequence[Service] = SERVICES) -> None:
    """Create each service's two roles. Idempotent; an existing role is set back to what it should be."""
    async with postgres.connect() as connection:
        existing = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        for role in (role for service in services for role in (service.owner_role, service.role)):
            verb = "ALTER" if role in existing else "CREATE"
            await connection.execute(f'{verb} ROLE "{role}" WITH {ROLE_OPTIONS}')


async def create_database(
    postgres: Postgres, name: str, *, template: str | None = None, services: Sequence[Service] = SERVICES
) -> None:
    """Create a database that the services' roles, and no others, can use. Idempotent.

    Owners may create schemas in it, the other roles may only connect. With `template` it begins as a copy of that
    database, to which nobody may be connected.
    """
    async with postgres.connect() as connection:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
        await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        for service in services:
            await connection.execute(f'GRANT CONNECT, CREATE ON DATABASE "{name}" TO "{service.owner_role}"')
            await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{service.role}"')
    if template is None:
        async with postgres.connect(name) as connection:
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
