"""What those who call know: each call with its answer, each work with its end, each stream with what came, each harm.

It judges nothing. Everything is also a line of the journal as it happens, so that a run can be read afterwards.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Call:
    """Something asked for until it was answered: acknowledged, or refused for a reason that the contract names."""

    service: str
    kind: str
    begin: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0
    end: float | None = None
    refusal: str = ""

    @property
    def is_acknowledged(self) -> bool:
        """Whether the service said that it is done."""
        return self.end is not None and not self.refusal


@dataclass(slots=True)
class Work:
    """Something that goes on after its call was answered, and has to end."""

    service: str
    kind: str
    name: str
    begin: float
    end: float | None = None
    state: str = ""
    steps: list[str] = field(default_factory=list)
    """What was told to be done on the way."""


@dataclass(slots=True)
class Stream:
    """A watch, however often it had to be opened."""

    service: str
    kind: str
    name: str
    sequences: list[int] = field(default_factory=list)
    openings: int = 0
    has_ended: bool = False


@dataclass(slots=True)
class Harm:
    """A fault that was done."""

    kind: str
    target: str
    begin: float
    end: float | None = None

    @property
    def party(self) -> str:
        """The service, or the server, that was harmed."""
        return party_of(self.target)


def party_of(target: str) -> str:
    """Name the service, or the server, that the target of a fault is or is a part of."""
    return target.partition("-")[0]


class Book:
    """The book of one run; `journal` is its file."""

    def __init__(self, journal: Path) -> None:
        self.calls: list[Call] = []
        self.works: list[Work] = []
        self.streams: list[Stream] = []
        self.harms: list[Harm] = []
        self.told: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By kind: the things that acknowledged calls have made, by name, and how many calls were told of each."""
        self.surprises: list[str] = []
        """Answers that no contract names."""
        self.begin = time.monotonic()
        self.rest_time = 0.0
        """When all was mended, in seconds since the begin."""
        journal.parent.mkdir(parents=True, exist_ok=True)
        self._journal = journal.open("w", encoding="utf-8")

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.begin

    def begin_again(self) -> None:
        """Count the seconds from now on; what was before was preparation, and has negative ones."""
        passed = self.now
        self.begin += passed
        for noted in (*self.calls, *self.works):
            noted.begin -= passed
            noted.end = None if noted.end is None else noted.end - passed

    def come_to_rest(self) -> None:
        """Note that all is mended, and nothing new is begun."""
        self.rest_time = self.now
        self.write("rest")

    def open_call(self, service: str, kind: str) -> Call:
        """Note that something is going to be asked for."""
        self.calls.append(Call(service, kind, self.now))
        return self.calls[-1]

    def close_call(self, call: Call, refusal: str = "") -> None:
        """Note that it was answered."""
        call.end, call.refusal = self.now, refusal
        self.write("call", service=call.service, kind=call.kind, id=call.id, attempts=call.attempts, refusal=refusal)

    def note_call(self, service: str, kind: str, begin: float) -> None:
        """Note one acknowledgement of a stream, waited for since `begin`."""
        self.calls.append(Call(service, kind, begin, attempts=1))
        self.close_call(self.calls[-1])

    def tell(self, kind: str, name: str) -> None:
        """Note that a call was told of something that it has made, and that is there from now on."""
        self.told[kind][name] += 1

    def open_work(self, service: str, kind: str, name: str) -> Work:
        """Note that a work has begun."""
        self.works.append(Work(service, kind, name, self.now))
        self.write("begun", kind=kind, name=name)
        return self.works[-1]

    def close_work(self, work: Work, state: str) -> None:
        """Note how it ended."""
        work.end, work.state = self.now, state
        self.write("ended", kind=work.kind, name=work.name, state=state, seconds=round(work.end - work.begin, 3))

    def open_stream(self, service: str, kind: str, name: str) -> Stream:
        """Note that a watch begins."""
        self.streams.append(Stream(service, kind, name))
        return self.streams[-1]

    def open_harm(self, kind: str, target: str) -> Harm:
        """Note that a fault begins."""
        self.harms.append(Harm(kind, target, self.now))
        self.write("harm", kind=kind, target=target)
        return self.harms[-1]

    def close_harm(self, harm: Harm) -> None:
        """Note that it is over."""
        harm.end = self.now
        self.write("mended", kind=harm.kind, target=harm.target, seconds=round(harm.end - harm.begin, 3))

    def surprise(self, what: str) -> None:
        """Note what should not have been answered."""
        self.surprises.append(what)
        self.write("surprise", answer=what)

    def write(self, what: str, **fields: Any) -> None:
        """Write a line of the journal."""
        print(json.dumps({"at": round(self.now, 3), "what": what, **fields}), file=self._journal, flush=True)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()
