"""A synchronous engine for the tests: its clock moves only where a walk waits, and it forgets nothing it committed."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jq
import pytest
import yaml
from millwright_workflow.domain.definition import canonical_json, load, unwrap
from millwright_workflow.domain.interpreter import (
    Begin,
    CallHttp,
    Catch,
    Commit,
    Evaluate,
    Failure,
    History,
    HttpAnswer,
    Identity,
    Retry,
    TaskResult,
    Wait,
    Within,
    WorkflowFault,
    WorkflowPlan,
    errors,
    plan_workflow,
    walk_workflow,
)

START = datetime(2026, 3, 2, 8, 30, 0, 250_000, tzinfo=UTC)
HEADER = {"dsl": "1.0.3", "namespace": "plant", "name": "line-check", "version": "2.1.0"}


class Stopped(Exception):
    """The engine was told to stop after so many commits."""


class Expired(Exception):
    """The clock ran into the deadline of a part."""


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
    _first: dict[str, datetime] = field(default_factory=dict)
    _deadlines: list[datetime] = field(default_factory=list)
    _saved: int = 0

    def run(self, plan: WorkflowPlan, data: Any = None) -> Any:
        """Walk an instance to its end and give its output."""
        return self.drive(walk_workflow(plan, data, self.history, Identity("i-7", START, "millwright", "0.1.0")))

    def runs_to_its_end(self, plan: WorkflowPlan, data: Any = None) -> bool:
        """Tell whether the walk ended before this engine was to stop; its output is then in `output`."""
        try:
            self.output = self.run(plan, data)
        except Stopped:
            return False
        return True

    def drive(self, part: Any) -> Any:
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

    def _wait(self, effect: Wait) -> None:
        self.waits.append(effect)
        self._pass(effect.seconds)

    def _retry(self, effect: Retry) -> bool:
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
        self._pass(effect.seconds)
        return True

    def _catch(self, effect: Catch) -> None:
        self.failures[effect.failure.reference] = effect.failure
        self._save()

    def _within(self, effect: Within) -> Any:
        deadline = self.now + timedelta(seconds=effect.seconds)
        self._deadlines.append(deadline)
        try:
            return self.drive(effect.part)
        except Expired as expired:
            if expired.args[0] != deadline:
                raise
            effect.part.close()
            raise errors.timeout(effect.reference.pointer) from None
        finally:
            self._deadlines.pop()

    def _commit(self, effect: Commit) -> None:
        self.commits.append(effect.result)
        self._save()

    def _save(self) -> None:
        self._saved += 1
        if self._saved == self.stop_after:
            raise Stopped

    def _pass(self, seconds: float) -> None:
        later = self.now + timedelta(seconds=seconds)
        soonest = min(self._deadlines, default=later)
        self.now = min(soonest, later)
        if soonest < later:
            raise Expired(soonest)


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


def plan_of(text: str) -> WorkflowPlan:
    """Prepare a workflow from YAML without its `document`, unchecked: some tests are about what publish refuses."""
    document = {"document": HEADER, **yaml.safe_load(text)}
    return plan_workflow(load(canonical_json(document)))


@pytest.fixture(scope="session")
def plan() -> Callable[[str], WorkflowPlan]:
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
