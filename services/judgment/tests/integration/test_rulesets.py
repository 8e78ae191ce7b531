"""Drafts, the gate and publication, as callers see them."""

import json
import uuid

import pytest
from judgment_rig.client import PROD, RULESET, given, version
from judgment_samples.documents import weld, weld_rows
from millwright.judgment.v1 import judgment_pb2, ruleset_pb2
from millwright_local.testing.refusals import refused

DRAFT = f"{RULESET}/drafts/tighter"
EXAMPLE = {"name": "a good weld", "input": {"defect_rate": 0.01, "temperature": 20, "product": "gear"}}


async def test_a_published_version_is_given_back_as_it_was_published(client):
    document = json.dumps(weld(titles={"en": "Weld line", "ko": "용접 라인"}), ensure_ascii=False)
    published = await client.PublishVersion(document=document)
    assert (published.created, published.version.number, published.version.semver) == (True, 1, "1.0.0")
    found = (await client.GetVersion(name=version(1))).version
    assert found.document == document
    assert found.gate_report.passed
    assert found.content_hash == published.version.content_hash
    assert (await client.GetRuleset(name=RULESET)).ruleset.titles == {"en": "Weld line", "ko": "용접 라인"}


async def test_the_same_content_is_the_same_version(client):
    first = await client.publish()
    again = await client.PublishVersion(document=json.dumps(weld(), indent=4))
    assert (again.created, again.version.number) == (False, first.version.number)


async def test_other_content_under_a_known_semver_is_refused(client):
    await client.publish()
    refusal = await refused(client.publish(titles={"en": "other"}))
    assert refusal.kind == ("ALREADY_EXISTS", "SEMVER_TAKEN")


async def test_publishing_can_promote_at_once(client):
    published = await client.publish(promote_to="prod")
    assert (published.channel.name, published.channel.version) == (PROD, 1)
    assert await client.operations() == ["PUBLISH", "PROMOTE"]


async def test_validating_writes_nothing(client):
    document = json.dumps(weld())
    preview = await client.PublishVersion(document=document, promote_to="prod", validate_only=True)
    assert (preview.version.number, preview.channel.version) == (1, 1)
    assert (await refused(client.GetRuleset(name=RULESET))).reason == "RULESET_NOT_FOUND"


async def test_every_fault_is_named_by_its_cell(client):
    rows = weld_rows(r_critical={"defect_rate": "> eight"}, r_hot={"outcome": '"boiling"'})
    refusal = await refused(client.PublishVersion(document=json.dumps(weld(rows))))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_RULESET")
    assert len(refusal.fields) == 2
    assert all(field.startswith("/decision/nodes/1/content/rules/") for field in refusal.fields)


@pytest.mark.parametrize("document", ["", "{", "[]", '{"namespace": "line"}', "x" * (1024 * 1024 + 1), "{\x00}"])
async def test_what_is_no_document_is_refused(client, document):
    assert (await refused(client.PublishVersion(document=document))).code == "INVALID_ARGUMENT"


async def test_an_example_that_fails_blocks(client):
    wrong = {**EXAMPLE, "expect": {"outcome": "critical"}}
    refusal = await refused(client.publish(examples=[wrong]))
    assert refusal.faults == [("/examples/0", "EXAMPLE_FAILED")]


async def test_a_ruleset_says_which_findings_block(client):
    wrong = {**EXAMPLE, "expect": {"outcome": "critical"}}
    published = await client.publish(examples=[wrong], blocking=[])
    report = published.version.gate_report
    assert (report.passed, report.examples_passed, report.examples_total) == (True, 0, 1)
    assert report.findings[0].severity == ruleset_pb2.Finding.SEVERITY_WARNING


async def test_what_the_analysis_finds_is_kept_by_cell_and_blocks_where_the_ruleset_says_so(client):
    hole = weld(weld_rows(r_normal={"temperature": "< 100"}))["decision"]
    published = await client.publish(decision=hole)
    findings = (await client.GetVersion(name=published.version.name)).version.gate_report.findings
    gap = next(found for found in findings if found.code == "GAP")
    assert (gap.severity, gap.table) == (ruleset_pb2.Finding.SEVERITY_WARNING, "main")
    judged = await client.Judge(ruleset=published.version.name, input=given(**json.loads(gap.example)))
    assert judged.execution.judgment.status == judgment_pb2.Judgment.STATUS_NO_MATCH
    refusal = await refused(client.publish("2.0.0", decision=hole, blocking=["GAP"]))
    assert set(refusal.faults) == {("/decision/nodes/1/content/rules", "GAP")}


async def test_rows_that_never_speak_block(client):
    shadowed = weld(weld_rows(r_critical={"defect_rate": "> 0.02"}, r_hot={"temperature": "> 200"}))["decision"]
    refusal = await refused(client.publish(decision=shadowed))
    assert refusal.faults == [
        ("/decision/nodes/1/content/rules/1", "SHADOWED_ROW"),
        ("/decision/nodes/1/content/rules/2/i_temperature", "UNREACHABLE_ROW"),
    ]


async def test_a_draft_need_not_be_free_of_faults(client):
    saved = await client.SaveDraft(name=DRAFT, document='{"namespace": "line"}')
    assert saved.draft.state == ruleset_pb2.Draft.STATE_DRAFT
    assert saved.findings


async def test_a_draft_is_changed_by_who_has_seen_it(client):
    first = (await client.SaveDraft(name=DRAFT, document=json.dumps(weld()))).draft
    assert (await refused(client.SaveDraft(name=DRAFT, document="{}"))).reason == "ETAG_MISMATCH"
    second = (await client.SaveDraft(name=DRAFT, document="{}", etag=first.etag)).draft
    assert second.etag != first.etag
    assert (await refused(client.SaveDraft(name=DRAFT, document="{}", etag=first.etag))).reason == "ETAG_MISMATCH"


async def test_a_draft_goes_through_the_gate_and_is_published(client):
    saved = (await client.SaveDraft(name=DRAFT, document=json.dumps(weld()))).draft
    validated = (await client.ValidateDraft(name=DRAFT, etag=saved.etag)).draft
    assert validated.state == ruleset_pb2.Draft.STATE_VALIDATED
    published = await client.PublishVersion(draft=DRAFT, promote_to="prod")
    assert published.channel.version == published.version.number == 1
    assert (await client.GetDraft(name=DRAFT)).draft.state == ruleset_pb2.Draft.STATE_PUBLISHED


async def test_a_draft_that_changes_is_validated_no_more(client):
    await client.SaveDraft(name=DRAFT, document=json.dumps(weld()))
    validated = (await client.ValidateDraft(name=DRAFT)).draft
    changed = (await client.SaveDraft(name=DRAFT, document="{}", etag=validated.etag)).draft
    assert changed.state == ruleset_pb2.Draft.STATE_DRAFT
    assert not changed.gate_report.findings


async def test_a_draft_is_removed(client):
    await client.SaveDraft(name=DRAFT, document="{}")
    await client.DeleteDraft(name=DRAFT)
    await client.DeleteDraft(name=DRAFT)
    assert (await refused(client.GetDraft(name=DRAFT))).reason == "DRAFT_NOT_FOUND"


async def test_drafts_are_listed_page_by_page(client):
    for number in range(5):
        await client.SaveDraft(name=f"{RULESET}/drafts/d-{number}", document="{}")
    first = await client.ListDrafts(page_size=3)
    second = await client.ListDrafts(page_size=3, page_token=first.next_page_token)
    names = [draft.name.rpartition("/")[2] for draft in [*first.drafts, *second.drafts]]
    assert names == [f"d-{number}" for number in range(5)]
    assert not second.next_page_token


async def test_two_versions_are_compared_as_edits(client):
    await client.publish()
    await client.publish("2.0.0", decision=weld(weld_rows(r_hot={"temperature": ">= 110"}))["decision"])
    answer = await client.DiffVersions(**{"from": version(1), "to": version(2)})
    (edit,) = answer.edits
    assert (edit.kind, edit.rule, edit.field) == (ruleset_pb2.Edit.KIND_CONDITION_LOOSENED, "r-hot", "temperature")
    assert (edit.before, edit.after) == (">= 120", ">= 110")


async def test_a_draft_is_compared_with_a_version(client):
    await client.publish()
    await client.SaveDraft(name=DRAFT, document=json.dumps(weld(version="2.0.0", default={"outcome": "warning"})))
    answer = await client.DiffVersions(**{"from": version(1), "to": DRAFT})
    assert [edit.field for edit in answer.edits] == ["default"]


async def test_a_decision_file_goes_out_and_comes_back(client):
    await client.publish()
    exported = (await client.ExportDecision(version=version(1))).decision
    imported = await client.ImportDecision(decision=exported, ruleset="rulesets/line.copy")
    document = json.loads(imported.document)
    assert (document["namespace"], document["name"]) == ("line", "copy")
    assert {field["field"] for field in document["inputs"]} == {"defect_rate", "temperature", "product"}


async def test_a_decision_that_cannot_be_analysed_is_refused_by_name(client):
    decision = weld()["decision"]
    decision["nodes"][1]["type"] = "functionNode"
    imported = await client.ImportDecision(decision=json.dumps(decision), ruleset="rulesets/line.copy")
    assert "FORBIDDEN_NODE" in {finding.code for finding in imported.findings}


async def test_a_request_id_gives_the_first_answer_again(client):
    request = {"document": json.dumps(weld()), "promote_to": "prod", "request_id": str(uuid.uuid4())}
    first = await client.PublishVersion(**request)
    again = await client.PublishVersion(**request)
    assert (first.replayed, again.replayed) == (False, True)
    assert await client.operations() == ["PUBLISH", "PROMOTE"]


async def test_a_retired_version_is_out_of_use_for_good(client):
    await client.release(2)
    retired = await client.RetireVersion(name=version(1), reason="old oven")
    assert (retired.changed, retired.version.state) == (True, ruleset_pb2.Version.STATE_RETIRED)
    assert not (await client.RetireVersion(name=version(1), reason="old oven")).changed
    assert (await refused(client.PromoteVersion(channel=PROD, version=1))).reason == "VERSION_RETIRED"
    assert (await refused(client.rollback())).reason == "NO_ROLLBACK_TARGET"


@pytest.mark.parametrize("count", [-1, 100_001])
async def test_the_gate_replays_no_more_than_it_can(client, count):
    await client.SaveDraft(name=DRAFT, document=json.dumps(weld()))
    for call in (
        client.ValidateDraft(name=DRAFT, replay_executions=count),
        client.PublishVersion(document=json.dumps(weld()), replay_executions=count),
    ):
        assert (await refused(call)).faults == [("replay_executions", "OUT_OF_RANGE")]
