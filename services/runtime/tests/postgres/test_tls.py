"""Postgres over TLS by its URL: serving, waiting for the schema and migrating.

The wheel's Postgres is built without TLS: a proxy of this test does it in front of it, as the protocol has it, and lets
nothing in that does not ask for it.
"""

import asyncio
import ssl
from contextlib import suppress

import asyncpg
import pytest
from millwright_local.testing.certificates import Authority
from millwright_runtime.postgres import schema
from millwright_runtime.postgres.database import Database, DatabaseUnavailable
from millwright_runtime.postgres.migrations import Migrations
from runtime_sample.service import MIGRATIONS

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Proxy:
    """Ends TLS in front of a socket of Postgres."""

    def __init__(self, socket, issued):
        self._socket = socket
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(issued.certificate, issued.key)

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
                there, away = await asyncio.open_unix_connection(self._socket)
                await asyncio.gather(pump(reader, away), pump(there, writer))
        writer.close()


async def pump(reader, writer):
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
async def proxy(postgres, authority, tmp_path):
    issued = authority.issue(tmp_path / "postgres")
    async with Proxy(str(postgres.socket_directory / ".s.PGSQL.5432"), issued) as proxy:
        proxy.ca = issued.ca
        yield proxy


def over(proxy, url, ca=None):
    """Give the URL by way of the proxy, all checked."""
    role, _, database = url.removeprefix("postgresql://").partition("?")[0].partition("@/")
    return f"postgresql://{role}@localhost:{proxy.port}/{database}?sslmode=verify-full&sslrootcert={ca or proxy.ca}"


async def test_a_service_migrates_waits_and_serves(empty, proxy):
    owner, service = over(proxy, empty.owner), over(proxy, empty.service)
    await Migrations(MIGRATIONS, "sample").upgrade(owner, service)
    database = await Database.open(service, 2, application="test")
    await schema.wait("sample", schema.newest(MIGRATIONS), database)
    async with database.snapshot("north") as connection:
        assert await connection.fetchval("SELECT count(*) FROM sample.note") == 0
    await database.close()


async def test_a_server_of_another_authority_is_not_trusted(empty, proxy, tmp_path):
    (tmp_path / "other.pem").write_text(Authority("other").pem)
    database = await Database.open(over(proxy, empty.service, tmp_path / "other.pem"), 2, application="test")
    with pytest.raises(DatabaseUnavailable) as caught:
        async with database.snapshot("north"):
            pass
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    await database.close()


async def test_the_proxy_takes_nobody_in_plaintext(empty, proxy):
    plain = over(proxy, empty.service).replace("verify-full", "disable")
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(plain)
