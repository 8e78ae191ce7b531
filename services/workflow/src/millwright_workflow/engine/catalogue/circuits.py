"""Circuits: stands between a carrier and what it calls, and refuses calls of what is known to be down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from millwright_workflow.domain import circuit as domain
from millwright_workflow.domain.interpreter import CallHttp, HttpAnswer, WorkflowFault, errors
from millwright_workflow.engine.running.driver import Caller, Carrier
from millwright_workflow.store.circuits import CircuitStates

_SERVER_FAULT = 500
_COMMUNICATION = f"{errors.TYPES}communication"

ResultT = TypeVar("ResultT")


class Circuits:
    """Guards calls, each by the circuit of what it calls."""

    def __init__(self, states: CircuitStates) -> None:
        self._states = states

    async def call(
        self,
        tenant: str,
        name: str,
        pointer: str,
        operation: Callable[[], Awaitable[ResultT]],
        is_failure: Callable[[ResultT], bool] = lambda _: False,
    ) -> ResultT:
        """Give what `operation` gives, throw what it throws; throw a communication fault, 503, if the circuit is open.

        A communication fault of 500 or more is a failure of the other side, and so is a result that `is_failure`.
        """
        if await self._states.change(tenant, name, lambda circuit: domain.admit(circuit, datetime.now(UTC))) is None:
            raise errors.communication(pointer, f"The circuit of {name} is open: it has failed too often lately.", 503)
        try:
            result = await operation()
        except WorkflowFault as fault:
            is_theirs = fault.error.type == _COMMUNICATION and fault.error.status >= _SERVER_FAULT
            await self._note(tenant, name, is_failed=is_theirs)
            raise
        await self._note(tenant, name, is_failed=is_failure(result))
        return result

    async def _note(self, tenant: str, name: str, *, is_failed: bool) -> None:
        def move(circuit: domain.Circuit) -> domain.Circuit:
            return domain.fail(circuit, datetime.now(UTC)) if is_failed else domain.succeed(circuit)

        await self._states.change(tenant, name, move)


def guard_http(circuits: Circuits, carry_out: Carrier) -> Carrier:
    """Give a carrier of HTTP calls with a circuit for each host, of each tenant's own."""

    async def guarded(caller: Caller, call: CallHttp) -> HttpAnswer:
        host = urlsplit(call.uri).netloc.rpartition("@")[2] or "unknown"
        answer: HttpAnswer = await circuits.call(
            caller.instance.tenant,
            host,
            call.reference.pointer,
            lambda: carry_out(caller, call),
            lambda answer: answer.status >= _SERVER_FAULT,
        )
        return answer

    return guarded
