"""A service as the stack sees one: `migrate` makes its table, `serve` reads it and answers health checks.

Started by the tests as a process, with the settings of a service named "workflow"; `up DIRECTORY` runs a stack
of this one service in the foreground.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from millwright_local.__main__ import up
from millwright_local.services import Service
from rich.console import Console

PLAIN = Service(
    name="workflow",
    port=50051,
    metrics_port=9151,
    health="plain.v1.PlainService",
    example="plain.v1.PlainService/Get",
    command=(sys.executable, __file__),
)


def setting(name: str) -> str:
    return os.environ[f"MILLWRIGHT_WORKFLOW_{name}"]


async def migrate() -> None:
    owner = await asyncpg.connect(setting("MIGRATION_DATABASE_URL"))
    role = await owner.fetchval("SELECT current_user")
    await owner.execute(f"""
        CREATE SCHEMA IF NOT EXISTS workflow;
        CREATE TABLE IF NOT EXISTS workflow.starts (at timestamptz DEFAULT now());
        GRANT USAGE ON SCHEMA workflow TO {role.removesuffix("_owner")};
        GRANT SELECT, INSERT ON workflow.starts TO {role.removesuffix("_owner")};
    """)
    await owner.close()


async def serve() -> None:
    connection = await asyncpg.connect(setting("DATABASE_URL"))
    await connection.execute("INSERT INTO workflow.starts DEFAULT VALUES")
    print("starts so far:", await connection.fetchval("SELECT count(*) FROM workflow.starts"), flush=True)
    await connection.close()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    await servicer.set(PLAIN.health, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(setting("LISTEN"))
    await server.start()
    await stop.wait()
    print("draining", flush=True)
    if "PLAIN_DRAINS_FOREVER" in os.environ:
        await asyncio.Future()
    await server.stop(1)


async def run_stack() -> None:
    sys.exit(await up(Path(sys.argv[2]), Console(highlight=False), services=[PLAIN]))


if __name__ == "__main__":
    asyncio.run({"migrate": migrate, "serve": serve, "up": run_stack}[sys.argv[1]]())
