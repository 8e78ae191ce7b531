"""Schemas: what the data at a boundary of a task or of the workflow must look like.

Owns when data is held to a schema and what a failure is known by. Validates nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from millwright_runtime.json import Json

from millwright_workflow.domain.definition.parts import Export, Input, Output, Schema
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.asker import Asker
from millwright_workflow.domain.interpreter.effects import Part, Validate
from millwright_workflow.domain.interpreter.resource import Address, plan_address
from millwright_workflow.domain.interpreter.site import Site

_FORMAT: Final = "json"


@dataclass(frozen=True, slots=True)
class SchemaPlan:
    """A schema, prepared."""

    instance: str
    document: Json
    address: Address | None
    """Where the schema is, unless it is `document`."""

    def check(self, asker: Asker, data: Json) -> Part[None]:
        """Hold data to the schema. Throws a validation fault that names this schema's place."""
        document = self.document if self.address is None else (yield from self.address.fetch(asker, data))
        yield Validate(document, data, self.instance)


def plan_schema(part: Input | Output | Export | None, name: str, site: Site) -> SchemaPlan | None:
    """Prepare the schema of `input`, `output` or `export`, which may be absent.

    Throws a configuration fault for a format other than JSON Schema.
    """
    schema = part and part.schema_
    if not schema:
        return None
    if schema.format.partition(":")[0] != _FORMAT:
        raise errors.configuration(site.pointer, f"Schemas must be JSON Schemas, not {schema.format[:50]!r}.")
    return SchemaPlan(f"{site.pointer}/{name}", schema.document, _plan_elsewhere(schema, site))


def _plan_elsewhere(schema: Schema, site: Site) -> Address | None:
    return None if schema.resource is None else plan_address(schema.resource.endpoint, site)
