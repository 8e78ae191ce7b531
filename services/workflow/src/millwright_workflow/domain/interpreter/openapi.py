"""OpenAPI documents, versions 2 and 3: the request that an operation comes to.

Owns where servers, parameters and bodies stand in such a document. Reads none from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.resource import as_text

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST_CHAIN: Final = 16
_BODY: Final = "body"
"""The name of the request body among the parameters, in version 3."""


@dataclass(slots=True)
class OpenApiRequest:
    """A request, as far as it has been put together."""

    method: str
    uri: str
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str | list[str]] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    body: Json = None


def build_request(
    document: Json, document_uri: str, operation_id: str, parameters: JsonObject, instance: str
) -> OpenApiRequest:
    """Give the request of an operation with the parameters given.

    In version 3 the parameter `body` is the request body, unless the operation has a parameter of that name. Throws a
    configuration fault for a document that is of no use, an expression fault for parameters that do not fit.
    """
    if not isinstance(document, dict):
        raise errors.configuration(instance, "The OpenAPI document is no object.")
    reader = _Reader(document, instance)
    path, method, shared, operation = reader.find(operation_id)
    request = OpenApiRequest(method.upper(), reader.server(document_uri, shared, operation))
    remaining = dict(parameters)
    for declared in reader.parameters(shared, operation):
        name = declared.get("name")
        if not isinstance(name, str):
            continue
        value = remaining.pop(name, _default(declared))
        if value is None and declared.get("required"):
            raise errors.expression(instance, f"The operation {operation_id!r} needs the parameter {name!r}.")
        path = _place(request, path, declared, name, value, instance)
    _add_body(request, reader.resolve(operation.get("requestBody")), remaining, instance)
    if remaining:
        raise errors.expression(instance, f"The operation {operation_id!r} has no parameter {min(remaining)!r}.")
    request.uri = request.uri.rstrip("/") + path
    return _sealed(request)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A document and where to say so if it is of no use."""

    document: dict[str, Any]
    instance: str

    def find(self, operation_id: str) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
        """Give the path, the method, the path item and the operation."""
        for path, written in _items(self.document.get("paths")):
            item = self.resolve(written)
            for method in _METHODS:
                operation = item.get(method)
                if isinstance(operation, dict) and operation.get("operationId") == operation_id:
                    return path, method, item, operation
        raise errors.configuration(self.instance, f"The OpenAPI document has no operation {operation_id!r}.")

    def parameters(self, shared: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the parameters of an operation; its own stand for those of its path."""
        found: dict[tuple[Any, Any], dict[str, Any]] = {}
        for holder in (shared, operation):
            declared = holder.get("parameters")
            for written in declared if isinstance(declared, list) else ():
                parameter = self.resolve(written)
                found[parameter.get("name"), parameter.get("in")] = parameter
        return list(found.values())

    def server(self, document_uri: str, *holders: dict[str, Any]) -> str:
        """Give the address that paths are added to: the innermost first server, or what version 2 has instead."""
        for holder in (*reversed(holders), self.document):
            servers = holder.get("servers")
            first = servers[0] if isinstance(servers, list) and servers else None
            if isinstance(first, dict) and isinstance(first.get("url"), str):
                return urljoin(document_uri, self._fill(first))
        where = urlsplit(document_uri)
        if "swagger" not in self.document:
            return f"{where.scheme}://{where.netloc}"
        schemes = self.document.get("schemes")
        known = [each for each in schemes if each in ("https", "http")] if isinstance(schemes, list) else []
        scheme = "https" if "https" in known else next(iter(known), where.scheme)
        host = self.document.get("host") or where.netloc
        return f"{scheme}://{host}{self.document.get('basePath') or ''}"

    def resolve(self, value: Any) -> dict[str, Any]:
        """Follow references inside the document; what is no object is an empty one."""
        for _ in range(_LONGEST_CHAIN):
            target = value.get("$ref") if isinstance(value, dict) else None
            if target is None:
                return value if isinstance(value, dict) else {}
            if not (isinstance(target, str) and target.startswith("#/")):
                raise errors.configuration(self.instance, "References out of an OpenAPI document are not followed.")
            value = self.document
            for step in target[2:].split("/"):
                key = step.replace("~1", "/").replace("~0", "~")
                value = value.get(key) if isinstance(value, dict) else None
        raise errors.configuration(self.instance, "References in the OpenAPI document lead nowhere.")

    def _fill(self, server: dict[str, Any]) -> str:
        url: str = server["url"]
        for name, variable in _items(server.get("variables")):
            url = url.replace(f"{{{name}}}", str(self.resolve(variable).get("default", "")))
        return url


def _place(request: OpenApiRequest, path: str, declared: dict[str, Any], name: str, value: Json, instance: str) -> str:
    """Put a parameter where it goes; give the path, filled in if it goes there."""
    if value is None:
        return path
    match declared.get("in"):
        case "path":
            return path.replace(f"{{{name}}}", quote(_joined(value, name, instance), safe=""))
        case "query":
            request.query[name] = _query_value(declared, name, value, instance)
        case "header":
            request.headers[name] = _joined(value, name, instance)
        case "cookie":
            request.cookies[name] = _joined(value, name, instance)
        case "formData":
            request.form[name] = _joined(value, name, instance)
        case "body":
            request.body = value
    return path


def _add_body(request: OpenApiRequest, described: dict[str, Any], remaining: JsonObject, instance: str) -> None:
    if not described:
        return
    request.body = remaining.pop(_BODY, None)
    if request.body is None:
        if described.get("required"):
            raise errors.expression(instance, f"The operation needs the parameter {_BODY!r}.")
        return
    types = [name for name, _ in _items(described.get("content"))]
    if _FORM in types and not any("json" in name for name in types) and isinstance(request.body, dict):
        request.form = {name: _joined(value, name, instance) for name, value in request.body.items()}
    elif types and not any("json" in name for name in types) and isinstance(request.body, str):
        request.headers["content-type"] = types[0]


def _sealed(request: OpenApiRequest) -> OpenApiRequest:
    """Give the request with its form and its cookies written as HTTP has them."""
    if request.form:
        request.headers["content-type"] = _FORM
        request.body = urlencode(request.form)
    if request.cookies:
        request.headers["cookie"] = "; ".join(f"{name}={quote(value)}" for name, value in request.cookies.items())
    return request


def _default(declared: dict[str, Any]) -> Json:
    schema = declared.get("schema")
    default: Json = schema.get("default") if isinstance(schema, dict) else declared.get("default")
    return default if declared.get("required") else None


def _query_value(declared: dict[str, Any], name: str, value: Json, instance: str) -> str | list[str]:
    if not isinstance(value, list):
        return as_text(value, name, instance)
    if declared.get("explode", "collectionFormat" not in declared) or declared.get("collectionFormat") == "multi":
        return [as_text(each, name, instance) for each in value]
    return _joined(value, name, instance)


def _joined(value: Json, name: str, instance: str) -> str:
    if isinstance(value, list):
        return ",".join(as_text(each, name, instance) for each in value)
    return json.dumps(value) if isinstance(value, dict) else as_text(value, name, instance)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()
