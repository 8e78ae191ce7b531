"""The `call: grpc` task: one unary call, and what its status code means."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from millwright_workflow.domain.definition import GrpcCall
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.authentication import AuthenticationPlan, plan_authentication
from millwright_workflow.domain.interpreter.effects import CallGrpc, GrpcAnswer, Part
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.resource import Address, plan_address
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit

_STATUSES: Final = MappingProxyType(
    {
        1: 499,
        2: 500,
        3: 400,
        4: 504,
        5: 404,
        6: 409,
        7: 403,
        8: 429,
        9: 400,
        10: 409,
        11: 400,
        12: 501,
        13: 500,
        14: 503,
        15: 500,
        16: 401,
    }
)
"""The HTTP status of each gRPC code, as `google.rpc.Code` maps them: errors of workflows have HTTP statuses."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """The body of `call: grpc`."""

    proto: Address
    service: str
    method: str
    port: int | None
    parts: Template
    """The host and the arguments, so that one evaluation gives both."""
    authentication: AuthenticationPlan | None

    def run(self, visit: Visit) -> Part[Outcome]:
        """Call the method and give its response. Throws a communication fault for any code but OK."""
        proto_uri, proto_authentication = yield from self.proto.locate(visit, visit.input)
        parts: Any = yield from visit.evaluate(self.parts, visit.input)
        if not isinstance(parts["host"], str):
            raise errors.expression(visit.pointer, "The host of a call must be text.")
        policy = None
        if self.authentication is not None:
            policy = yield from self.authentication.resolve(visit, visit.input)
        answer: GrpcAnswer = yield CallGrpc(
            visit.reference,
            proto_uri,
            proto_authentication,
            self.service,
            self.method,
            parts["host"],
            self.port,
            parts["arguments"],
            policy,
        )
        if answer.code:
            detail = f"{self.service}/{self.method} answered with code {answer.code}: {answer.detail}"
            raise errors.communication(visit.pointer, detail, _STATUSES.get(answer.code, 500))
        return Outcome(answer.message)


def plan_grpc_call(task: GrpcCall, site: Site) -> Rpc:
    """Prepare a gRPC call. Throws a configuration fault where it names a policy that does not exist."""
    arguments = task.with_
    service = arguments.service
    return Rpc(
        plan_address(arguments.proto.endpoint, site),
        service.name,
        arguments.method,
        service.port,
        plan_template({"host": service.host, "arguments": arguments.arguments or {}}),
        plan_authentication(service.authentication, site),
    )
