"""Settings of a service, read from the environment once at start. Every wrong one is named before the process ends."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from millwright_runtime.postgres.tables import AUDIT_LEAST_DAYS


def _host_and_port(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not (separator and host and port.isdecimal() and int(port) <= 65535):
        message = "must be HOST:PORT, such as 0.0.0.0:50051"
        raise ValueError(message)
    return value


def _scheme(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        scheme, _, rest = value.get_secret_value().partition("://")
        if scheme not in schemes:
            message = f"must be a URL that begins with {schemes[0]}://"
            raise ValueError(message)
        _check_ports(rest)
        return value

    return AfterValidator(check)


def _check_ports(rest: str) -> None:
    """Raise ValueError if a port is none: a sign of a password that was not encoded ended the host too early.

    Clients would say so, too, and repeat that part of the password.
    """
    hosts = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    for host in hosts.split(","):
        port = host.rpartition("]")[2].partition(":")[2]
        if port and not port.isdecimal():
            raise ValueError("has a port that is no number: percent-encode the signs in its password")


Address = Annotated[str, AfterValidator(_host_and_port)]
"""`host:port`; port 0 asks for a free one."""
PostgresUrl = Annotated[SecretStr, _scheme("postgresql", "postgres")]
NatsUrl = Annotated[SecretStr, _scheme("nats", "tls")]
ValkeyUrl = Annotated[SecretStr, _scheme("redis", "rediss", "unix")]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


class PortTaken(Exception):
    """An address to listen on is in use, or is not ours."""

    def __init__(self, address: str) -> None:
        super().__init__(f"cannot listen on {address}: another process does, or the address is not ours")


class TenantLimit(BaseModel):
    """How often one tenant may call one process. What is not set is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls_per_second: Annotated[float, Field(gt=0)] | None = None
    """Calls, of which opening a stream is one."""
    calls_burst: Annotated[int, Field(ge=1)] | None = None
    """How many may come at once after a quiet time. Unset: what two seconds bring."""
    writes_per_second: Annotated[float, Field(gt=0)] | None = None
    """Those among them that the audit log has entries of."""
    writes_burst: Annotated[int, Field(ge=1)] | None = None
    """The same as of calls."""


class ServiceSettings(BaseSettings):
    """What every service needs to know. A service subclasses it with its own prefix and what it adds."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: PostgresUrl
    """Postgres, as the service's own role: it must own nothing and must not pass row-level security."""
    migration_database_url: PostgresUrl | None = None
    """Postgres, as the owner of the service's schema; used by `migrate` alone. Unset: `database_url`."""
    database_connections: Annotated[int, Field(ge=2, le=200)] = 10
    """How many connections one process keeps open at most."""
    nats_url: NatsUrl = SecretStr("nats://127.0.0.1:4222")
    """NATS with JetStream; of a cluster several, with commas."""
    nats_ca: Path | None = None
    """The authorities in PEM that NATS's certificate is checked by; the service shows its own, if it has one. Unset:
    the system's authorities, where TLS is spoken."""
    valkey_url: ValkeyUrl = SecretStr("redis://127.0.0.1:6379/0")
    """Valkey or Redis."""

    listen: Address = "0.0.0.0:50051"
    """Where gRPC is served."""
    metrics_listen: Address = "0.0.0.0:9090"
    """Where Prometheus metrics are served over HTTP, at /metrics."""
    health_listen: Address | None = None
    """Where health, and nothing else, is served in plaintext besides: for probes that cannot do TLS. Unset: nowhere."""

    tls_certificate: Path | None = None
    """The certificate of this service in PEM, with those between it and its authority. Unset: gRPC is in plaintext."""
    tls_key: Annotated[Path | None, Field(validate_default=True)] = None
    """The private key of that certificate in PEM, unencrypted."""
    tls_client_ca: Path | None = None
    """The authorities in PEM of which each client must show a certificate. Unset: clients show none."""

    jwks: str
    """The keys that callers' tokens are signed with: a file or an http(s) URL of a JSON Web Key Set."""
    jwt_issuer: str
    """The `iss` that tokens must carry."""
    jwt_audience: str = "millwright"
    """The `aud` that tokens must carry."""

    max_message_bytes: Annotated[int, Field(ge=4 * 1024 * 1024)] = 4 * 1024 * 1024
    """The largest request that is read: at least what the contract allows, such as an output of 3.5 MiB."""
    max_concurrent_calls: Annotated[int, Field(ge=1)] = 512
    """Unary calls in progress, or waiting for their turn, before further ones are told to come back."""
    late_seconds: Annotated[float, Field(gt=0)] = 0.1
    """How late the process may be with what is in progress before fewer calls than that are served at once."""
    max_watch_streams: Annotated[int, Field(ge=1)] = 2000
    """Streams open before further ones are told to come back."""
    tenant_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    """How much of these two one tenant may have, so that there is room for the others."""
    tenant_limit: TenantLimit = TenantLimit()
    """How often a tenant may call; JSON."""
    tenant_limits: dict[str, TenantLimit] = {}
    """What is so for some tenants instead, by their names; JSON."""
    default_deadline_seconds: Annotated[float, Field(gt=0)] = 30.0
    """The deadline of unary calls that come without one."""
    drain_seconds: Annotated[float, Field(ge=0)] = 20.0
    """How long calls in progress may take after SIGTERM."""
    event_retention_days: Annotated[int, Field(ge=1)] = 7
    """How long JetStream keeps events."""
    event_log_retention_days: Annotated[int, Field(ge=1)] = 30
    """How long Postgres keeps events, and longer where what they tell of is still needed."""
    audit_retention_days: Annotated[int, Field(ge=AUDIT_LEAST_DAYS)] = 400
    """How long Postgres keeps the audit log; at least 90 days, which the database sees to."""
    log_level: LogLevel = "INFO"
    """The least severe level that is logged."""

    @field_validator("tls_key")
    @classmethod
    def _key_of_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_certificate") is None):
            raise ValueError("must be set where TLS_CERTIFICATE is, and nowhere else")
        return value

    @field_validator("tls_client_ca")
    @classmethod
    def _clients_of_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value and info.data.get("tls_certificate") is None:
            raise ValueError("needs TLS_CERTIFICATE: there are no clients' certificates without TLS")
        return value


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load(kind: type[SettingsT]) -> SettingsT:
    """Read `kind` from the environment; on a fault print one line for each wrong setting and exit with code 2."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for fault in error.errors(include_url=False, include_input=False):
            name = f"{prefix}{'_'.join(map(str, fault['loc']))}".upper()
            what = "is not set" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"{name}: {what}\n")
        raise SystemExit(2) from None
