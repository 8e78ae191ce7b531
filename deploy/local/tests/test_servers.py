"""Each server starts, answers, keeps what it should over a restart or a kill, and refuses a port that is taken."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats as nats_client
import psutil
import pytest
from millwright_local.errors import DataInUseError, PortTakenError, ProcessEndedError
from millwright_local.nats import Nats
from millwright_local.ports import LOOPBACK, find_free_port, greets
from millwright_local.postgres import Postgres
from millwright_local.processes import until
from millwright_local.valkey import Valkey
from redis.asyncio import Redis


@asynccontextmanager
async def connected(server: Nats) -> AsyncIterator[nats_client.NATS]:
    client = await nats_client.connect(server.url)
    try:
        yield client
    finally:
        await client.close()


async def test_postgres_keeps_its_data_over_a_restart_and_a_kill(directory: Path) -> None:
    async with Postgres(directory) as server:
        async with server.connect() as connection:
            await connection.execute("CREATE TABLE parts (id int); INSERT INTO parts VALUES (1)")
        await server.restart()
        async with server.connect() as connection:
            await connection.execute("INSERT INTO parts VALUES (2)")
        await server.kill()
        await server.start()
        async with server.connect() as connection:
            assert await connection.fetchval("SELECT count(*) FROM parts") == 2


async def test_postgres_stops_although_sessions_are_open(directory: Path) -> None:
    server = Postgres(directory, durable=False)
    await server.start()
    async with asyncio.timeout(10), server.connect() as connection:
        await connection.execute("BEGIN")
        await server.stop()
    assert server.process is not None
    assert server.process.exit_code == 0


async def test_postgres_starts_although_its_old_pid_belongs_to_another_program(directory: Path) -> None:
    server = Postgres(directory, durable=False)
    await server.start()
    await server.kill()
    pid_file = server.data / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(psutil.Process().ppid()), *rest, ""]))
    async with server, server.connect() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_postgres_refuses_data_that_another_server_works_on(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millwright_local.postgres.LEFTOVER_SECONDS", 0.1)
    async with Postgres(directory, durable=False):
        with pytest.raises(DataInUseError):
            await Postgres(directory, durable=False).start()


async def test_postgres_begins_anew_after_an_initdb_that_was_cut_off(directory: Path) -> None:
    unfinished = directory / "data.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    async with Postgres(directory, durable=False) as server, server.connect() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_postgres_has_the_settings_that_we_count_on(postgres: Postgres) -> None:
    async with postgres.connect() as connection:
        settings = dict(await connection.fetch("SELECT name, setting FROM pg_settings"))
    assert settings["max_connections"] == "200"
    assert settings["fsync"] == "off"
    assert settings["synchronous_commit"] == "on"
    assert settings["listen_addresses"] == ""
    assert settings["TimeZone"] == "UTC"


async def test_postgres_waits_for_the_disk_unless_told_otherwise(directory: Path) -> None:
    async with Postgres(directory) as server, server.connect() as connection:
        assert await connection.fetchval("SHOW fsync") == "on"


async def test_postgres_runs_in_a_directory_whose_path_is_too_long_for_a_socket(directory: Path) -> None:
    deep = directory / ("long" * 20) / ("long" * 20)
    async with Postgres(deep, durable=False) as server:
        async with server.connect() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert server.data.is_relative_to(deep)
        assert not server.socket_directory.is_relative_to(deep)
    assert not server.socket_directory.exists()


async def test_postgres_runs_in_a_directory_with_blanks_and_quotes(directory: Path) -> None:
    odd = directory / 'it\'s a "plant", 공장'
    async with Postgres(odd, durable=False) as server, server.connect() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_valkey_is_empty_after_a_restart(directory: Path) -> None:
    async with Valkey(directory) as server:
        async with Redis.from_url(server.url) as client:
            await client.set("checkpoint", "7")
            assert await client.get("checkpoint") == b"7"
        await server.restart()
        async with Redis.from_url(server.url) as client:
            assert await client.get("checkpoint") is None


async def test_nats_keeps_its_streams_over_a_kill(directory: Path) -> None:
    async with Nats(directory) as server:
        async with connected(server) as client:
            await client.jetstream().add_stream(name="events", subjects=["events.>"])
            await client.jetstream().publish("events.a", b"1")
        await server.kill()
        await server.start()
        async with connected(server) as client:
            assert (await client.jetstream().stream_info("events")).state.messages == 1


@pytest.mark.parametrize("kind", [Valkey, Nats])
async def test_a_port_that_is_taken_is_refused_by_number(kind: type[Valkey | Nats], directory: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} of {kind.name} is taken"):
            await kind(directory, port=port).start()


async def test_a_frozen_server_goes_on_when_thawed(directory: Path) -> None:
    async with Valkey(directory) as server:
        server.freeze()
        assert not await greets(server.port, send=b"PING\r\n", expect=b"+PONG")
        server.thaw()
        await until(lambda: greets(server.port, send=b"PING\r\n", expect=b"+PONG"), 5)


async def test_a_server_that_cannot_start_says_why(directory: Path) -> None:
    server = Postgres(directory, durable=False)
    async with server:
        pass
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ProcessEndedError, match="initialized by PostgreSQL version 9"):
        await server.start()


def test_free_ports_lie_below_those_that_clients_are_given() -> None:
    assert {find_free_port() < 32768 for _ in range(50)} == {True}
