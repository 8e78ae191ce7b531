"""The `with` of an AsyncAPI call: publishing a message, or consuming messages with tasks for each.

Owns its models. Talks to no broker. `tasks` completes the models, since a subscription holds tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from millwright_workflow.domain.definition.authentication import AuthenticationOrReference
from millwright_workflow.domain.definition.parts import ExternalResource
from millwright_workflow.domain.definition.scalars import (
    Choice,
    DataObject,
    DurationOrExpression,
    Model,
    WrappedExpression,
)

if TYPE_CHECKING:
    from millwright_workflow.domain.definition.tasks import Iteration


class AsyncApiServer(Model):
    """Which of the document's servers to use."""

    name: StrictStr
    variables: DataObject | None = None


class AsyncApiMessage(Model):
    """The message to publish."""

    payload: DataObject | None = None
    headers: DataObject | None = None


class AsyncApiConsumption(Choice):
    """How long to consume: a number of messages, while or until a condition holds, possibly for a time."""

    choices = ("amount", "while", "until")

    for_: DurationOrExpression | None = None
    amount: Annotated[StrictInt, Field(ge=0)] | None = None
    while_: WrappedExpression | None = None
    until: WrappedExpression | None = None


class AsyncApiSubscription(Model):
    """Which messages to consume, for how long, and what to do with each."""

    filter: WrappedExpression | None = None
    consume: AsyncApiConsumption
    foreach: Iteration | None = None


class AsyncApiArguments(Model):
    """The operation to perform, described by an AsyncAPI document."""

    document: ExternalResource
    channel: StrictStr | None = None
    operation: StrictStr | None = None
    server: AsyncApiServer | None = None
    protocol: (
        Literal[
            "amqp",
            "amqp1",
            "anypointmq",
            "googlepubsub",
            "http",
            "ibmmq",
            "jms",
            "kafka",
            "mercure",
            "mqtt",
            "mqtt5",
            "nats",
            "pulsar",
            "redis",
            "sns",
            "solace",
            "sqs",
            "stomp",
            "ws",
        ]
        | None
    ) = None
    message: AsyncApiMessage | None = None
    subscription: AsyncApiSubscription | None = None
    authentication: AuthenticationOrReference | None = None

    @model_validator(mode="before")
    @classmethod
    def _require_one_of_each(cls, value: Any) -> Any:
        for pair in (("operation", "channel"), ("message", "subscription")):
            if isinstance(value, dict) and (pair[0] in value) == (pair[1] in value):
                raise PydanticCustomError("invalid_value", f"Write exactly one of {', '.join(pair)} here.")
        return value
