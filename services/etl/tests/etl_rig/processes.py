"""The etl service as processes of their own: replicas that can be killed and frozen, and the night's command."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager

from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.processes import until
from millwright_local.service_process import ServiceProcess
from millwright_local.services import named

LEASE_SECONDS = 1.0
WAIT_SECONDS = 30.0
_OUTER = {name: value for name, value in os.environ.items() if not name.startswith("MILLWRIGHT_")}


class Processes:
    """Starts processes of the service on one database."""

    def __init__(self, urls, nats, valkey, keys, directory):
        self.directory = directory
        self.settings = {
            "DATABASE_URL": urls.service,
            "NATS_URL": nats.url,
            "VALKEY_URL": valkey.url,
            "JWKS": str(keys.jwks_file),
            "JWT_ISSUER": keys.issuer,
            "JWT_AUDIENCE": keys.audience,
            "DRAIN_SECONDS": "3",
            "WINDOW_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self._count = 0

    def replica(self, **settings):
        """Give a replica of the service, to be used as `async with`."""
        self._count += 1
        ports = {name: f"{LOOPBACK}:{find_free_port()}" for name in ("LISTEN", "METRICS_LISTEN")}
        log = self.directory / f"etl-{self._count}" / "etl.log"
        return ServiceProcess(named("etl"), log, {**self.settings, **ports, **settings})

    @asynccontextmanager
    async def night(self, *arguments, **settings):
        """Start the night's command; it is killed at the end."""
        environment = {f"MILLWRIGHT_ETL_{name}": value for name, value in {**self.settings, **settings}.items()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "millwright_etl",
            "run",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_OUTER | environment,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run_night(self, *arguments, **settings):
        """Run the night's command to its end; give its exit code, what it told, and what it logged."""
        async with self.night("--due", *arguments, **settings) as process:
            out, log = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
        return process.returncode, out.decode().splitlines(), log.decode()


class Held:
    """The lock of a business day, held by somebody else: whoever makes its facts waits inside the transaction."""

    def __init__(self, connection, tenant, day):
        self._connection = connection
        self._key = f"etl:day:daily-production:{tenant}:{day}"

    async def __aenter__(self):
        await self._connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", self._key)
        return self

    async def __aexit__(self, *_):
        await self.release()

    async def release(self):
        """Let go of it."""
        await self._connection.execute("SELECT pg_advisory_unlock_all()")

    async def is_waited_for(self):
        """Tell whether a transaction waits for it."""
        return bool(
            await self._connection.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )

    async def wait_for_a_worker(self):
        """Return once a worker is in the middle of the day."""
        await until(self.is_waited_for, WAIT_SECONDS)
