"""Keys rotate, issuers go away: what is known stays in force, and nobody makes us read more often than we want."""

import asyncio
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from millwright_local.keys import Keys
from millwright_runtime import metrics
from millwright_runtime.api.authentication import Authenticator, TokenInvalid
from millwright_runtime.api.keys import KeySet, KeysUnavailable


class Clock:
    """Seconds on a clock that stands still until the test moves it."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jwks(tmp_path, keys):
    """A file of the run's own, which the test may rewrite."""
    file = tmp_path / "jwks.json"
    file.write_text(keys.jwks_file.read_text())
    return file


@pytest.fixture
def next_keys(tmp_path):
    """The keys that the issuer rotates to."""
    return Keys(tmp_path / "next")


@pytest.fixture
def authenticator(jwks, keys, clock):
    return Authenticator(str(jwks), keys.issuer, keys.audience, clock=clock)


async def read_again(authenticator):
    """Wait for the reading in the background."""
    if authenticator._keys._reading:
        await authenticator._keys._reading


async def test_a_rotated_key_is_found_when_a_token_names_it(authenticator, jwks, keys, next_keys, clock):
    await authenticator.authenticate(f"Bearer {keys.token()}")
    jwks.write_text(next_keys.jwks_file.read_text())
    clock.seconds += 5
    await authenticator.authenticate(f"Bearer {next_keys.token()}")


async def test_unknown_keys_make_us_read_every_five_seconds_at_most(authenticator, jwks, keys, next_keys, clock):
    await authenticator.authenticate(f"Bearer {keys.token()}")
    jwks.write_text(next_keys.jwks_file.read_text())
    clock.seconds += 4.9
    with pytest.raises(TokenInvalid):
        await authenticator.authenticate(f"Bearer {next_keys.token()}")
    clock.seconds += 0.1
    await authenticator.authenticate(f"Bearer {next_keys.token()}")


async def test_a_key_that_was_taken_away_is_forgotten_with_the_tokens_it_signed(
    authenticator, jwks, keys, next_keys, clock
):
    header = f"Bearer {keys.token()}"
    await authenticator.authenticate(header)
    jwks.write_text(next_keys.jwks_file.read_text())
    clock.seconds += 300
    await authenticator.authenticate(header)  # begins to read; nobody waits for it
    await read_again(authenticator)
    with pytest.raises(TokenInvalid):
        await authenticator.authenticate(header)


SECRET_ALONE = '{"keys": [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}'


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"keys": []}', '{"keys": [7]}', '{"keys": [{"kty": "??"}]}', SECRET_ALONE]
)
async def test_keys_that_cannot_be_read_any_more_stay_in_force(authenticator, jwks, keys, clock, content):
    await authenticator.authenticate(f"Bearer {keys.token()}")
    if content is None:
        jwks.unlink()
    else:
        jwks.write_text(content)
    clock.seconds += 300
    failures = metrics.KEY_SET_FAILURES._value.get()
    authenticator._keys.refresh()
    await read_again(authenticator)
    await authenticator.authenticate(f"Bearer {keys.token(subject='another')}")
    assert metrics.KEY_SET_FAILURES._value.get() == failures + 1


async def test_without_any_key_the_service_is_unavailable_until_there_is_one(tmp_path, keys, clock):
    file = tmp_path / "later.json"
    authenticator = Authenticator(str(file), keys.issuer, keys.audience, clock=clock)
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await authenticator.authenticate(f"Bearer {keys.token()}")
    file.write_text(keys.jwks_file.read_text())
    clock.seconds += 5
    await authenticator.authenticate(f"Bearer {keys.token()}")


class Issuer(BaseHTTPRequestHandler):
    """Serves the server's `text`, or fails without one, and counts how often it was asked."""

    def do_GET(self):
        self.server.asked += 1
        if self.server.text is None:
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture
def issuer(keys):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    server.text, server.asked = keys.jwks_file.read_text(), 0
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def url(issuer):
    return f"http://127.0.0.1:{issuer.server_port}/jwks.json"


async def test_keys_come_by_http(issuer, keys):
    authenticator = Authenticator(url(issuer), keys.issuer, keys.audience)
    for subject in ("one", "two"):
        await authenticator.authenticate(f"Bearer {keys.token(subject=subject)}")
    assert issuer.asked == 1


async def test_an_issuer_rotates_and_one_that_fails_then_changes_nothing(issuer, keys, next_keys, clock):
    authenticator = Authenticator(url(issuer), keys.issuer, keys.audience, clock=clock)
    await authenticator.authenticate(f"Bearer {keys.token()}")
    issuer.text = next_keys.jwks_file.read_text()
    clock.seconds += 5
    await authenticator.authenticate(f"Bearer {next_keys.token()}")  # names a key that is new
    with pytest.raises(TokenInvalid):
        await authenticator.authenticate(f"Bearer {keys.token()}")
    for text in (None, "{"):
        issuer.text = text
        clock.seconds += 300
        authenticator._keys.refresh()
        await read_again(authenticator)
        await authenticator.authenticate(f"Bearer {next_keys.token(subject='another')}")


async def test_an_issuer_that_fails_is_asked_every_five_seconds_at_most(issuer, keys, clock):
    issuer.text = None
    key_set = KeySet(url(issuer), clock=clock)
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            await key_set.find(keys.key_id)
    assert issuer.asked == 1


async def test_an_issuer_that_refuses_connections_is_unavailable(issuer, keys, clock):
    address = url(issuer)
    issuer.shutdown()
    issuer.server_close()
    with pytest.raises(KeysUnavailable):
        await KeySet(address, clock=clock).find(keys.key_id)


async def test_an_issuer_that_speaks_no_http_is_unavailable(keys):
    async def babble(_reader, writer):
        writer.write(b"no HTTP at all\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        authenticator = Authenticator(f"http://127.0.0.1:{port}/jwks", keys.issuer, "millwright")
        with pytest.raises(KeysUnavailable):
            await authenticator.authenticate(f"Bearer {keys.token()}")


async def test_an_answer_without_end_is_no_key_set(issuer, keys, clock):
    issuer.text = json.dumps({"keys": [], "padding": "x" * 2_000_000})
    with pytest.raises(KeysUnavailable):
        await KeySet(url(issuer), clock=clock).find(keys.key_id)
