"""NATS over mutual TLS: who is trusted, and that files are read again when the connection is made again."""

from contextlib import asynccontextmanager

import pytest
from millwright_local.nats import Nats
from millwright_local.processes import until
from millwright_local.testing.certificates import Authority
from millwright_runtime.certificates import CertificateUnusable, Files, client_context
from millwright_runtime.events.jetstream import JetStream


@pytest.fixture
async def guarded(local_directory, tmp_path):
    """A NATS server that asks clients for a certificate; it reads its files when it starts."""
    authority = Authority()
    issued = authority.issue(tmp_path / "nats")
    flags = {"--tlscert": issued.certificate, "--tlskey": issued.key, "--tlscacert": issued.ca}
    options = ["--tls", "--tlsverify", *(str(word) for flag in flags.items() for word in flag)]
    async with Nats(local_directory / "nats-tls", options=options) as server:
        server.authority, server.issued = authority, issued
        yield server


@asynccontextmanager
async def connecting(server, files):
    stream = JetStream(f"tls://localhost:{server.port}", "sample", 1, lambda: client_context(files))
    stream.start(lambda _: None)
    yield stream
    await stream.stop()


def own(authority, directory):
    issued = authority.issue(directory, "service")
    return Files(issued.certificate, issued.key, issued.ca)


async def test_it_connects_and_after_new_certificates_on_both_sides_it_does_again(guarded, tmp_path):
    files = own(guarded.authority, tmp_path / "own")
    async with connecting(guarded, files) as stream:

        async def is_connected():
            return stream.is_connected

        await until(is_connected, 10)
        newer = Authority("newer")
        newer.issue(guarded.issued.certificate.parent)
        own(newer, tmp_path / "own")
        await guarded.restart()

        async def is_connected_anew():
            return stream.is_connected and stream._client.stats["reconnects"] > 0

        await until(is_connected_anew, 10)


async def test_a_server_of_another_authority_is_not_trusted(guarded, tmp_path):
    files = own(Authority("other"), tmp_path / "own")
    async with connecting(guarded, files) as stream:

        async def is_away():
            return stream._is_away

        await until(is_away, 10)
        assert not stream.is_connected


def test_files_that_cannot_be_used_are_a_clear_error(tmp_path):
    (tmp_path / "none.pem").write_text("MARK")
    for path in (tmp_path / "none.pem", tmp_path / "missing.pem"):
        with pytest.raises(CertificateUnusable, match=str(path)) as caught:
            client_context(Files(authorities=path))
        assert "MARK" not in str(caught.value)
