"""The `with` of each standard call, apart from AsyncAPI's, whose subscriptions hold tasks.

Owns the models of the arguments. Calls nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StrictBool, StrictInt, StrictStr

from millwright_workflow.domain.definition.authentication import AuthenticationOrReference
from millwright_workflow.domain.definition.parts import EndpointOrUri, ExternalResource
from millwright_workflow.domain.definition.scalars import (
    AS_OBJECT,
    AS_TEXT,
    TEXT_OR_OBJECT,
    Choice,
    Data,
    DataObject,
    DurationOrExpression,
    Model,
    WrappedExpression,
)

HttpOutput: TypeAlias = Literal["raw", "content", "response"]
TextMap: TypeAlias = dict[str, StrictStr]
TextMapOrExpression: TypeAlias = Annotated[
    Annotated[WrappedExpression, AS_TEXT] | Annotated[TextMap, AS_OBJECT], TEXT_OR_OBJECT
]
DataOrText: TypeAlias = Annotated[Annotated[StrictStr, AS_TEXT] | Annotated[DataObject, AS_OBJECT], TEXT_OR_OBJECT]


class HttpArguments(Model):
    """The request to send."""

    method: Annotated[StrictStr, Field(min_length=1)]
    endpoint: EndpointOrUri
    headers: TextMapOrExpression | None = None
    body: Data = None
    query: TextMapOrExpression | None = None
    output: HttpOutput = "content"
    redirect: StrictBool = False


class GrpcService(Model):
    """The service to call and where it listens."""

    name: StrictStr
    host: Annotated[StrictStr, Field(min_length=1, max_length=253)]
    port: Annotated[StrictInt, Field(ge=0, le=65_535)] | None = None
    authentication: AuthenticationOrReference | None = None


class GrpcArguments(Model):
    """The method to call, described by a proto file."""

    proto: ExternalResource
    service: GrpcService
    method: StrictStr
    arguments: DataObject | None = None


class OpenApiArguments(Model):
    """The operation to call, described by an OpenAPI document."""

    document: ExternalResource
    operation_id: StrictStr
    parameters: DataObject | None = None
    authentication: AuthenticationOrReference | None = None
    output: HttpOutput = "content"
    redirect: StrictBool = False


class A2aArguments(Model):
    """The message to an agent that speaks A2A."""

    agent_card: ExternalResource | None = None
    server: EndpointOrUri | None = None
    method: Literal[
        "message/send",
        "message/stream",
        "tasks/get",
        "tasks/list",
        "tasks/cancel",
        "tasks/resubscribe",
        "tasks/pushNotificationConfig/set",
        "tasks/pushNotificationConfig/get",
        "tasks/pushNotificationConfig/list",
        "tasks/pushNotificationConfig/delete",
        "agent/getAuthenticatedExtendedCard",
    ]
    parameters: DataOrText | None = None


class McpHttpTransport(Model):
    """Reaches an MCP server over HTTP."""

    endpoint: EndpointOrUri
    headers: TextMap | None = None


class McpStdioTransport(Model):
    """Starts an MCP server as a process."""

    command: StrictStr
    arguments: tuple[StrictStr, ...] = ()
    environment: TextMap | None = None


class McpTransport(Choice):
    """How to reach an MCP server."""

    choices = ("http", "stdio")

    http: McpHttpTransport | None = None
    stdio: McpStdioTransport | None = None
    options: TextMap | None = None


class McpClient(Model):
    """Who the caller says it is."""

    name: StrictStr
    version: StrictStr


class McpArguments(Model):
    """The request to an MCP server."""

    protocol_version: StrictStr = "2025-06-18"
    method: Literal[
        "tools/list",
        "tools/call",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/read",
        "resources/templates/list",
    ]
    parameters: DataOrText | None = None
    timeout: DurationOrExpression | None = None
    transport: McpTransport
    client: McpClient | None = None
