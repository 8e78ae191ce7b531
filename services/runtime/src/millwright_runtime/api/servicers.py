"""What protoc generated for a servicer: the descriptor of its service, and how it is added to a server."""

from __future__ import annotations

import sys

import grpc
from google.protobuf.descriptor import ServiceDescriptor

_GENERATED = "_pb2_grpc"


class NoServicer(TypeError):
    """An object does not extend a servicer that protoc generated: a mistake of ours."""


def descriptor(servicer: object) -> ServiceDescriptor:
    """Give the service that `servicer` serves."""
    base = _base(servicer)
    messages = sys.modules[base.__module__.removesuffix("_grpc")]  # the stubs have imported it
    service: ServiceDescriptor = messages.DESCRIPTOR.services_by_name[base.__name__.removesuffix("Servicer")]
    return service


def add(servicer: object, server: grpc.aio.Server) -> None:
    """Let `server` serve it."""
    base = _base(servicer)
    getattr(sys.modules[base.__module__], f"add_{base.__name__}_to_server")(servicer, server)


def _base(servicer: object) -> type:
    for base in type(servicer).__mro__:
        if base.__module__.endswith(_GENERATED) and base.__name__.endswith("Servicer"):
            return base
    raise NoServicer(type(servicer).__qualname__)
