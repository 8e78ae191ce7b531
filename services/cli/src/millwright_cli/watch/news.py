"""What a look at a service gives, and what of it is new since the look before. It calls nothing and draws nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from google.protobuf.message import Message
from rich.text import Text

from millwright_cli.output import as_json


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a service is at, or was: an instance, an approval, a replay, a run, an install and the like."""

    name: str
    state: str
    """As the contract calls it. A change of it is news."""
    is_open: bool
    line: Text
    message: Message


@dataclass(frozen=True, slots=True)
class News:
    """One thing that came about."""

    line: Text
    body: Mapping[str, object]
    """The same for a script."""

    @classmethod
    def of(cls, line: Text, message: Message) -> Self:
        """Make news of a resource: for a script it is the resource, under what it is."""
        return cls(line, {message.DESCRIPTOR.name.lower(): as_json(message)})


@dataclass(frozen=True, slots=True)
class Look:
    """A service as it is: what it is at, the newest of what it was at, and how its release logs have grown."""

    things: Sequence[Thing]
    moves: Sequence[News] = ()


class Source(Protocol):
    """A service that can be looked at."""

    service: str

    def look(self) -> Look:
        """Ask the service; raises grpc.RpcError."""
        ...


class Known:
    """What the looks at one service have shown."""

    def __init__(self) -> None:
        self.open: list[Thing] = []
        self._states: dict[str, str] | None = None

    def take(self, look: Look) -> list[News]:
        """Give what is news: each thing in another state than before, and each move. At first, what is open."""
        before = self._states
        told = [
            News.of(it.line, it.message)
            for it in look.things
            if (before is None and it.is_open) or (before is not None and before.get(it.name) != it.state)
        ]
        self._states = {it.name: it.state for it in look.things}
        self.open = [it for it in look.things if it.is_open]
        return [*look.moves, *told]


Release = TypeVar("Release")


class ReleaseLogs(Generic[Release]):
    """The release logs of a service, as far as they were read."""

    def __init__(self) -> None:
        self._revisions: Mapping[str, int] | None = None

    def grown(
        self, revisions: Mapping[str, int], read: Callable[[str, int], Iterable[Release]]
    ) -> list[tuple[str, Release]]:
        """Give the releases since the last time, oldest first, each with whose it is; none the first time.

        `revisions` has the newest of each log; `read` gives so many of the newest releases of one, newest first.
        """
        before, self._revisions = self._revisions, revisions
        if before is None:
            return []
        return [
            (name, release)
            for name, revision in revisions.items()
            if revision > before.get(name, 0)
            for release in reversed([*read(name, revision - before.get(name, 0))])
        ]
