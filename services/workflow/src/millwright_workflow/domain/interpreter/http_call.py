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
from urllib.parse import quote, urlsplit

from millwright_workflow.domain.definition import Endpoint, HttpCall, unwrap
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import CallHttp, HttpAnswer, Part
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit
from millwright_workflow.domain.json import Json, JsonObject

_VARIABLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """The body of `call: http`."""

    method: str
    parts: Template
    """The URI, headers, query and body, so that one evaluation gives them all."""
    is_uri_expression: bool
    output: str
    accepts_redirects: bool

    def run(self, visit: Visit) -> Part[Outcome]:
        """Send the request. Throws a communication fault, with its status, for an answer that is no success.

        Success is 200 to 299; where the task says `redirect: true`, redirections are followed and 300 to 399 is
        success too.
        """
        call = self._fill_in(visit, (yield from visit.evaluate(self.parts, visit.input)))
        answer: HttpAnswer = yield call
        if not 200 <= answer.status < (400 if self.accepts_redirects else 300):
            where = urlsplit(call.uri)._replace(query="", fragment="").geturl()
            detail = f"{call.method} {where} answered {answer.status}."
            raise errors.communication(visit.plan.pointer, detail, answer.status)
        return Outcome(self._read(visit, call, answer))

    def _fill_in(self, visit: Visit, parts: Any) -> CallHttp:
        pointer = visit.plan.pointer
        uri = parts["uri"] if self.is_uri_expression else expand(parts["uri"], visit.input, pointer)
        if not isinstance(uri, str):
            raise errors.expression(pointer, "The endpoint must be text.")
        headers = _table(parts["headers"], "headers", pointer)
        query = _table(parts["query"], "query", pointer)
        return CallHttp(
            visit.reference,
            self.method,
            uri,
            {name: _text(value, name, pointer) for name, value in headers.items()},
            {name: _text_or_list(value, name, pointer) for name, value in query.items()},
            parts["body"],
            self.accepts_redirects,
        )

    def _read(self, visit: Visit, call: CallHttp, answer: HttpAnswer) -> Json:
        if self.output == "raw":
            return base64.b64encode(answer.body).decode()
        content = read_content(answer, visit.plan.pointer)
        if self.output == "content":
            return content
        request: JsonObject = {"method": call.method, "uri": call.uri, "headers": dict(call.headers)}
        return {"request": request, "statusCode": answer.status, "headers": dict(answer.headers), "content": content}


def plan_http_call(task: HttpCall, site: Site) -> Request:
    """Prepare an HTTP call. Throws a configuration fault for an endpoint that asks for authentication."""
    arguments = task.with_
    endpoint = arguments.endpoint if isinstance(arguments.endpoint, Endpoint) else Endpoint(uri=arguments.endpoint)
    if endpoint.authentication is not None:
        raise errors.configuration(site.pointer, "Endpoints with authentication cannot be called yet.")
    parts = {"uri": endpoint.uri, "headers": arguments.headers, "query": arguments.query, "body": arguments.body}
    return Request(
        arguments.method.upper(),
        plan_template(parts),
        unwrap(endpoint.uri) is not None,
        arguments.output,
        arguments.redirect,
    )


def expand(template: str, data: Json, instance: str) -> str:
    """Fill a URI template's `{name}` from the top-level properties of `data` (RFC 6570, simple expansion).

    A name without a value gives nothing. Throws an expression fault for a value that is an object or an array.
    """
    values = data if isinstance(data, dict) else {}

    def fill(match: re.Match[str]) -> str:
        return quote(_text(values.get(match[1]), match[1], instance), safe="", errors="replace")

    return _VARIABLE.sub(fill, template)


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


def _text_or_list(value: Json, name: str, instance: str) -> str | list[str]:
    return [_text(each, name, instance) for each in value] if isinstance(value, list) else _text(value, name, instance)


def _text(value: Json, name: str, instance: str) -> str:
    if isinstance(value, dict | list):
        raise errors.expression(instance, f"The value of {name!r} must be text, a number, a boolean or null.")
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
