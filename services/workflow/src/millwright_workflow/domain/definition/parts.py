"""What workflows and tasks share: endpoints, schemas, data flow, errors, retries and timeouts.

Owns the models of these parts. Resolves no reference by name: `references` does.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, StrictInt, StrictStr

from millwright_workflow.domain.definition.authentication import AuthenticationOrReference
from millwright_workflow.domain.definition.scalars import (
    AS_OBJECT,
    AS_TEXT,
    TEXT_OR_OBJECT,
    Choice,
    Data,
    DataObject,
    DurationOrExpression,
    Expression,
    Model,
    Reference,
    UriTemplate,
)

ExpressionOrObject: TypeAlias = Annotated[
    Annotated[Expression, AS_TEXT] | Annotated[DataObject, AS_OBJECT], TEXT_OR_OBJECT
]
"""An expression, with or without `${ }`, or an object with `${ }` expressions somewhere inside."""


class Endpoint(Model):
    """An address with, possibly, the way to authenticate there."""

    uri: UriTemplate
    authentication: AuthenticationOrReference | None = None


EndpointOrUri: TypeAlias = Annotated[Annotated[UriTemplate, AS_TEXT] | Annotated[Endpoint, AS_OBJECT], TEXT_OR_OBJECT]


class ExternalResource(Model):
    """A document that lives elsewhere."""

    name: StrictStr | None = None
    endpoint: EndpointOrUri


class Catalog(Model):
    """A place that offers functions for reuse."""

    endpoint: EndpointOrUri


class Schema(Choice):
    """How data must look: a schema written here or kept elsewhere."""

    choices = ("document", "resource")
    literal_fields: ClassVar[frozenset[str]] = frozenset({"document"})

    format: StrictStr = "json"
    document: Data = None
    resource: ExternalResource | None = None


class Input(Model):
    """What becomes of the input before it is used."""

    schema_: Schema | None = None
    from_: ExpressionOrObject | None = None


class Output(Model):
    """What becomes of the output before it is handed on."""

    schema_: Schema | None = None
    as_: ExpressionOrObject | None = None


class Export(Model):
    """What a task makes of the workflow's context."""

    schema_: Schema | None = None
    as_: ExpressionOrObject | None = None


class Timeout(Model):
    """How long something may take."""

    after: DurationOrExpression


class TimeoutName(Reference):
    """The name of a timeout."""

    __slots__ = ()
    group = "timeouts"


TimeoutOrReference: TypeAlias = Annotated[
    Annotated[TimeoutName, AS_TEXT] | Annotated[Timeout, AS_OBJECT], TEXT_OR_OBJECT
]
"""A timeout, or the name of one under `use.timeouts`."""


class Error(Model):
    """An error in the form of RFC 7807."""

    type: UriTemplate
    status: StrictInt
    instance: StrictStr | None = None
    title: StrictStr | None = None
    detail: StrictStr | None = None


class ErrorName(Reference):
    """The name of an error."""

    __slots__ = ()
    group = "errors"


ErrorOrReference: TypeAlias = Annotated[Annotated[ErrorName, AS_TEXT] | Annotated[Error, AS_OBJECT], TEXT_OR_OBJECT]
"""An error, or the name of one under `use.errors`."""


class ErrorFilter(Model):
    """Which errors to catch: those that equal every property written here."""

    type: StrictStr | None = None
    status: StrictInt | None = None
    instance: StrictStr | None = None
    title: StrictStr | None = None
    details: StrictStr | None = None


class Backoff(Choice):
    """How the delay between attempts grows. What an object holds besides its name is left to the runtime."""

    choices = ("constant", "exponential", "linear")

    constant: DataObject | None = None
    exponential: DataObject | None = None
    linear: DataObject | None = None


class AttemptLimit(Model):
    """How many attempts there may be, and how long each may take."""

    count: Annotated[StrictInt, Field(ge=0)] | None = None
    duration: DurationOrExpression | None = None


class RetryLimit(Model):
    """When retrying ends."""

    attempt: AttemptLimit | None = None
    duration: DurationOrExpression | None = None


class Jitter(Model):
    """The range of a random addition to a delay."""

    from_: DurationOrExpression
    to: DurationOrExpression


class RetryPolicy(Model):
    """Whether, when and how often to try again."""

    when: Expression | None = None
    except_when: Expression | None = None
    delay: DurationOrExpression | None = None
    backoff: Backoff | None = None
    limit: RetryLimit | None = None
    jitter: Jitter | None = None


class RetryName(Reference):
    """The name of a retry policy."""

    __slots__ = ()
    group = "retries"


RetryOrReference: TypeAlias = Annotated[
    Annotated[RetryName, AS_TEXT] | Annotated[RetryPolicy, AS_OBJECT], TEXT_OR_OBJECT
]
"""A retry policy, or the name of one under `use.retries`."""
