"""Documents and endpoints that live elsewhere: where they are, and who may read them.

Owns how an address is put together. Reads nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import quote

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import Endpoint, unwrap
from millwright_workflow.domain.definition.parts import EndpointOrUri
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.asker import Asker
from millwright_workflow.domain.interpreter.authentication import AuthenticationPlan, plan_authentication
from millwright_workflow.domain.interpreter.effects import Authentication, FetchDocument, Part
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template

_VARIABLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint, prepared."""

    uri: Template
    is_expression: bool
    authentication: AuthenticationPlan | None

    def locate(self, asker: Asker, data: Json) -> Part[tuple[str, Authentication | None]]:
        """Give the URI and the policy for `data`. Throws an expression fault for a URI that is no text."""
        uri = self.complete((yield from asker.evaluate(self.uri, data)), data, asker.pointer)
        return uri, (yield from self.authenticate(asker, data))

    def authenticate(self, asker: Asker, data: Json) -> Part[Authentication | None]:
        """Give the policy for `data`, or None if the endpoint has none."""
        return None if self.authentication is None else (yield from self.authentication.resolve(asker, data))

    def complete(self, uri: Json, data: Json, instance: str) -> str:
        """Give the URI from its value: a template that is no expression is filled in from `data`."""
        if not isinstance(uri, str):
            raise errors.expression(instance, "The endpoint must be text.")
        return uri if self.is_expression else expand(uri, data, instance)

    def fetch(self, asker: Asker, data: Json) -> Part[Json]:
        """Give the document that is there."""
        uri, authentication = yield from self.locate(asker, data)
        document: Json = yield FetchDocument(asker.reference, uri, authentication)
        return document


def plan_address(written: EndpointOrUri, site: Site) -> Address:
    """Prepare an endpoint. Throws a configuration fault where it names a policy that does not exist."""
    endpoint = written if isinstance(written, Endpoint) else Endpoint(uri=written)
    authentication = plan_authentication(endpoint.authentication, site)
    return Address(plan_template(endpoint.uri), unwrap(endpoint.uri) is not None, authentication)


def expand(template: str, data: Json, instance: str) -> str:
    """Fill a URI template's `{name}` from the top-level properties of `data` (RFC 6570, simple expansion).

    A name without a value gives nothing. Throws an expression fault for a value that is an object or an array.
    """
    values = data if isinstance(data, dict) else {}

    def fill(match: re.Match[str]) -> str:
        return quote(as_text(values.get(match[1]), match[1], instance), safe="", errors="replace")

    return _VARIABLE.sub(fill, template)


def as_text(value: Json, name: str, instance: str) -> str:
    """Give a scalar as text, null as nothing. Throws an expression fault for an object or an array."""
    if isinstance(value, dict | list):
        raise errors.expression(instance, f"The value of {name!r} must be text, a number, a boolean or null.")
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
