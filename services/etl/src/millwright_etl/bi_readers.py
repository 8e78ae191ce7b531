"""`python -m millwright_etl.bi_readers grant ROLE TENANT | revoke ROLE | list`: database roles for BI tools.

It logs in as the owner of the schemas (MILLWRIGHT_ETL_MIGRATION_DATABASE_URL, else MILLWRIGHT_ETL_DATABASE_URL). The
role itself is made by whoever runs Postgres: docs/operations.md has the statements. Exit codes: 0 done, 1 refused,
2 wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import asyncpg

from millwright_etl.store import bi_readers
from millwright_etl.store.bi_readers import ReaderRefused

_URLS = ("MILLWRIGHT_ETL_MIGRATION_DATABASE_URL", "MILLWRIGHT_ETL_DATABASE_URL")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="millwright-etl-bi-readers", description="Let database roles of BI tools read a plant's facts."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    grant = verbs.add_parser("grant", help="let a role read schema bi of one tenant, and nothing else")
    grant.add_argument("role")
    grant.add_argument("tenant")
    verbs.add_parser("revoke", help="let a role read nothing any more").add_argument("role")
    verbs.add_parser("list", help="print each reader and its tenant")
    arguments = parser.parse_args()
    url = next((os.environ[name] for name in _URLS if os.environ.get(name)), None)
    if url is None:
        parser.error(f"{_URLS[0]} is not set")
    try:
        sys.stdout.write(asyncio.run(run(url, arguments)))
    except (ReaderRefused, asyncpg.PostgresError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


async def run(url: str, arguments: argparse.Namespace) -> str:
    """Do what is asked, and give what is printed."""
    connection = await asyncpg.connect(url)
    try:
        if arguments.verb == "grant":
            await bi_readers.grant(connection, arguments.role, arguments.tenant)
        elif arguments.verb == "revoke":
            await bi_readers.revoke(connection, arguments.role)
        else:
            readers = await bi_readers.read(connection)
            return "".join(f"{role}\t{tenant}\n" for role, tenant in readers.items())
        return ""
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
