"""What benches stand on: a stack of their own on disk, with every flush, and a client of its workflow service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from millwright_local.scratch import scratch_directory
from millwright_local.stack import TENANT, Stack
from millwright_local.workflow_client import WorkflowClient


@asynccontextmanager
async def fresh_stack() -> AsyncIterator[Stack]:
    """Start a stack that shares nothing with any other; Postgres flushes each commit to disk."""
    settings = {"track_commit_timestamp": "on"}  # the storm's judge needs it; it costs next to nothing
    with scratch_directory(on_disk=True) as home:
        async with Stack(home, free_ports=True, environment={}, postgres_settings=settings) as stack:
            yield stack


def client_of(stack: Stack, service: str = "workflow") -> WorkflowClient:
    """Return a client of one of the stack's processes, to be closed by the caller."""
    return WorkflowClient(stack.endpoints[service], stack.keys.token(tenant=TENANT))


def definition(name: str, number: int) -> str:
    """Return the definition of a small workflow, in a version of this number."""
    document = f"dsl: 1.0.1, namespace: bench, name: {name}, version: 1.0.{number}"
    return f"document: {{{document}}}\ndo: [{{note: {{set: {{number: {number}}}}}}}]\n"
