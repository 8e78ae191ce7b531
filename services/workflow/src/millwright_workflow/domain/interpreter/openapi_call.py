"""The `call: openapi` task: an operation that a document describes, as an HTTP request."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import OpenApiCall
from millwright_workflow.domain.interpreter import errors, openapi
from millwright_workflow.domain.interpreter.authentication import AuthenticationPlan, plan_authentication
from millwright_workflow.domain.interpreter.effects import CallHttp, FetchDocument, Part
from millwright_workflow.domain.interpreter.http_call import Answering
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.resource import Address, plan_address
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Operation:
    """The body of `call: openapi`."""

    document: Address
    operation_id: str
    parameters: Template
    authentication: AuthenticationPlan | None
    answering: Answering

    def run(self, visit: Visit) -> Part[Outcome]:
        """Read the document, send the operation's request; see `Answering.send` for what comes of the answer.

        Throws a configuration fault for a document or an operation that is of no use, an expression fault for
        parameters that the operation does not have or that it lacks.
        """
        uri, document_policy = yield from self.document.locate(visit, visit.input)
        document: Json = yield FetchDocument(visit.reference, uri, document_policy)
        parameters = yield from visit.evaluate(self.parameters, visit.input)
        if not isinstance(parameters, dict):
            raise errors.expression(visit.pointer, "The parameters of an operation must be an object.")
        request = openapi.build_request(document, uri, self.operation_id, parameters, visit.pointer)
        policy = None
        if self.authentication is not None:
            policy = yield from self.authentication.resolve(visit, visit.input)
        call = CallHttp(
            visit.reference,
            request.method,
            request.uri,
            request.headers,
            request.query,
            request.body,
            self.answering.accepts_redirects,
            policy,
        )
        return Outcome((yield from self.answering.send(call, visit.pointer)))


def plan_openapi_call(task: OpenApiCall, site: Site) -> Operation:
    """Prepare an OpenAPI call. Throws a configuration fault where it names a policy that does not exist."""
    arguments = task.with_
    return Operation(
        plan_address(arguments.document.endpoint, site),
        arguments.operation_id,
        plan_template(arguments.parameters or {}),
        plan_authentication(arguments.authentication, site),
        Answering(arguments.output, arguments.redirect),
    )
