"""A service's roles reach what they should and nothing else, also in a database made from a template."""

import asyncpg
import pytest
from millwright_local.databases import create_roles
from millwright_local.postgres import Postgres
from millwright_local.services import SERVICES
from millwright_local.testing.databases import DatabaseFactory

WORKFLOW = SERVICES[0]


async def migrate(postgres: Postgres, database: str) -> None:
    async with postgres.connect(database, WORKFLOW.owner_role) as owner:
        await owner.execute("CREATE SCHEMA workflow; CREATE TABLE workflow.log (id int)")
        await owner.execute(f"GRANT USAGE ON SCHEMA workflow TO {WORKFLOW.role}")
        await owner.execute(f"GRANT SELECT, INSERT ON workflow.log TO {WORKFLOW.role}")


async def test_the_owner_makes_schemas_and_the_service_uses_what_it_is_granted(
    postgres: Postgres, database_factory: DatabaseFactory
) -> None:
    database = await database_factory.create()
    await migrate(postgres, database)
    async with postgres.connect(database, WORKFLOW.role) as service:
        await service.execute("INSERT INTO workflow.log VALUES (1)")
        for statement in (
            "DELETE FROM workflow.log",
            "DROP TABLE workflow.log",
            "CREATE SCHEMA mine",
            "CREATE TABLE public.mine (id int)",
            f"SET ROLE {WORKFLOW.owner_role}",
            "CREATE ROLE mine",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)


async def test_the_service_role_is_no_superuser_and_cannot_pass_row_level_security(postgres: Postgres) -> None:
    async with postgres.connect() as connection:
        for role in (WORKFLOW.role, WORKFLOW.owner_role):
            row = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
            assert row["rolcanlogin"]
            powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
            assert not any(row[power] for power in powers)


async def test_a_role_of_nobody_cannot_connect(postgres: Postgres, database_factory: DatabaseFactory) -> None:
    database = await database_factory.create()
    async with postgres.connect() as connection:
        await connection.execute("CREATE ROLE stranger LOGIN")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with postgres.connect(database, "stranger"):
            pass


async def test_a_copy_of_a_template_has_its_tables_and_its_grants(
    postgres: Postgres, database_factory: DatabaseFactory
) -> None:
    template = await database_factory.create()
    await migrate(postgres, template)
    copies = [await database_factory.create(template) for _ in range(2)]
    for copy in copies:
        async with postgres.connect(copy, WORKFLOW.role) as service:
            await service.execute("INSERT INTO workflow.log VALUES (1)")
            assert await service.fetchval("SELECT count(*) FROM workflow.log") == 1
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute("CREATE TABLE public.mine (id int)")
        async with postgres.connect(copy, WORKFLOW.owner_role) as owner:
            await owner.execute("CREATE SCHEMA later")


async def test_roles_that_exist_are_set_back(postgres: Postgres) -> None:
    async with postgres.connect() as connection:
        await connection.execute(f"ALTER ROLE {WORKFLOW.role} BYPASSRLS")
        await create_roles(postgres)
        query = "SELECT rolbypassrls FROM pg_roles WHERE rolname = $1"
        assert not await connection.fetchval(query, WORKFLOW.role)
