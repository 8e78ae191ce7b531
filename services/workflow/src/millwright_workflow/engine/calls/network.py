"""The networks that workflows may not reach, held against the very addresses that are connected to.

Owns the rule and the look-up of names for who cannot take a socket from us. Opens no connection.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, TypeAlias

IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_V4_IN_V6 = 0xFFFFFFFF


class AddressDenied(OSError):
    """The address is in a network that workflows may not reach."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "the address is in a network that workflows may not reach")


class Network:
    """What may be reached."""

    def __init__(self, denied: Iterable[IpNetwork] = ()) -> None:
        self._denied = tuple(denied)

    def check(self, address: str) -> None:
        """Raise AddressDenied for an address in a denied network, also in one of the forms IPv6 has for IPv4."""
        for form in _forms(ipaddress.ip_address(address.partition("%")[0])):
            if any(form.version == network.version and form in network for network in self._denied):
                raise AddressDenied

    def open_socket(self, target: tuple[Any, ...]) -> socket.socket:
        """Make the socket that is to be connected to a `getaddrinfo` entry; raise AddressDenied.

        Whoever connects asks here with the address itself: no name can mean one thing now and another later.
        """
        family, kind, protocol, _, address = target
        self.check(address[0])
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003 - the standard library's signature
        return made

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """Give the addresses of a host that may be reached; raise AddressDenied if none may, OSError if it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        allowed = [entry[4][:2] for entry in found if self._is_allowed(entry[4][0])]
        if not allowed:
            raise AddressDenied
        return [(str(address), int(number)) for address, number in allowed]

    def _is_allowed(self, address: str | int) -> bool:
        try:
            self.check(str(address))
        except AddressDenied:
            return False
        return True


def parse_networks(text: str) -> tuple[IpNetwork, ...]:
    """Read networks with commas between them; raise ValueError for what is none."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _forms(address: IpAddress) -> Iterable[IpAddress]:
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and (address in _NAT64 or int(address) <= _V4_IN_V6):
            inner = ipaddress.IPv4Address(int(address) & _V4_IN_V6)
        if inner is not None:
            yield inner
