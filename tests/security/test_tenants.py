"""What one tenant has is hidden from all others and cannot be changed by them, whatever RPC they try."""

import hashlib
import json
import re
import uuid
from pathlib import Path

import pytest
from google.protobuf.message_factory import GetMessageClass
from millwright_local.processes import until

from tests.security.contract import ROLES, about, is_read

WELD = (Path(__file__).parents[2] / "examples" / "rulesets" / "weld" / "v1.json").read_text()
SLOW = "document: {dsl: 1.0.1, namespace: owned, name: slow, version: 1.0.0}\ndo: [{rest: {wait: {hours: 1}}}]"
RULESET = f"rulesets/{json.loads(WELD)['namespace']}.{json.loads(WELD)['name']}"
ROW = {
    "source_type": "SOURCE_TYPE_MES",
    "source_system": "owned",
    "record_type": "RECORD_TYPE_WORK_ORDER",
    "external_id": "1",
    "payload": json.dumps({"line_code": "OWNED", "product_code": "P1", "shift": "A", "total_qty": 9, "good_qty": 9}),
    "event_time": {"seconds": 1_763_089_200},
}
# What a tenant has, by a call that makes it.
OWNED = {
    "millwright.workflow.v1": (
        ("PublishVersion", {"definition": SLOW, "promote_to": "prod"}),
        ("StartInstance", {"workflow": "workflows/owned.slow"}),
    ),
    "millwright.judgment.v1": (
        ("PublishVersion", {"document": WELD, "promote_to": "prod"}),
        ("SaveDraft", {"name": f"{RULESET}/drafts/owned", "document": WELD}),
    ),
    "millwright.etl.v1": (
        ("IngestBatch", {"records": [ROW]}),
        ("SaveDimensionMember", {"dimension": "DIMENSION_LINE", "member": {"code": "OWNED"}}),
        ("RunPipeline", {"dates": ["2025-11-14"]}),
    ),
    "millwright.modules.v1": (
        ("CreateUpload", {"digest": hashlib.sha256(b"owned").digest(), "total_bytes": 5, "file_name": "owned"}),
    ),
}
# What goes on after its call, by the read that tells of its end.
ENDS = {"millwright.etl.v1": ("GetRun", "STATE_COMPLETED")}
NAME = re.compile(r'"((?:[a-z][A-Za-z]*/[^/"]+)(?:/[a-z][A-Za-z]*/[^/"]+)*)"')


@pytest.fixture
async def owned(contract, token):
    """The token of one who has something of everything, and the names of what they have."""
    owner = token(tenant=f"owner-{uuid.uuid4().hex[:8]}", roles=ROLES)
    names = set()
    for rpc, fields in OWNED[contract.package]:
        method = contract.find(rpc)
        answer = await contract.call(method, owner, GetMessageClass(method.input_type)(**fields))
        assert answer.code == "OK", (rpc, answer)
        names |= set(NAME.findall(answer.text))
    if contract.package in ENDS:
        rpc, end = ENDS[contract.package]
        (name,) = (name for name in names if re.fullmatch("runs/[^/]+", name))

        async def has_ended():
            method = contract.find(rpc)
            return end in (await contract.call(method, owner, about(method, name))).text

        await until(has_ended, 30.0)
    return owner, sorted(names)


async def reads(contract, bearer, names):
    """Give what every read tells about every name."""
    return {
        (method.name, name): await contract.call(method, bearer, about(method, name))
        for method in contract.methods
        if is_read(method) or method.name.startswith("Get")
        for name in (*names, "")
    }


async def settled(contract, bearer, names):
    """Give what the reads tell that stays the same from one pass to the next: clocks go on."""
    first, second = await reads(contract, bearer, names), await reads(contract, bearer, names)
    return {key: answer for key, answer in second.items() if answer == first[key]}


async def test_no_read_tells_a_stranger_what_another_tenant_has(contract, owned, token):
    owner, names = owned
    told = await reads(contract, owner, names)
    hidden = await reads(contract, token(tenant="stranger", roles=ROLES), names)
    telling = [key for key, answer in told.items() if any(sign in answer.text for sign in (*names, "OWNED", "owned"))]
    assert telling
    for key in telling:
        assert not any(sign in hidden[key].text for sign in (*names, "OWNED", "owned")), key


async def test_nothing_that_a_stranger_calls_changes_what_another_tenant_has(contract, owned, token):
    owner, names = owned
    before = await settled(contract, owner, names)
    stranger = token(tenant="stranger", roles=ROLES)
    for method in contract.methods:
        for name in names:
            await contract.call(method, stranger, about(method, name))
    after = await reads(contract, owner, names)
    assert {key: after[key] for key in before} == before
