"""Connections to gRPC servers of other systems: kept for the next call, and not more than a few.

Owns the channels. What they may reach is decided before they are made: each is bound to addresses, never to a name.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc

from millwright_workflow.engine.calls.web import ANSWER_LIMIT_BYTES

_MOST_IDLE: Final = 64
_IDENTITY_ONLY: Final = 1


@dataclass(frozen=True, slots=True)
class Target:
    """A server."""

    host: str
    port: int
    is_secure: bool
    addresses: tuple[str, ...]

    @property
    def uri(self) -> str:
        """Give its addresses, of one family, in the form that gRPC has for them."""
        family = "ipv6" if ":" in self.addresses[0] else "ipv4"
        same = [address for address in self.addresses if (":" in address) == (family == "ipv6")]
        shown = (f"[{address}]" if family == "ipv6" else address for address in same)
        return f"{family}:{','.join(f'{address}:{self.port}' for address in shown)}"


@dataclass(slots=True)
class _Kept:
    channel: grpc.aio.Channel
    calls: int = 0


class Channels:
    """Open channels, by target."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Target, _Kept] = OrderedDict()

    async def close(self) -> None:
        """Close all."""
        kept = list(self._kept.values())
        self._kept.clear()
        for each in kept:
            await each.channel.close()

    @asynccontextmanager
    async def to(self, target: Target) -> AsyncIterator[grpc.aio.Channel]:
        """Give a channel for one call. Of the idle ones, those used the longest ago are closed past a number."""
        kept = self._kept.get(target)
        if kept is None:
            kept = self._kept[target] = _Kept(_open(target))
        self._kept.move_to_end(target)
        kept.calls += 1
        try:
            yield kept.channel
        finally:
            kept.calls -= 1
            await self._close_some()

    async def _close_some(self) -> None:
        idle = [target for target, kept in self._kept.items() if kept.calls == 0]
        for target in idle[: max(0, len(idle) - _MOST_IDLE)]:
            await self._kept.pop(target).channel.close()


def _open(target: Target) -> grpc.aio.Channel:
    authority = f"[{target.host}]" if ":" in target.host else target.host
    options: list[tuple[str, Any]] = [
        ("grpc.default_authority", f"{authority}:{target.port}"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.max_receive_message_length", ANSWER_LIMIT_BYTES),
        ("grpc.max_send_message_length", ANSWER_LIMIT_BYTES),
        ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ONLY),  # a small message stays small
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if not target.is_secure:
        return grpc.aio.insecure_channel(target.uri, options)
    options.append(("grpc.ssl_target_name_override", target.host))
    return grpc.aio.secure_channel(target.uri, grpc.ssl_channel_credentials(), options)
