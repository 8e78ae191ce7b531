"""Readers for BI tools: database roles that read schema `bi`, of one tenant each, and nothing else.

A reader has a policy of its own on every table with a tenant; there is no setting by which it could be another one.
"""

from __future__ import annotations

import re

import asyncpg

_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TENANT = re.compile(r"[a-z0-9-]{1,63}")
_TENANTED = ("dim_line", "dim_product", "dim_shift", "dim_equipment", "fact_daily_production", "fact_daily_defect")
_POLICY = "reader_{role}"
_MOST_ROLE_CHARACTERS = 56  # the name of its policy has 63


class ReaderRefused(Exception):
    """A role cannot be a reader."""


async def grant(connection: asyncpg.Connection, role: str, tenant: str) -> None:
    """Let a role read schema `bi` of a tenant, and of no other any more; in one transaction, as the schema's owner.

    Raises ReaderRefused if the role is not there, could pass row-level security, or can do more than read.
    """
    if not _ROLE.fullmatch(role) or len(role) > _MOST_ROLE_CHARACTERS:
        raise ReaderRefused(f"{role!r} must be 1 to {_MOST_ROLE_CHARACTERS} of a-z, 0-9 and _")
    if not _TENANT.fullmatch(tenant):
        raise ReaderRefused(f"{tenant!r} must be 1 to 63 of a-z, 0-9 and dashes")
    async with connection.transaction():
        if fault := await connection.fetchval(_FAULT, role):
            raise ReaderRefused(f"the role {role} {fault}")
        await connection.execute(f'GRANT USAGE ON SCHEMA bi TO "{role}"')
        await connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA bi TO "{role}"')
        for table in _TENANTED:
            await connection.execute(_drop_policy(table, role))
            await connection.execute(
                f'CREATE POLICY "{_POLICY.format(role=role)}" ON bi.{table} FOR SELECT TO "{role}" '
                f"USING (tenant = '{tenant}')"
            )


async def revoke(connection: asyncpg.Connection, role: str) -> None:
    """Let a role read nothing any more; in one transaction, as the schema's owner."""
    if not _ROLE.fullmatch(role):
        raise ReaderRefused(f"{role!r} is no role that can be a reader")
    async with connection.transaction():
        for table in _TENANTED:
            await connection.execute(_drop_policy(table, role))
        await connection.execute(f'REVOKE ALL ON ALL TABLES IN SCHEMA bi FROM "{role}"')
        await connection.execute(f'REVOKE ALL ON SCHEMA bi FROM "{role}"')


async def read(connection: asyncpg.Connection) -> dict[str, str]:
    """Give the tenant of each reader, by role."""
    return {row["role"]: row["tenant"] for row in await connection.fetch(_READ)}


def _drop_policy(table: str, role: str) -> str:
    return f'DROP POLICY IF EXISTS "{_POLICY.format(role=role)}" ON bi.{table}'


# Roles that it is a member of count: SET ROLE reaches them.
_FAULT = """
WITH reach AS (
    SELECT reached.* FROM pg_roles AS asked, pg_roles AS reached
    WHERE asked.rolname = $1 AND pg_has_role(asked.oid, reached.oid, 'MEMBER')
)
SELECT CASE
    WHEN NOT EXISTS (SELECT FROM reach) THEN 'does not exist'
    WHEN (SELECT bool_or(rolsuper) FROM reach) THEN 'is a superuser'
    WHEN (SELECT bool_or(rolbypassrls) FROM reach) THEN 'passes row-level security'
    WHEN EXISTS (SELECT FROM reach, pg_namespace WHERE nspname = 'bi' AND nspowner = reach.oid)
        THEN 'owns the schema bi'
    WHEN EXISTS (
        SELECT FROM reach, pg_class
        WHERE relnamespace IN ('bi'::regnamespace, 'core'::regnamespace, 'etl'::regnamespace)
          AND relkind IN ('r', 'p') AND has_table_privilege(reach.oid, pg_class.oid, 'INSERT, UPDATE, DELETE')
    ) THEN 'may write tables of the service'
END
"""
_READ = r"""
SELECT roles[1]::text AS role, substring(qual FROM $$'([a-z0-9-]+)'$$) AS tenant FROM pg_policies
WHERE schemaname = 'bi' AND tablename = 'fact_daily_production' AND policyname LIKE 'reader\_%' ORDER BY 1
"""
