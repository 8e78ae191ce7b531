"""The standard error types of the specification, and faults made of them.

Owns their URIs and default statuses. Never decides whether something is an error.
"""

from __future__ import annotations

from http import HTTPStatus

from millwright_runtime.json import JsonObject

from millwright_workflow.domain.interpreter.effects import WorkflowError, WorkflowFault

TYPES = "https://serverlessworkflow.io/spec/1.0.0/errors/"
_EARLIER_TYPES = "https://serverlessworkflow.io/dsl/errors/types/"


def configuration(instance: str, detail: str) -> WorkflowFault:
    """The definition or the settings of this runtime do not allow what a task asks for."""
    return _fault("configuration", 400, "Invalid configuration", detail, instance)


def validation(instance: str, detail: str) -> WorkflowFault:
    """Data does not have the form that it must have."""
    return _fault("validation", 400, "Invalid data", detail, instance)


def expression(instance: str, detail: str) -> WorkflowFault:
    """A runtime expression failed, or its value is of no use where it stands."""
    return _fault("expression", 400, "Expression failed", detail, instance)


def authentication(instance: str, detail: str) -> WorkflowFault:
    """Who the workflow says it is was not believed."""
    return _fault("authentication", 401, "Authentication failed", detail, instance)


def authorization(instance: str, detail: str) -> WorkflowFault:
    """The workflow may not do what it asks for."""
    return _fault("authorization", 403, "Not authorized", detail, instance)


def timeout(instance: str, detail: str | None = None) -> WorkflowFault:
    """A workflow, a task or an attempt took longer than it may."""
    return _fault("timeout", 408, "Timed out", detail, instance)


def communication(instance: str, detail: str, status: int = 500) -> WorkflowFault:
    """Another system could not be reached, or answered with `status`."""
    return _fault("communication", status, _phrase(status), detail, instance)


def runtime(instance: str, detail: str) -> WorkflowFault:
    """This runtime failed for a reason that the workflow has no part in."""
    return _fault("runtime", 500, "Runtime failure", detail, instance)


def canonical_type(uri: str) -> str:
    """Give the type as this runtime raises it.

    The specification's own conformance scenarios still filter by an earlier spelling of the standard types.
    """
    return TYPES + uri.removeprefix(_EARLIER_TYPES) if uri.startswith(_EARLIER_TYPES) else uri


def as_json(error: WorkflowError) -> JsonObject:
    """Give an error as expressions see it: properties it does not have are left out."""
    described: JsonObject = {
        "type": error.type,
        "status": error.status,
        "title": error.title,
        "detail": error.detail,
        "instance": error.instance,
    }
    return {name: value for name, value in described.items() if value is not None}


def _fault(name: str, status: int, title: str, detail: str | None, instance: str) -> WorkflowFault:
    return WorkflowFault(WorkflowError(TYPES + name, status, title, detail, instance))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Communication failed"
