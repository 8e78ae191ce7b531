"""The `listen` task: events come in, and what they bring is the output.

Owns what a `listen` subscribes to, what is read of each event and what is done with it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import count
from typing import Literal

from millwright_runtime.json import Json, JsonObject, to_text

from millwright_workflow.domain.definition import ListenTask
from millwright_workflow.domain.definition.tasks import Iteration
from millwright_workflow.domain.interpreter.conformance import SchemaPlan, plan_schema
from millwright_workflow.domain.interpreter.effects import Consume, Part, Subscribe
from millwright_workflow.domain.interpreter.gathering import Gathering
from millwright_workflow.domain.interpreter.plan import END, ListPlan, Outcome
from millwright_workflow.domain.interpreter.sequence import walk_list
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.subscription import Delivery
from millwright_workflow.domain.interpreter.template import Template, plan_template, plan_transformation
from millwright_workflow.domain.interpreter.visit import Visit
from millwright_workflow.domain.interpreter.wants import Wants, plan_until, plan_wants


@dataclass(frozen=True, slots=True)
class ForEvent:
    """What is done with each event that is taken."""

    item: str
    at: str
    do: ListPlan
    output_as: Template | None
    output_schema: SchemaPlan | None
    export_as: Template | None
    export_schema: SchemaPlan | None

    def run(self, visit: Visit, event: Json, index: int) -> Part[Outcome]:
        """Walk the list on the task's input, the event being known by name; without a list, take the event itself."""
        names: dict[str, Json] = {self.item: event, self.at: index}
        data, following = event, None
        if self.do.tasks:
            scope = visit.scope.enter_round(index, names)
            data, following, _ = yield from walk_list(self.do, visit.progress, scope, visit.input)
        if self.output_as is not None:
            data = yield from visit.evaluate(self.output_as, data, names)
        if self.output_schema is not None:
            yield from self.output_schema.check(visit, data)
        if self.export_as is not None:
            context = yield from visit.evaluate(self.export_as, data, names)
            if self.export_schema is not None:
                yield from self.export_schema.check(visit, context)
            visit.progress.context = context
        return Outcome(data, following)


@dataclass(frozen=True, slots=True)
class Listening:
    """The body of `listen`."""

    wants: Wants
    read: Literal["data", "envelope", "raw"]
    until: Template | None
    for_event: ForEvent | None

    def run(self, visit: Visit) -> Part[Outcome]:
        """Give what the events taken came to, in the order they came in.

        Events are taken one after another, each after what `foreach` does with the one before. `until` as an
        expression is asked after each event taken, on the output so far. `end` in `foreach` ends the workflow.
        """
        outputs: list[Json] = []
        if not self.wants.patterns:
            return Outcome(outputs)
        yield Subscribe(visit.reference, (yield from self.wants.subscribe(visit)))
        gathering = Gathering(self.wants.strategy)
        for position in count():
            delivery: Delivery = yield Consume(visit.reference, position)
            gathering, is_taken, is_complete = gathering.take(delivery)
            if is_taken:
                output, following, _ = yield from self._handle(
                    visit, read_event(delivery.event, self.read), len(outputs)
                )
                outputs.append(output)
                if following == END:
                    return Outcome(outputs, END)
                if self.until is not None:
                    is_complete = yield from visit.holds(self.until, list(outputs))
            if is_complete:
                break
        return Outcome(outputs)

    def _handle(self, visit: Visit, event: Json, index: int) -> Part[Outcome]:
        return Outcome(event) if self.for_event is None else (yield from self.for_event.run(visit, event, index))


def plan_listen(task: ListenTask, site: Site) -> Listening:
    """Prepare a `listen` task."""
    return Listening(
        plan_wants(task.listen.to),
        task.listen.read,
        plan_until(task.listen.to),
        _plan_for_event(task.foreach, site) if task.foreach else None,
    )


def read_event(event: JsonObject, part: Literal["data", "envelope", "raw"]) -> Json:
    """Give what a `listen` reads of an event: its data, all of it, or its data's bytes as base64.

    Data that came as `data_base64` is that text where data is asked for.
    """
    if part == "envelope":
        return event
    if "data_base64" in event:
        return event["data_base64"]
    data = event.get("data")
    if part == "data":
        return data
    return base64.b64encode((data if isinstance(data, str) else to_text(data)).encode("utf-8", "replace")).decode()


def _plan_for_event(iteration: Iteration, site: Site) -> ForEvent:
    output, export = iteration.output, iteration.export
    return ForEvent(
        iteration.item,
        iteration.at,
        site.plan_list("/foreach/do", iteration.do),
        plan_transformation(output and output.as_),
        plan_schema(output, "foreach/output", site),
        plan_template(export.as_) if export and export.as_ is not None else None,
        plan_schema(export, "foreach/export", site),
    )
