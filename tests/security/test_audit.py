"""The audit log of every service: every change that its contract lets be audited, done or refused, by every RPC."""

import asyncio
import hashlib
import json
import uuid
from pathlib import Path

import pytest
from google.protobuf.message_factory import GetMessageClass
from millwright.api.v1 import service_pb2
from millwright_local.processes import until

from tests.security.contract import ROLES, about

WELD = (Path(__file__).parents[2] / "examples" / "rulesets" / "weld" / "v1.json").read_text()
SLOW = "document: {dsl: 1.0.1, namespace: audited, name: slow, version: 1.0.0}\ndo: [{rest: {wait: {hours: 1}}}]"
RULESET = f"rulesets/{json.loads(WELD)['namespace']}.{json.loads(WELD)['name']}"
ROW = {
    "source_type": "SOURCE_TYPE_MES",
    "source_system": "audited",
    "record_type": "RECORD_TYPE_WORK_ORDER",
    "external_id": "1",
    "payload": json.dumps({"line_code": "L1", "product_code": "P1", "shift": "A", "total_qty": 9, "good_qty": 9}),
    "event_time": {"seconds": 1_763_089_200},
}
# What a tenant makes in each service, call by call.
MADE = {
    "millwright.workflow.v1": (
        ("PublishVersion", {"definition": SLOW, "promote_to": "prod"}),
        ("StartInstance", {"workflow": "workflows/audited.slow"}),
    ),
    "millwright.judgment.v1": (
        ("PublishVersion", {"document": WELD, "promote_to": "prod"}),
        ("SaveDraft", {"name": f"{RULESET}/drafts/audited", "document": WELD}),
    ),
    "millwright.etl.v1": (
        ("IngestBatch", {"records": [ROW]}),
        ("SaveDimensionMember", {"dimension": "DIMENSION_LINE", "member": {"code": "L1"}}),
        ("RunPipeline", {"dates": ["2025-11-14"]}),
    ),
    "millwright.modules.v1": (
        ("CreateUpload", {"digest": hashlib.sha256(b"audited").digest(), "total_bytes": 7, "file_name": "a.tar"}),
    ),
}


def audited(method):
    """Tell whether the contract has calls of an RPC audited."""
    return bool(method.GetOptions().Extensions[service_pb2.audited])


async def entries(contract, bearer, **fields):
    """Give the entries that an administrator is given."""
    method = contract.find("ListAuditEntries")
    answer = await contract.call(method, bearer, GetMessageClass(method.input_type)(page_size=500, **fields))
    assert answer.code == "OK", answer
    return answer.message.entries


@pytest.fixture
def tenant():
    return f"audited-{uuid.uuid4().hex[:8]}"


async def test_whoever_is_refused_a_change_is_in_the_log_with_what_it_was_about(contract, token, tenant):
    viewer, admin = token(tenant=tenant, roles=["viewer"], subject="eve"), token(tenant=tenant, roles=["admin"])
    changes = [method for method in contract.methods if audited(method)]
    for method in changes:
        assert (await contract.call(method, viewer, about(method, "things/1"))).reason == "ROLE_MISSING"

    async def is_written():
        return len(await entries(contract, admin)) >= len(changes)

    await until(is_written, 10)
    found = await entries(contract, admin, subject="eve", only_refused=True)
    assert sorted(entry.method for entry in found) == sorted(method.full_name for method in changes)
    assert {(entry.code, entry.reason) for entry in found} == {("PERMISSION_DENIED", "ROLE_MISSING")}
    named = [entry for entry in found if "things/1" in entry.resources]
    assert named
    assert all(entry.peer and entry.trace_id and list(entry.roles) == ["viewer"] for entry in found)


async def test_what_was_changed_is_in_the_log_once_and_what_was_sent_is_not(contract, token, tenant):
    admin = token(tenant=tenant, roles=ROLES)
    made = MADE[contract.package]
    expected = []
    for rpc, fields in made:
        method = contract.find(rpc)
        assert (await contract.call(method, admin, GetMessageClass(method.input_type)(**fields))).code == "OK"
        expected += [method.full_name] * audited(method)
    found = await entries(contract, admin)
    assert sorted(entry.method for entry in found) == sorted(expected)
    assert all(entry.code == "OK" and entry.resources for entry in found)
    told = str(found)
    assert not any(str(value) in told for _, fields in made for name, value in fields.items() if name in SENT)


SENT = {"definition", "document", "records", "file_name"}


async def test_a_tenant_sees_its_own_entries_alone(contract, token, tenant):
    method = next(method for method in contract.methods if audited(method))
    await contract.call(method, token(tenant=tenant, roles=["viewer"]))
    admin, stranger = (token(tenant=each, roles=["admin"]) for each in (tenant, f"{tenant}-2"))

    async def is_written():
        return bool(await entries(contract, admin))

    await until(is_written, 10)
    assert not await entries(contract, stranger)


async def test_reads_leave_no_entry(contract, token, tenant):
    bearer = token(tenant=tenant, roles=["worker", "admin"])
    reads = [method for method in contract.methods if not audited(method) and not method.client_streaming]
    await asyncio.gather(*(contract.call(method, bearer) for method in reads))
    assert not await entries(contract, bearer)


@pytest.mark.parametrize("field", ["subject", "resource", "method"])
async def test_a_filter_that_nothing_could_match_is_refused(contract, token, field):
    method = contract.find("ListAuditEntries")
    for wrong in ("x" * 301, "a\x00b"):
        request = GetMessageClass(method.input_type)(**{field: wrong})
        answer = await contract.call(method, token(roles=["admin"]), request)
        assert answer.code == "INVALID_ARGUMENT"
