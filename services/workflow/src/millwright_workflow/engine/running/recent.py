"""The newest checkpoints of a running instance, in the memory of the process that runs it: the quickest tier."""

from __future__ import annotations

from collections import OrderedDict

from millwright_workflow.domain.execution import Checkpoint, Step

_LIMIT_CHARACTERS = 256 * 1024


class Recent:
    """Checkpoints by the number of their step, the oldest given up where they grow too large together."""

    def __init__(self) -> None:
        self._checkpoints: OrderedDict[int, Checkpoint] = OrderedDict()
        self._characters = 0

    def note(self, step: Step) -> None:
        """Keep the result of a step that is durable, if it has one."""
        if (kept := step.checkpoint) is None:
            return
        self._checkpoints[kept.number] = kept
        self._characters += len(kept.output)
        while self._characters > _LIMIT_CHARACTERS:
            _, oldest = self._checkpoints.popitem(last=False)
            self._characters -= len(oldest.output)

    def find(self, number: int | None) -> Checkpoint | None:
        """Give the checkpoint of a step, or the newest."""
        if number is None:
            return next(reversed(self._checkpoints.values()), None)
        return self._checkpoints.get(number)
