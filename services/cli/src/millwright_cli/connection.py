"""Where a service is, who calls, and which calls are repeated when the connection breaks.

It finds the endpoint and the token (options, environment, else the local stack) and makes the channel. It knows no
service: what may be repeated is read from the contract.
"""

import ipaddress
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor
from millwright.api.v1 import service_pb2

from millwright_cli import errors
from millwright_cli.watching import Stream
from millwright_cli.words import Word, Words

Request = TypeVar("Request")
Response = TypeVar("Response")

# Repeats of one call, all within its deadline.
_RETRY_POLICY = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],  # by the service: it could not take the call in
}

STACK_FILE = Path(".millwright/stack.json")

_CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A watch that goes quiet because its peer is gone, not because nothing happens, breaks within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


@dataclass
class Options:
    """The options that every command takes, as they were given."""

    endpoint: str | None = None
    token: str | None = None
    token_file: Path | None = None
    timeout: float = 10.0
    ca: Path | None = None
    cert: Path | None = None
    cert_key: Path | None = None
    plaintext: bool = False


@dataclass(frozen=True)
class Service:
    """A service of the contract: its name in settings and in the local stack, the RPCs that a command uses, and the
    words and the advice that are its own."""

    name: str
    contract: FileDescriptor
    words: tuple[type[Enum], ...]

    @property
    def repeatable(self) -> list[dict[str, str]]:
        """The RPCs that may be sent again when nobody knows whether they arrived.

        These are reads, and writes that carry a `request_id` or an `idempotency_key`, which every command fills in.
        Streams are not among them: `watching` resumes them where they broke.
        """
        return [
            {"service": service.full_name, "method": method.name}
            for service in self.contract.services_by_name.values()
            for method in service.methods
            if not method.server_streaming
            and (
                method.GetOptions().Extensions[service_pb2.access] == service_pb2.ACCESS_VIEWER
                or any(key in method.input_type.fields_by_name for key in ("request_id", "idempotency_key"))
            )
        ]


@dataclass(frozen=True)
class Peer:
    """A service to call: its address, and the token that says who calls."""

    endpoint: str
    token: str | None

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, so that nobody listens in between."""
        host = self.endpoint.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class Connection:
    """A channel to one service, with the caller's token on each call."""

    def __init__(self, channel: grpc.Channel, token: str | None, timeout: float) -> None:
        self.channel = channel
        self.timeout = timeout
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Call once, as far as the service can tell: repeats after UNAVAILABLE carry the same request.

        Raises grpc.RpcError, after `timeout` seconds at the latest.
        """
        return method(request, timeout=self.timeout, metadata=self._metadata)

    def send(self, method: "grpc.StreamUnaryMultiCallable[Request, Response]", requests: Iterator[Request]) -> Response:
        """Send a stream of requests without a deadline, and give the answer. Raises grpc.RpcError."""
        return method(requests, metadata=self._metadata)

    def stream(self, method: "grpc.UnaryStreamMultiCallable[Request, Response]", request: Request) -> Stream[Response]:
        """Open a stream without a deadline. It is for the caller to cancel."""
        return method(request, metadata=self._metadata)

    def exchange(
        self, method: "grpc.StreamStreamMultiCallable[Request, Response]", requests: Iterator[Request]
    ) -> Stream[Response]:
        """Open a stream in both directions without a deadline: what is sent is asked for as it can be taken."""
        return method(requests, metadata=self._metadata)


def new_request_id() -> str:
    """Make the id of one write, made once and sent with every repeat of it."""
    return str(uuid.uuid4())


@contextmanager
def connect(options: Options, service: Service, say: Words) -> Iterator[Connection]:
    """Connect to a service, and close behind; the first bytes go out with the first call.

    Raises Failure where nothing says where to go.
    """
    peer = find(options, service.name, say)
    with _channel(options, peer, service, say) as channel:
        yield Connection(channel, peer.token, options.timeout)


def find(options: Options, service: str, say: Words) -> Peer:
    """Find a service and the token for it: as options or environment say, else in the local stack.

    The local stack's token goes to the local stack only: whoever names an endpoint brings a token for it.
    """
    token = options.token or (_token_in(options.token_file, say) if options.token_file else None)
    if endpoint := options.endpoint or os.environ.get(f"MILLWRIGHT_{service.upper()}_ENDPOINT"):
        if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}", endpoint):
            raise errors.usage("BAD_ENDPOINT", say(Word.BAD_ENDPOINT, endpoint=endpoint))
        return Peer(endpoint, token)
    path = _nearest_stack()
    if path is None:
        raise errors.usage("NO_STACK", say(Word.NO_STACK, directory=Path.cwd()))
    return _stack_peer(path, service, token, say)


def _stack_peer(path: Path, service: str, token: str | None, say: Words) -> Peer:
    bad_stack = errors.usage("BAD_STACK", say(Word.BAD_STACK, path=path))
    try:
        stack = json.loads(path.read_text())
        peer, token_file = Peer(str(stack["endpoints"][service]), token), path.parent / stack["token_file"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise bad_stack from error
    # A file that lies about in some directory must not send a token, or whatever it calls one, to another machine.
    if not peer.is_loopback:
        raise bad_stack
    return Peer(peer.endpoint, token or _token_in(token_file, say))


def _nearest_stack() -> Path | None:
    here = Path.cwd()
    return next((found for each in (here, *here.parents) if (found := each / STACK_FILE).is_file()), None)


def _token_in(path: Path, say: Words) -> str:
    return _read(path, say).decode(errors="replace").strip()


def _channel(options: Options, peer: Peer, service: Service, say: Words) -> grpc.Channel:
    wants_tls = options.ca or options.cert or options.cert_key
    if wants_tls and options.plaintext:
        raise errors.usage("BAD_SECURITY", say(Word.BAD_SECURITY))
    if (options.cert is None) != (options.cert_key is None):
        raise errors.usage("HALF_CERTIFICATE", say(Word.HALF_CERTIFICATE))
    config = {"methodConfig": [{"name": service.repeatable, "retryPolicy": _RETRY_POLICY}]}
    channel_options = [*_CHANNEL_OPTIONS, ("grpc.service_config", json.dumps(config))]
    if options.plaintext or (peer.is_loopback and not wants_tls):
        # A proxy set for the outside world has no way back into this machine.
        proxy = [("grpc.enable_http_proxy", 0)] if peer.is_loopback else []
        return grpc.insecure_channel(peer.endpoint, options=[*channel_options, *proxy])
    ca, key, cert = (_read(path, say) if path else None for path in (options.ca, options.cert_key, options.cert))
    credentials = grpc.ssl_channel_credentials(ca, key, cert)
    return grpc.secure_channel(peer.endpoint, credentials, options=channel_options)


def _read(path: Path, say: Words) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause=cause)) from error
