"""Publishing: a definition becomes a version, once, or is refused whole and leaves nothing behind."""

import json
import uuid

import pytest
from millwright.workflow.v1 import workflow_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, PROD, SET, WAIT, version_name, written

TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = 'workflow' AND relkind = 'r' AND c.relname NOT IN ('worker', 'alembic_version') ORDER BY 1
"""


@pytest.fixture
async def rows(sql, client):
    """Give a function that counts the tenant's rows in every table that has tenants, but what tells of calls."""

    async def count():
        counts = {}
        for row in await sql.fetch(TABLES):
            table = row["relname"]
            columns = await sql.fetch(
                "SELECT FROM information_schema.columns WHERE table_schema = 'workflow' AND table_name = $1 "
                "AND column_name = 'tenant'",
                table,
            )
            where = f"WHERE tenant = '{client.tenant}'" if columns else ""
            counts[table] = await sql.fetchval(f"SELECT count(*) FROM workflow.{table} {where}")
        told = {table for table in counts if table.startswith("audit_entry")}  # a repeated or refused call is told, too
        return {table: count for table, count in counts.items() if table not in {"outbox", *told}}  # it empties itself

    return count


async def test_the_first_version_makes_the_workflow(client):
    answer = await client.publish()
    assert answer.created
    assert answer.version.name == version_name(1)
    assert answer.version.semver == "1.0.0"
    assert answer.version.state == workflow_pb2.Version.STATE_GOOD
    workflow = (await client.GetWorkflow(name=NAME)).workflow
    assert (workflow.latest_version, workflow.latest_revision) == (1, 1)


async def test_a_published_version_gives_back_its_definition_as_it_was_written(client):
    text = "document: {dsl: '1.0.1', namespace: plant, name: line, version: '1.0.0'}\ndo: [{a: {set: {b: 1}}}]\n"
    await client.PublishVersion(definition=text)
    assert (await client.GetVersion(name=version_name(1))).version.definition == text


async def test_a_version_tells_its_tasks_and_how_many_an_instance_finishes(client):
    await client.publish([{"both": {"do": SET}}, {"rest": {"wait": {"seconds": 1}, "if": "${ .late }"}}])
    await client.publish([{"both": {"do": SET}}], "2.0.0", promote_to="prod")
    one, two = [(await client.GetVersion(name=version_name(number))).version for number in (1, 2)]
    assert [(task.pointer, task.name, task.kind, task.conditional) for task in one.outline] == [
        ("/do/0/both", "both", "do", False),
        ("/do/0/both/do/0/measure", "measure", "set", False),
        ("/do/1/rest", "rest", "wait", True),
    ]
    assert not one.HasField("task_count")
    assert two.task_count == (await client.run()).finished_tasks == 2
    assert not (await client.ListVersions(workflow=NAME)).versions[0].outline


async def test_the_same_content_again_is_the_same_version(client):
    first = await client.publish()
    again = await client.PublishVersion(definition=json.dumps(json.loads(written()), indent=4))
    assert not again.created
    assert again.version == first.version


async def test_the_same_content_again_writes_nothing(client, rows):
    await client.publish()
    before = await rows()
    await client.publish()
    assert await rows() == before


async def test_the_same_semver_with_other_content_is_taken(client, rows):
    await client.publish()
    before = await rows()
    refusal = await refused(client.publish(WAIT))
    assert refusal.kind == ("ALREADY_EXISTS", "SEMVER_TAKEN")
    assert refusal.info.metadata["version"] == "1"
    assert await rows() == before


async def test_publishing_can_promote_in_the_same_transaction(client):
    answer = await client.publish(promote_to="prod")
    assert (answer.channel.name, answer.channel.version, answer.channel.revision) == (PROD, 1, 2)


async def test_a_version_that_is_bad_is_not_promoted_by_publishing_it_again(client, rows):
    await client.publish()
    await client.MarkVersionBad(version=version_name(1), reason="it leaks")
    before = await rows()
    refusal = await refused(client.publish(promote_to="prod"))
    assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_BAD")
    assert await rows() == before


async def test_a_promotion_that_is_refused_takes_the_new_version_with_it(client, rows):
    before = await rows()
    refusal = await refused(client.publish(promote_to="No Channel"))
    assert refusal.fields == ["promote_to"]
    assert await rows() == before


async def test_validating_only_answers_as_publishing_would_and_writes_nothing(client, rows):
    before = await rows()
    preview = await client.PublishVersion(definition=written(), promote_to="prod", validate_only=True)
    assert await rows() == before
    real = await client.PublishVersion(definition=written(), promote_to="prod")
    for answer in (preview, real):
        answer.version.ClearField("create_time")
        answer.channel.ClearField("update_time")
    assert preview == real


async def test_a_request_id_gives_the_first_answer_again(client, rows):
    request_id = str(uuid.uuid4())
    first = await client.PublishVersion(definition=written(), request_id=request_id)
    before = await rows()
    again = await client.PublishVersion(definition=written(), request_id=request_id)
    assert again.replayed
    assert not first.replayed
    again.replayed = False
    assert again == first
    assert await rows() == before


async def test_a_request_id_with_another_body_is_refused(client, rows):
    request_id = str(uuid.uuid4())
    await client.PublishVersion(definition=written(), request_id=request_id)
    before = await rows()
    refusal = await refused(client.PublishVersion(definition=written(WAIT, "2.0.0"), request_id=request_id))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert await rows() == before


async def test_a_refused_request_leaves_its_request_id_free(client):
    request_id = str(uuid.uuid4())
    await client.publish()
    await refused(client.PublishVersion(definition=written(WAIT), request_id=request_id))
    assert (await client.PublishVersion(definition=written(WAIT, "2.0.0"), request_id=request_id)).created


def deep(levels):
    return '{"document": ' + "[" * levels + "]" * levels + "}"


BAD = {
    "nothing": ("", [("", "WRONG_TYPE")]),
    "malformed YAML": ("document: [", [("", "MALFORMED_YAML")]),
    "malformed JSON": ('{"document": [}', [("", "MALFORMED_YAML")]),
    "a NUL": ("document: \0", [("", "MALFORMED_YAML")]),
    "10,000 levels": (deep(10_000), [("", "DEFINITION_TOO_DEEP")]),
    "more than 1 MiB": (written() + " " * 2**20, [("", "DEFINITION_TOO_LARGE")]),
    "an unknown key": (written(SET, speed=9), [("/speed", "UNKNOWN_KEY")]),
    "an unknown flow target": (
        written([{"a": {"set": {"b": 1}, "then": "nowhere"}}]),
        [("/do/0/a/then", "UNKNOWN_FLOW_TARGET")],
    ),
    "a cycle of then": (
        written([{"a": {"set": {"b": 1}, "then": "b"}}, {"b": {"set": {"b": 1}, "then": "a"}}]),
        [("/do/0/a", "FLOW_CYCLE")],
    ),
    "jq that does not compile": (
        written([{"a": {"set": {"b": "${ .x | nosuch }"}}}]),
        [("/do/0/a/set/b", "EXPRESSION_INVALID")],
    ),
    "an expression that reaches for the environment": (
        written([{"a": {"set": {"b": "${ $ENV.HOME }"}}}]),
        [("/do/0/a/set/b", "EXPRESSION_FORBIDDEN")],
    ),
    "jq that eats memory while it compiles": (
        written([{"a": {"set": {"b": "${ 1 }", "c": '${ "x" * 1e9 }', "d": "${ 2 }"}}}]),
        [("/do/0/a/set/c", "EXPRESSION_INVALID")],
    ),
    "a script": (
        written([{"a": {"run": {"script": {"language": "python", "code": "1"}}}}]),
        [("/do/0/a/run/script", "CONSTRUCT_FORBIDDEN")],
    ),
    "what is not run here": (
        written(
            [
                {
                    "a": {
                        "call": "mcp",
                        "with": {"method": "tools/list", "transport": {"http": {"endpoint": "https://p.example"}}},
                    }
                }
            ]
        ),
        [("/do/0/a", "UNSUPPORTED_CONSTRUCT")],
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_definition_is_refused_by_pointer_and_leaves_nothing(client, rows, name):
    source, faults = BAD[name]
    before = await rows()
    refusal = await refused(client.PublishVersion(definition=source, promote_to="prod", request_id=str(uuid.uuid4())))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_DEFINITION")
    assert refusal.faults == faults
    assert await rows() == before


async def test_every_fault_is_told_at_once(client):
    do = [
        {"a": {"set": {"b": "${ .x | nosuch }"}}},
        {"c": {"run": {"shell": {"command": "ls"}}}},
        {"d": {"set": {"e": "${ nosuch2 }"}}},
    ]
    refusal = await refused(client.publish(do))
    assert refusal.fields == ["/do/0/a/set/b", "/do/1/c/run/shell", "/do/2/d/set/e"]
    assert refusal.info.metadata["count"] == "3"


async def test_a_reason_that_is_too_long_is_refused(client):
    refusal = await refused(client.PublishVersion(definition=written(), reason="x" * 1001))
    assert refusal.faults == [("reason", "TOO_LONG")]


async def test_a_request_id_that_is_no_uuid_is_refused(client, rows):
    before = await rows()
    refusal = await refused(client.PublishVersion(definition=written(), request_id="mine"))
    assert refusal.fields == ["request_id"]
    assert await rows() == before


async def test_faults_of_every_stage_are_reported_at_once(client):
    source = """
document: {dsl: 1.0.0, namespace: quality, name: all-at-once, version: 1.0.0}
do:
  - unknown: {set: {a: 1}, colour: red}
  - missing: {set: {a: 1}, then: nowhere}
  - broken: {set: {a: "${ .a | }"}}
  - nothingYet: {run: {shell: {command: ls}}}
  - loop:
      for: {each: part, in: "${ .parts }"}
      do:
        - typo: {sett: {x: "${ $part }"}}
  - uses: {set: {a: "${ env.HOME }"}}
"""
    refusal = await refused(client.PublishVersion(definition=source))

    assert {reason for _, reason in refusal.faults} >= {
        "UNKNOWN_KEY",
        "UNKNOWN_FLOW_TARGET",
        "EXPRESSION_INVALID",
        "CONSTRUCT_FORBIDDEN",
        "EXPRESSION_FORBIDDEN",
        "AMBIGUOUS_TASK",
    }


INSTALL = {"install": {"call": "install-module", "with": {"upload": "uploads/1"}}}


@pytest.mark.parametrize(
    "do",
    [
        [INSTALL],
        [{"both": {"do": [INSTALL]}}],
        [{"install": {"call": "install-module:1.0.0@default", "with": {"upload": "uploads/1"}}}],
    ],
)
async def test_what_installs_modules_is_for_an_administrator_to_publish(client, token, rows, do):
    before = await rows()
    refusal = await refused(client.PublishVersion(definition=written(do)))
    assert refusal.kind == ("PERMISSION_DENIED", "FUNCTION_FORBIDDEN")
    assert (await refused(client.PublishVersion(definition=written(do), validate_only=True))).kind == refusal.kind
    assert await rows() == before
    admin = token(tenant=client.tenant, roles=("admin",))
    assert (await client.PublishVersion(definition=written(do), token=admin)).created


async def test_what_is_installed_is_not_for_whoever_starts_an_instance_to_choose(client, token):
    chosen = {"install": {"call": "install-module", "with": {"upload": "${ .upload }"}}}
    admin = token(tenant=client.tenant, roles=("admin",))
    refusal = await refused(client.PublishVersion(definition=written([chosen]), token=admin))
    assert refusal.reason == "INVALID_DEFINITION"
    assert [violation.field for violation in refusal.violations] == ["/do/0/install/with/upload"]
