"""What the contract says of the audit log is whole: no service starts with an RPC that says nothing, or wrongly."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2, type_pb2
from millwright.api.v1 import service_pb2
from millwright_runtime.audit import rules
from millwright_runtime.audit.rules import Audited, AuditPathUnknown, AuditRuleMissing


def declared(name, access, audited=(), unaudited=False):
    """Give the descriptor of a method that takes and gives a google.protobuf.Field, which has fields of each kind."""
    package = f"test.audit.{name.lower()}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.append(type_pb2.DESCRIPTOR.name)
    method = file.service.add(name="Sample").method.add(
        name="Do", input_type=".google.protobuf.Field", output_type=".google.protobuf.Type"
    )
    method.options.Extensions[service_pb2.access] = access
    method.options.Extensions[service_pb2.audited].extend(audited)
    if unaudited:
        method.options.Extensions[service_pb2.unaudited] = True
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"{package}.Sample").methods[0]


OPERATOR, VIEWER = service_pb2.ACCESS_OPERATOR, service_pb2.ACCESS_VIEWER


def test_a_change_names_what_it_changes_or_says_that_it_is_not_audited():
    found = rules.rule(declared("Names", OPERATOR, ["name", "options.name", "response.fields.name"]))
    assert found == Audited((("name",), ("options", "name")), (("fields", "name"),))
    assert rules.rule(declared("Leaves", OPERATOR, unaudited=True)) is None


def test_a_read_needs_to_say_nothing():
    assert rules.rule(declared("Reads", VIEWER)) is None


@pytest.mark.parametrize(
    ("name", "audited", "unaudited"), [("Nothing", [], False), ("Both", ["name"], True)], ids=["nothing", "both"]
)
def test_a_change_that_does_not_say_is_found(name, audited, unaudited):
    with pytest.raises(AuditRuleMissing, match=r"Sample\.Do needs either"):
        rules.rule(declared(name, OPERATOR, audited, unaudited))


@pytest.mark.parametrize("path", ["nothing", "name.more", "options", "options.nothing", "response.number"])
def test_a_path_that_leads_to_no_value_is_found(path):
    with pytest.raises(AuditPathUnknown, match=path.removeprefix("response.")):
        rules.rule(declared(f"Path{path.replace('.', '')}", OPERATOR, [path]))


def test_values_are_given_as_text_each_of_repeated_ones_and_none_of_what_is_not_set():
    message = type_pb2.Field(kind="TYPE_STRING", options=[{"name": "a"}, {}, {"name": "b"}], number=3)
    paths = (("kind",), ("options", "name"), ("json_name",), ("number",))
    assert list(rules.names(message, paths)) == ["TYPE_STRING", "a", "b", "3"]
    assert list(rules.names(struct_pb2.Value(), ())) == []
