"""CatalogueService: how what the built-in functions call fares."""

from __future__ import annotations

from typing import Any

from millwright.workflow.v1 import catalogue_service_pb2 as pb
from millwright.workflow.v1 import catalogue_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, messages

from millwright_workflow.domain.circuit import HEALTHY, Circuit
from millwright_workflow.store.circuits import SHARED, CircuitStates


class CatalogueServicer(pb_grpc.CatalogueServiceServicer):
    """Serves CatalogueService."""

    def __init__(self, states: CircuitStates, functions: tuple[str, ...]) -> None:
        """List the circuits of `functions`, also while nothing has ever failed."""
        self._states = states
        self._functions = functions

    async def ListCircuits(self, _request: pb.ListCircuitsRequest, _context: Any) -> pb.ListCircuitsResponse:
        """List the circuits of the catalogue, and those of the tenant that are not healthy."""
        circuits = dict.fromkeys(self._functions, HEALTHY)
        circuits.update(await self._states.all(SHARED))
        circuits.update(await self._states.all(calls.current().principal.tenant))
        return pb.ListCircuitsResponse(circuits=[_message(name, circuits[name]) for name in sorted(circuits)])


def _message(name: str, circuit: Circuit) -> pb.Circuit:
    return pb.Circuit(
        name=name,
        state=pb.Circuit.State.Value(f"STATE_{circuit.state.value}"),
        failures=circuit.failures,
        retry_time=messages.timestamp(circuit.retry_time),
    )
