"""Data is held to schemas: what the fault names, what runs where, and what hostile schemas come to."""

import time

import pytest
from millwright_workflow.domain.interpreter import Validate
from millwright_workflow.engine.sandbox.pool import Sandbox
from millwright_workflow.engine.sandbox.schemas import Schemas

PIECE = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "grams": {"maximum": 5}}}


@pytest.fixture(scope="module")
async def sandbox():
    """A sandbox of one process."""
    sandbox = Sandbox(1)
    yield sandbox
    await sandbox.close()


@pytest.fixture
def check(sandbox, fault):
    """Give a function that gives the fault of a validation, None if there is none."""
    schemas = Schemas(sandbox)

    async def check(schema, data, *, passes=False):
        validation = schemas.validate("t", Validate(schema, data, "/do/0/weld/input"))
        return await validation if passes else await fault(validation)

    return check


@pytest.mark.parametrize("elsewhere", [{}, {"$defs": {"a": {"pattern": "."}}}], ids=["here", "sandbox"])
async def test_the_fault_names_place_and_rule_and_no_value(check, elsewhere):
    await check({**PIECE, **elsewhere}, {"name": "S3CRET", "grams": 5}, passes=True)
    kind, status, detail = await check({**PIECE, **elsewhere}, {"name": ["S3CRET"], "grams": 987654})
    assert (kind, status) == ("validation", 400)
    assert '/name breaks type "string" (/properties/name/type)' in detail
    assert "/grams breaks maximum 5 (/properties/grams/maximum)" in detail
    assert "S3CRET" not in detail
    assert "987654" not in detail
    assert 'the whole breaks required "name" (/required)' in (await check({**PIECE, **elsewhere}, {}))[2]


async def test_a_schema_is_of_the_draft_that_it_names(check):
    tuples = {"items": [{"type": "integer"}], "additionalItems": False}
    seven = {"$schema": "http://json-schema.org/draft-07/schema#", **tuples}
    await check(seven, [1], passes=True)
    assert (await check(seven, [1, 2]))[0] == "validation"
    assert (await check(tuples, [1]))[0] == "configuration"  # in 2020-12 that is no schema
    latest = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "prefixItems": [{"type": "integer"}],
        "items": False,
    }
    await check(latest, [1], passes=True)
    assert (await check(latest, [1, 2]))[0] == "validation"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        "text",
        12,
        [],
        None,
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$schema": "http://127.0.0.1:9/meta"},
        {"pattern": "("},
        {"properties": 7},
    ],
)
async def test_what_is_no_schema_is_a_fault_of_configuration(check, schema):
    kind, _, detail = await check(schema, {"a": 1})
    assert (kind, "The schema is none" in detail) == ("configuration", True)


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 50_000 + "!"),
        ({"pattern": "(?=a)(a|aa)+\\1b$"}, "a" * 200),
        (
            {"items": {"allOf": [{"contains": {"contains": {"contains": {"const": 5}}}}] * 50}},
            [[[[1] * 40] * 40] * 40] * 40,
        ),
        ({"pattern": "(((((a{1,100}){1,100}){1,100}){1,100}){1,100})"}, "a"),
    ],
    ids=["nested", "backwards", "work", "large pattern"],
)
async def test_a_hostile_schema_ends_in_a_fault_and_others_go_on(check, schema, data):
    begin = time.monotonic()
    assert (await check(schema, data))[0] in ("validation", "configuration")
    assert time.monotonic() - begin < 6
    await check({"pattern": "."}, "a", passes=True)


@pytest.mark.parametrize(("depth", "passes"), [(60, True), (1000, False)])
async def test_deep_data_and_deep_schemas_end_in_an_answer(check, depth, passes):
    data, schema = "x", {"type": "string"}
    for _ in range(depth):
        data, schema = {"a": data}, {"properties": {"a": schema}}
    answer = await check(schema, data, passes=passes)
    assert passes or answer[0] == "configuration"


async def test_what_is_cheap_needs_no_process(fault):
    schemas = Schemas(Sandbox(1))
    await schemas.validate("t", Validate(PIECE, {"name": "a"}, "/x"))
    assert schemas._sandbox._children[0]._process is None


async def test_many_values_are_not_cheap(sandbox):
    schemas = Schemas(sandbox)
    await schemas.validate("t", Validate({"items": PIECE}, [{"name": "a"}] * 20_000, "/x"))
    assert sandbox._children[0]._process is not None
