"""Who may call what, as the protos' own `access` option says. A service must not start with an RPC without a rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from millwright.api.v1 import service_pb2

from millwright_runtime.api.calls import Principal
from millwright_runtime.audit import rules as audit_rules
from millwright_runtime.audit.rules import Audited
from millwright_runtime.errors import PermissionDenied

_ROLES_THAT_SUFFICE = {
    service_pb2.ACCESS_VIEWER: frozenset({"viewer", "operator", "admin"}),
    service_pb2.ACCESS_OPERATOR: frozenset({"operator", "admin"}),
    service_pb2.ACCESS_ADMIN: frozenset({"admin"}),
    service_pb2.ACCESS_WORKER: frozenset({"worker"}),
}


class RoleMissing(PermissionDenied):
    """{method} needs the role {role}; the token of {subject} does not hold it."""


class AccessRuleMissing(Exception):
    """An RPC has no access rule: a mistake in the proto that no service may start with."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the protos say of one method."""

    method: str
    role: str
    """The least role, as a caller would be told."""
    sufficient: frozenset[str]
    always_admitted: bool
    audited: Audited | None = None
    """What the audit log keeps of a call; None for nothing."""

    def check(self, principal: Principal) -> None:
        """Raise RoleMissing unless the principal holds a role that suffices."""
        if self.sufficient.isdisjoint(principal.roles):
            raise RoleMissing(method=self.method, role=self.role, subject=principal.subject)


def rules(services: Iterable[ServiceDescriptor]) -> Mapping[str, Rule]:
    """Give the rule of each method of `services` by its full path.

    Raises AccessRuleMissing if one has none, and AuditRuleMissing or AuditPathUnknown as `audit.rules.rule` does.
    """
    return {
        f"/{service.full_name}/{method.name}": _rule(service, method)
        for service in services
        for method in service.methods
    }


def _rule(service: ServiceDescriptor, method: MethodDescriptor) -> Rule:
    options = method.GetOptions()
    access = options.Extensions[service_pb2.access]
    if access not in _ROLES_THAT_SUFFICE:
        raise AccessRuleMissing(f"{service.full_name}.{method.name} has no (millwright.api.v1.access)")
    return Rule(
        method=f"{service.full_name}.{method.name}",
        role=service_pb2.Access.Name(access).removeprefix("ACCESS_").lower(),
        sufficient=_ROLES_THAT_SUFFICE[access],
        always_admitted=options.Extensions[service_pb2.always_admitted],
        audited=audit_rules.rule(method),
    )
