"""The `call: http` task: one request, and what of its answer becomes the output.

Owns how the request is put together, which statuses are errors and how the answer's bytes are read. Sends nothing.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.definition import HttpCall
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Authentication, CallHttp, HttpAnswer, Part
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.resource import Address, as_text, plan_address
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Answering:
    """What of an answer becomes the output, and which answers are errors."""

    output: str
    accepts_redirects: bool

    def send(self, call: CallHttp, pointer: str) -> Part[Json]:
        """Send a request and give what of its answer is wanted.

        Throws a communication fault, with its status, for an answer that is no success. Success is 200 to 299; where
        the task says `redirect: true`, redirections are followed and 300 to 399 is success too.
        """
        answer: HttpAnswer = yield call
        if not 200 <= answer.status < (400 if self.accepts_redirects else 300):
            where = urlsplit(call.uri)._replace(query="", fragment="").geturl()
            detail = f"{call.method} {where} answered {answer.status}."
            raise errors.communication(pointer, detail, answer.status)
        return self._read(call, answer, pointer)

    def _read(self, call: CallHttp, answer: HttpAnswer, pointer: str) -> Json:
        if self.output == "raw":
            return base64.b64encode(answer.body).decode()
        content = read_content(answer, pointer)
        if self.output == "content":
            return content
        request: JsonObject = {"method": call.method, "uri": call.uri, "headers": dict(call.headers)}
        return {"request": request, "statusCode": answer.status, "headers": dict(answer.headers), "content": content}


@dataclass(frozen=True, slots=True)
class Request:
    """The body of `call: http`."""

    method: str
    address: Address
    parts: Template
    """The URI, headers, query and body, so that one evaluation gives them all."""
    answering: Answering

    def run(self, visit: Visit) -> Part[Outcome]:
        """Send the request; see `Answering.send`."""
        parts = yield from visit.evaluate(self.parts, visit.input)
        authentication = yield from self.address.authenticate(visit, visit.input)
        call = self._fill_in(visit, parts, authentication)
        return Outcome((yield from self.answering.send(call, visit.pointer)))

    def _fill_in(self, visit: Visit, parts: Any, authentication: Authentication | None) -> CallHttp:
        pointer = visit.pointer
        headers = _table(parts["headers"], "headers", pointer)
        query = _table(parts["query"], "query", pointer)
        return CallHttp(
            visit.reference,
            self.method,
            self.address.complete(parts["uri"], visit.input, pointer),
            {name: as_text(value, name, pointer) for name, value in headers.items()},
            {name: text_or_list(value, name, pointer) for name, value in query.items()},
            parts["body"],
            self.answering.accepts_redirects,
            authentication,
        )


def plan_http_call(task: HttpCall, site: Site) -> Request:
    """Prepare an HTTP call. Throws a configuration fault where it names a policy that does not exist."""
    arguments = task.with_
    address = plan_address(arguments.endpoint, site)
    parts = {
        "uri": address.uri.value,
        "headers": arguments.headers,
        "query": arguments.query,
        "body": arguments.body,
    }
    answering = Answering(arguments.output, arguments.redirect)
    return Request(arguments.method.upper(), address, plan_template(parts), answering)


def read_content(answer: HttpAnswer, instance: str) -> Json:
    """Read an answer by its content type: JSON, text, or anything else as base64; nothing is null.

    Throws a communication fault for JSON that is none.
    """
    if not answer.body:
        return None
    media_type, _, parameters = answer.headers.get("content-type", "").lower().partition(";")
    media_type = media_type.strip()
    if media_type == "application/json" or media_type.endswith("+json"):
        return _read_json(answer.body, instance)
    if media_type.startswith("text/") or media_type == "application/xml" or media_type.endswith("+xml"):
        return _decode(answer.body, parameters)
    return base64.b64encode(answer.body).decode()


def _read_json(body: bytes, instance: str) -> Json:
    try:
        content: Json = json.loads(body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise errors.communication(instance, "The answer says it is JSON and is not.") from None
    return content


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def _decode(body: bytes, parameters: str) -> str:
    charset = re.search(r"charset=\"?([\w.:-]+)", parameters)
    try:
        return body.decode(charset[1] if charset else "utf-8", errors="replace")
    except LookupError:
        return body.decode("utf-8", errors="replace")


def _table(value: Any, name: str, instance: str) -> JsonObject:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise errors.expression(instance, f"The {name} of a call must be an object.")
    return {key: entry for key, entry in value.items() if entry is not None}


def text_or_list(value: Json, name: str, instance: str) -> str | list[str]:
    """Give a scalar as text, or a list of scalars as texts. Throws an expression fault for anything else."""
    return (
        [as_text(each, name, instance) for each in value] if isinstance(value, list) else as_text(value, name, instance)
    )
