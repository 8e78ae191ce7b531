"""The suite's contract, as routes may name it: every RPC of the services, and what a page needs to call it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache

from google.protobuf.descriptor import ServiceDescriptor
from millwright.api.v1 import service_pb2

from millwright_modules.domain.routes import Contract

_SERVICES = ("workflow", "judgment", "etl", "modules")


@cache
def contract() -> Contract:
    """Give each RPC with its permission: to read for those that viewers may call, and to write for all others."""
    return {
        f"{service.full_name}/{method.name}": f"{name}.{_verb(method.GetOptions().Extensions[service_pb2.access])}"
        for name in _SERVICES
        for service in _services(name)
        for method in service.methods
    }


def _verb(access: int) -> str:
    return "read" if access == service_pb2.ACCESS_VIEWER else "write"


def _services(name: str) -> Iterator[ServiceDescriptor]:
    package = importlib.import_module(f"millwright.{name}.v1")
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.name.endswith("_service_pb2"):
            yield from importlib.import_module(found.name).DESCRIPTOR.services_by_name.values()
