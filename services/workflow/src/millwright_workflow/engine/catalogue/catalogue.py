"""The built-in catalogue: each function by its name, and who carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.engine.running.driver import Caller, Carrier


class Catalogue:
    """Carries out `Invoke`."""

    def __init__(self, functions: Mapping[str, Carrier]) -> None:
        self._functions = functions

    async def carry_out(self, caller: Caller, call: Invoke) -> Any:
        """Give what the function gives; throw a configuration fault for one that this service does not have."""
        function = self._functions.get(call.function)
        if function is None:
            detail = f"The function {call.function!r} is not in this service."
            raise errors.configuration(call.reference.pointer, detail)
        return await function(caller, call)
