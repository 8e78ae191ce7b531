"""Where an act plays: the stage it is shown on, the running stack, and the plant around it."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from millwright_local.demo.plant import Plant
from millwright_local.demo.stage import Stage
from millwright_local.stack import Stack

EXAMPLES = Path(__file__).parents[5] / "examples"


@dataclass(frozen=True, slots=True)
class Scene:
    """What every act finds, and leaves as running as it found it."""

    stage: Stage
    stack: Stack
    plant: Plant

    @property
    def token(self) -> str:
        """The operator's token."""
        return self.stack.token_file.read_text()


class Act(Protocol):
    """One act of the demo, told in a scene."""

    title: str

    def __init__(self, scene: Scene) -> None: ...

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        ...


def new_id() -> str:
    """Make an id that no other thing has."""
    return str(uuid.uuid4())
