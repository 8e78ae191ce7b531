"""Who may call what: every RPC has a rule, and each rule has the roles that open it."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from millwright.api.v1 import service_pb2
from millwright.workflow.v1 import instance_service_pb2, release_service_pb2
from millwright_runtime.api import access
from millwright_runtime.api.access import AccessRuleMissing, RoleMissing
from millwright_runtime.api.calls import Principal

OPENED_BY = {
    service_pb2.ACCESS_VIEWER: {"viewer", "operator", "admin"},
    service_pb2.ACCESS_OPERATOR: {"operator", "admin"},
    service_pb2.ACCESS_ADMIN: {"admin"},
    service_pb2.ACCESS_WORKER: {"worker"},
}
ROLES = ["viewer", "operator", "admin", "worker"]


def declared(name, rule=None):
    """Give the descriptor of a service with one method, whose access is `rule`."""
    package = f"test.{name.lower()}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.append(empty_pb2.DESCRIPTOR.name)
    method = file.service.add(name="Sample").method.add(
        name="Do", input_type=".google.protobuf.Empty", output_type=".google.protobuf.Empty"
    )
    if rule is not None:
        method.options.Extensions[service_pb2.access] = rule
        method.options.Extensions[service_pb2.unaudited] = True
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"{package}.Sample")


@pytest.mark.parametrize("rule", [None, service_pb2.ACCESS_UNSPECIFIED])
def test_an_rpc_without_a_rule_is_found(rule):
    with pytest.raises(AccessRuleMissing, match=r"Sample\.Do has no"):
        access.rules([declared(f"Without{rule}", rule)])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("rule", OPENED_BY)
def test_each_rule_is_opened_by_its_roles_alone(rule, role):
    name = f"Rule{rule}{role}"
    (found,) = access.rules([declared(name, rule)]).values()
    caller = Principal("somebody", "north", frozenset({role}))
    if role in OPENED_BY[rule]:
        found.check(caller)
    else:
        with pytest.raises(RoleMissing):
            found.check(caller)


def test_nobody_without_a_role_is_let_in():
    (found,) = access.rules([declared("Nobody", service_pb2.ACCESS_VIEWER)]).values()
    with pytest.raises(RoleMissing, match="needs the role viewer; the token of somebody does not hold it"):
        found.check(Principal("somebody", "north", frozenset()))


def test_any_of_several_roles_suffices():
    (found,) = access.rules([declared("Several", service_pb2.ACCESS_ADMIN)]).values()
    found.check(Principal("somebody", "north", frozenset({"worker", "admin"})))


def test_what_must_not_wait_is_marked_in_the_contract():
    releases = release_service_pb2.DESCRIPTOR.services_by_name["ReleaseService"]
    instances = instance_service_pb2.DESCRIPTOR.services_by_name["InstanceService"]
    always = {
        method.rpartition("/")[2]
        for method, rule in access.rules([releases, instances]).items()
        if rule.always_admitted
    }
    assert always == {"RollbackVersion", "AbortCanary", "CancelRunJob", "CancelInstance", "PauseInstance"}
