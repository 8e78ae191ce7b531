"""What the catalogue's functions make of arguments and answers, without the services that carry them out."""

import uuid

import pytest
from millwright_workflow.domain.interpreter import WorkflowFault
from millwright_workflow.engine.catalogue import modules, production, rollbacks

FACTS = {"groupBy": ["line"], "measures": ["yield"], "from": "2026-11-01", "to": "2026-11-02"}
OPERATION = {"name": "operations/1", "module": "modules/pages", "version": "1.0.0", "problems": []}


def test_rows_have_their_dimensions_and_measures_by_name_and_null_where_there_is_no_value():
    rows = [{"keys": ["L1"], "values": [{"value": 0.5}]}, {"keys": ["L2"], "values": [{}]}]
    found = production.output("/do/0/ask", FACTS, {"rows": rows, "nextPageToken": ""})
    assert found == [{"line": "L1", "yield": 0.5}, {"line": "L2", "yield": None}]


def test_more_rows_than_a_page_holds_are_a_fault_and_not_a_part_of_them():
    with pytest.raises(WorkflowFault) as caught:
        production.output("/do/0/ask", FACTS, {"rows": [], "nextPageToken": "more"})
    assert caught.value.error.status == 413
    assert "500 rows at most" in caught.value.error.detail


def test_a_rollback_names_a_target_only_if_it_was_given_one():
    given = {"ruleset": "line.weld", "channel": "prod", "reason": "too strict"}
    last_good = rollbacks.request("/do/0/back", given, "key")
    named = rollbacks.request("/do/0/back", {**given, "version": 3}, "key")
    assert last_good["channel"] == "rulesets/line.weld/channels/prod"
    assert "targetVersion" not in last_good
    assert named["targetVersion"] == 3
    assert rollbacks.request("/do/0/back", {**given, "from": 2}, "key")["sourceVersion"] == 2


@pytest.mark.parametrize("function", [rollbacks, modules])
def test_a_task_that_is_sent_again_has_the_same_request_id_and_another_task_another(function):
    given = {"ruleset": "line.weld", "channel": "prod", "reason": "too strict", "upload": "uploads/1"}
    ids = [uuid.UUID(function.request("/do/0/it", given, key)["requestId"]) for key in ("a", "a", "b")]
    assert ids[0] == ids[1] != ids[2]


def test_an_install_is_looked_at_until_it_has_ended():
    assert modules.look({"operation": {**OPERATION, "stage": "STAGE_BUILDING"}}) == {"name": "operations/1"}
    for end in ("COMPLETED", "FAILED", "CANCELLED", "ROLLED_BACK"):
        assert modules.look({"operation": {**OPERATION, "stage": f"STAGE_{end}"}}) is None


def test_an_install_that_did_not_complete_is_a_fault_with_what_was_wrong():
    problem = {"reason": "MISSING_DEPENDENCY", "messages": {"en": "It needs charts, which is not here."}}
    failed = {**OPERATION, "stage": "STAGE_FAILED", "problems": [problem]}
    with pytest.raises(WorkflowFault) as caught:
        modules.output("/do/0/install", {}, {"operation": failed})
    assert caught.value.error.status == 424
    assert caught.value.error.detail == "operations/1 is FAILED: It needs charts, which is not here."
