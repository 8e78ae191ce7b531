"""A synchronous engine for the tests: its clock moves only where a walk waits, and it forgets nothing it committed."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import jq
import pytest
import yaml
from millwright_workflow.domain.definition import canonical_json, load, unwrap
from millwright_workflow.domain.interpreter import (
    Begin,
    CallGrpc,
    CallHttp,
    Catch,
    Commit,
    Consume,
    Delivery,
    Emit,
    Evaluate,
    Fail,
    Failure,
    FetchDocument,
    Fork,
    GrpcAnswer,
    History,
    HttpAnswer,
    Identity,
    Invoke,
    Retry,
    RunWorkflow,
    Subscribe,
    TaskResult,
    Validate,
    Wait,
    Within,
    WorkflowFault,
    WorkflowPlan,
    errors,
    match_event,
    plan_workflow,
    walk_workflow,
)

START = datetime(2026, 3, 2, 8, 30, 0, 250_000, tzinfo=UTC)
IDENTITY = Identity("i-7", START, "millwright", "0.1.0")
NEVER = datetime.max.replace(tzinfo=UTC)
HEADER = {"dsl": "1.0.3", "namespace": "plant", "name": "line-check", "version": "2.1.0"}


class Stopped(Exception):
    """The engine was told to stop after so many commits."""


class Stuck(Exception):
    """Nothing is left that could go on: the walk waits for events that do not come."""


@dataclass
class Engine:
    """Carries out effects at once and writes down what it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    stop_after: int | None = None
    now: datetime = START
    began: list[str] = field(default_factory=list)
    commits: list[TaskResult] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    retries: list[Retry] = field(default_factory=list)
    calls: list[CallHttp] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    evaluations: list[Evaluate] = field(default_factory=list)
    output: Any = None
    events: list[Any] = field(default_factory=list)
    inboxes: dict[str, list[Delivery]] = field(default_factory=dict)
    subscriptions: list[Subscribe] = field(default_factory=list)
    emitted: list[Any] = field(default_factory=list)
    children: list[RunWorkflow] = field(default_factory=list)
    rpcs: list[CallGrpc] = field(default_factory=list)
    invocations: list[Invoke] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    fetches: list[FetchDocument] = field(default_factory=list)
    validations: list[Validate] = field(default_factory=list)
    failed: list[tuple[str, Any]] = field(default_factory=list)
    dice: Random = field(default_factory=lambda: Random(7))
    identity: Identity = IDENTITY
    is_watched: bool = False
    _first: dict[str, datetime] = field(default_factory=dict)
    _saved: int = 0

    def run(self, plan: WorkflowPlan, data: Any = None) -> Any:
        """Walk an instance to its end and give its output."""
        return self.drive(walk_workflow(plan, data, self.history, self.identity, is_watched=self.is_watched))

    def runs_to_its_end(self, plan: WorkflowPlan, data: Any = None) -> bool:
        """Tell whether the walk ended before this engine was to stop; its output is then in `output`."""
        return self.drives_to_its_end(walk_workflow(plan, data, self.history, self.identity))

    def drives_to_its_end(self, part: Any) -> bool:
        """Tell the same of any part."""
        try:
            self.output = self.drive(part)
        except Stopped:
            return False
        return True

    def drive(self, part: Any) -> Any:
        """Carry out a walk, letting the clock run where nothing else is left to do."""
        turns = self._turns(part)
        while True:
            try:
                due = next(turns)
            except StopIteration as end:
                return end.value
            if due == NEVER:
                raise Stuck
            self.now = max(self.now, due or self.now)

    def _turns(self, part: Any) -> Iterator[Any]:
        """Carry out a part, one effect a turn; yield when there is nothing to do before then, or None."""
        answer: Any = None
        fault: WorkflowFault | None = None
        while True:
            try:
                effect = part.send(answer) if fault is None else part.throw(fault)
            except StopIteration as end:
                return end.value
            answer = fault = None
            try:
                answer = getattr(self, f"_{type(effect).__name__.lower()}")(effect)
                if isinstance(answer, Generator):
                    answer = yield from answer
                elif not isinstance(effect, Commit):  # what a commit leads to happens before anything else does
                    yield None
            except WorkflowFault as raised:
                fault = raised

    @property
    def past(self) -> History:
        """Everything that this engine knows to be durable."""
        results = {**self.history.results, **{result.reference: result for result in self.commits}}
        return History(results, {**self.history.failures, **self.failures})

    def _begin(self, effect: Begin) -> datetime:
        reference = str(effect.reference)
        self.began.append(reference)
        return self._first.setdefault(reference, self.now)

    def _evaluate(self, effect: Evaluate) -> Any:
        self.evaluations.append(effect)
        return substitute(effect.template, effect)

    def _callhttp(self, effect: CallHttp) -> HttpAnswer:
        self.calls.append(effect)
        answer = self.answers[effect.uri]
        answer = answer.pop(0) if isinstance(answer, list) else answer
        if isinstance(answer, WorkflowFault):
            raise answer
        return answer

    def _fetchdocument(self, effect: FetchDocument) -> Any:
        self.fetches.append(effect)
        return self.documents[effect.uri]

    def _validate(self, effect: Validate) -> None:
        self.validations.append(effect)
        missing = [name for name in effect.schema.get("required", ()) if name not in (effect.data or {})]
        if missing:
            raise errors.validation(effect.instance, f"{missing[0]} is missing")

    def _callgrpc(self, effect: CallGrpc) -> GrpcAnswer:
        self.rpcs.append(effect)
        return self.answers[f"{effect.service}/{effect.method}"]

    def _invoke(self, effect: Invoke) -> Any:
        self.invocations.append(effect)
        return self.answers[effect.function]

    def _runworkflow(self, effect: RunWorkflow) -> Any:
        self.children.append(effect)
        answer = self.answers[effect.name] if effect.is_awaited else None
        if isinstance(answer, WorkflowFault):
            raise answer
        return answer

    def _emit(self, effect: Emit) -> Any:
        event = {"specversion": "1.0", "id": f"i-7{effect.reference}", "time": self.now.isoformat(), **effect.event}
        self.emitted.append(event)
        return event

    def _subscribe(self, effect: Subscribe) -> None:
        key = str(effect.reference)
        if key in self.inboxes:
            return
        self.subscriptions.append(effect)
        deliveries = [self.drive(match_event(effect.subscription, event)) for event in self.events]
        self.inboxes[key] = [delivery for delivery in deliveries if delivery]

    def _consume(self, effect: Consume) -> Iterator[Any]:
        inbox = self.inboxes[str(effect.reference)]
        while effect.position >= len(inbox):
            yield NEVER
        return inbox[effect.position]

    def _fork(self, effect: Fork) -> Iterator[Any]:
        live = {index: self._turns(branch.part) for index, branch in enumerate(effect.branches)}
        asleep: dict[int, datetime] = {}
        results: dict[int, Any] = {}
        try:
            while live:
                ready = [index for index in live if asleep.get(index, self.now) <= self.now]
                if not ready:
                    yield min(asleep[index] for index in live)
                    continue
                index = self.dice.choice(ready)
                try:
                    asleep[index] = next(live[index]) or self.now
                except StopIteration as end:
                    del live[index]
                    results[index] = end.value
                    if effect.is_race and end.value is not None:
                        return index, end.value
                    continue
                yield None
        finally:
            for branch in effect.branches:
                branch.part.close()
        return None if effect.is_race else [results[index] for index in range(len(effect.branches))]

    def _fail(self, effect: Fail) -> None:
        self.failed.append((str(effect.reference), effect.error))

    def _wait(self, effect: Wait) -> Iterator[Any]:
        self.waits.append(effect)
        return self._sleep(effect.seconds)

    def _retry(self, effect: Retry) -> Iterator[Any]:
        if self.past.failures.get(effect.failure.reference) == effect.failure:
            return True
        later = self.now + timedelta(seconds=effect.seconds)
        if effect.limit_seconds is not None and later > self._first[effect.failure.reference] + timedelta(
            seconds=effect.limit_seconds
        ):
            return False
        self.retries.append(effect)
        self.failures[effect.failure.reference] = effect.failure
        self._save()
        yield from self._sleep(effect.seconds)
        return True

    def _catch(self, effect: Catch) -> None:
        self.failures[effect.failure.reference] = effect.failure
        self._save()

    def _within(self, effect: Within) -> Iterator[Any]:
        deadline = self.now + timedelta(seconds=effect.seconds)
        turns = self._turns(effect.part)
        while True:
            try:
                due = next(turns)
            except StopIteration as end:
                return end.value
            yield min(due, deadline) if due else None
            if due and self.now >= deadline and due > deadline:
                effect.part.close()
                raise errors.timeout(effect.reference.pointer)

    def _commit(self, effect: Commit) -> None:
        self.commits.append(effect.result)
        self._save()

    def _save(self) -> None:
        self._saved += 1
        if self._saved == self.stop_after:
            raise Stopped

    def _sleep(self, seconds: float) -> Iterator[Any]:
        due = self.now + timedelta(seconds=seconds)
        while self.now < due:
            yield due


def substitute(template: Any, effect: Evaluate) -> Any:
    if isinstance(template, dict):
        return {key: substitute(value, effect) for key, value in template.items()}
    if isinstance(template, list):
        return [substitute(value, effect) for value in template]
    code = unwrap(template) if isinstance(template, str) else None
    if code is None:
        return template
    values = [effect.input, *effect.variables.values()]
    try:
        return program(code, tuple(effect.variables)).input_value(values).first()
    except ValueError as error:
        raise errors.expression(effect.instance, str(error)) from None


@functools.cache
def program(code: str, names: Iterable[str]) -> Any:
    return jq.compile(f". as [{', '.join(f'${name}' for name in ('data_', *names))}] | $data_ | ({code})")


def plan_of(text: str, **header: Any) -> WorkflowPlan:
    """Prepare a workflow from YAML without its `document`, unchecked: some tests are about what publish refuses."""
    document = {"document": {**HEADER, **header}, **yaml.safe_load(text)}
    return plan_workflow(load(canonical_json(document)))


@pytest.fixture(scope="session")
def plan() -> Callable[..., WorkflowPlan]:
    """Prepares a workflow from YAML without its `document`."""
    return plan_of


@pytest.fixture(scope="session")
def engine() -> type[Engine]:
    """Makes engines, for tests that look at what was asked of one."""
    return Engine


@pytest.fixture(scope="session")
def run() -> Callable[..., Any]:
    """Runs a workflow from YAML and gives its output."""

    def run(text: str, data: Any = None, **answers: Any) -> Any:
        return Engine(**answers).run(plan_of(text), data)

    return run


@pytest.fixture(scope="session")
def fault_of() -> Callable[..., Any]:
    """Runs a workflow that must fault and gives the error."""

    def fault_of(text: str, data: Any = None, **answers: Any) -> Any:
        with pytest.raises(WorkflowFault) as caught:
            Engine(**answers).run(plan_of(text), data)
        return caught.value.error

    return fault_of


@pytest.fixture(scope="session")
def reply() -> Callable[..., HttpAnswer]:
    """Makes HTTP answers: bytes as they are, anything else as JSON."""

    def reply(content: Any = None, status: int = 200, content_type: str = "application/json") -> HttpAnswer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return HttpAnswer(status, {"content-type": content_type}, body)

    return reply
