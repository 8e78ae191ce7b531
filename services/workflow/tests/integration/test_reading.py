"""Reading what was published: workflows, versions, differences, the release log; and the laws of paging."""

import pytest
from millwright.workflow.v1 import workflow_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, PROD, SET, WAIT, written

Change = workflow_pb2.Change


@pytest.fixture
async def seven(client):
    """A client with seven workflows, and seven versions of `plant.line`, each promoted."""
    for number in range(1, 7):
        await client.PublishVersion(definition=written().replace('"line"', f'"other-{number}"'))
    await client.release(*([{"measure": {"set": {"number": number}}}] for number in range(1, 8)))
    return client


LISTINGS = {
    "ListWorkflows": ({}, "workflows"),
    "ListVersions": ({"workflow": NAME}, "versions"),
    "ListReleases": ({"workflow": NAME}, "releases"),
    "ListInstances": ({}, "instances"),
}


@pytest.fixture
async def listed(seven, request):
    """Give a function that lists, and the whole list."""
    fields, where = LISTINGS[request.param]
    if request.param == "ListInstances":
        for _ in range(7):
            await seven.start(channel="prod")

    async def page(**more):
        answer = await getattr(seven, request.param)(**fields, **more)
        names = [value.name for value in getattr(answer, where)]
        return names, answer.next_page_token

    return page, (await page())[0]


@pytest.mark.parametrize("listed", LISTINGS, indirect=True)
@pytest.mark.parametrize("size", [1, 3, 7, 14])
async def test_pages_of_any_size_make_up_the_whole_list(listed, size):
    page, whole = listed
    pieces, token = [], ""
    while True:
        names, token = await page(page_size=size, page_token=token)
        assert len(names) == size or not token
        pieces += names
        if not token:
            break
    assert pieces == whole
    assert len(set(whole)) == len(whole) >= 7


@pytest.mark.parametrize("listed", LISTINGS, indirect=True)
async def test_a_negative_page_size_is_refused(listed):
    page, _ = listed
    assert (await refused(page(page_size=-1))).faults == [("page_size", "OUT_OF_RANGE")]


@pytest.mark.parametrize("listed", LISTINGS, indirect=True)
@pytest.mark.parametrize("text", ["x", "AAAA", "W10", "eyJ9", "é"])
async def test_a_page_token_that_is_none_is_refused(listed, text):
    page, _ = listed
    assert (await refused(page(page_token=text))).kind == ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH")


async def test_a_page_token_of_another_query_is_refused(seven):
    token = (await seven.ListReleases(workflow=NAME, page_size=1)).next_page_token
    for call in (
        seven.ListReleases(workflow=NAME, channel="prod", page_size=1, page_token=token),
        seven.ListVersions(workflow=NAME, page_size=1, page_token=token),
        seven.ListInstances(workflow=NAME, page_size=1, page_token=token),
        seven.ListWorkflows(page_size=1, page_token=token),
    ):
        assert (await refused(call)).reason == "PAGE_TOKEN_MISMATCH"


async def test_a_page_goes_on_where_it_stopped_though_newer_rows_have_come(seven):
    first = await seven.ListVersions(workflow=NAME, page_size=3)
    await seven.publish(WAIT, "8.0.0")
    second = await seven.ListVersions(workflow=NAME, page_size=3, page_token=first.next_page_token)
    assert [version.number for version in second.versions] == [4, 3, 2]


async def test_workflows_come_by_name(seven):
    names = [workflow.name for workflow in (await seven.ListWorkflows()).workflows]
    assert names == sorted(names)


async def test_versions_come_newest_first_without_their_definitions(seven):
    versions = (await seven.ListVersions(workflow=NAME)).versions
    assert [version.number for version in versions] == [7, 6, 5, 4, 3, 2, 1]
    assert not any(version.definition for version in versions)


async def test_the_log_of_a_channel_is_what_moved_it(seven):
    await seven.PromoteVersion(channel=f"{NAME}/channels/line-2", version=1)
    releases = (await seven.ListReleases(workflow=NAME, channel="prod")).releases
    assert [release.revision for release in releases] == [14, 12, 10, 8, 6, 4, 2]


async def test_a_workflow_that_is_not_there_is_not_found(client):
    for call in (client.GetWorkflow(name=NAME), client.ListVersions(workflow=NAME), client.ListReleases(workflow=NAME)):
        assert (await refused(call)).kind == ("NOT_FOUND", "WORKFLOW_NOT_FOUND")


async def test_a_channel_that_is_not_there_is_not_found(client):
    assert (await refused(client.GetChannel(name=PROD))).kind == ("NOT_FOUND", "CHANNEL_NOT_FOUND")


@pytest.mark.parametrize("number", ["0", "01", "-1", "x", "9999999999", "1 "])
async def test_a_malformed_version_is_refused(client, number):
    refusal = await refused(client.GetVersion(name=f"{NAME}/versions/{number}"))
    assert refusal.faults == [("name", "MALFORMED_NAME")]


async def compared(client, before, after):
    """Publish two definitions and give their differences."""
    await client.PublishVersion(definition=before)
    await client.PublishVersion(definition=after)
    return list((await client.DiffVersions(workflow=NAME, from_version=1, to_version=2)).changes)


async def test_a_version_does_not_differ_from_itself(seven):
    assert not (await seven.DiffVersions(workflow=NAME, from_version=3, to_version=3)).changes


async def test_a_changed_value_is_told_with_what_it_was(seven):
    task, _ = (await seven.DiffVersions(workflow=NAME, from_version=1, to_version=2)).changes
    assert (task.kind, task.pointer) == (Change.KIND_CHANGED, "/do/0/measure/set/number")
    assert (task.before.number_value, task.after.number_value) == (1, 2)


async def test_an_added_and_a_removed_task_are_told_each_by_its_pointer(client):
    changes = await compared(client, written(SET), written(WAIT, "2.0.0"))
    assert {(change.kind, change.pointer) for change in changes} == {
        (Change.KIND_CHANGED, "/document/version"),
        (Change.KIND_ADDED, "/do/0/rest"),
        (Change.KIND_REMOVED, "/do/0/measure"),
    }


async def test_a_moved_task_is_one_change(client):
    changes = await compared(client, written([*SET, *WAIT]), written([*WAIT, *SET], "2.0.0"))
    moved = [(change.from_pointer, change.pointer) for change in changes if change.kind == Change.KIND_MOVED]
    assert moved == [("/do/1/rest", "/do/0/rest")]
    assert len(changes) == 2


async def test_differences_as_deep_as_a_definition_may_be_can_be_told(client):
    deep = 1
    for _ in range(55):
        deep = {"a": deep}
    changes = await compared(client, written(SET), written([{"measure": {"set": {"ok": deep}}}], "2.0.0"))
    assert any(change.pointer == "/do/0/measure/set/ok" for change in changes)


@pytest.mark.parametrize("pair", [(1, 9), (9, 1), (0, 1), (-1, 1)])
async def test_versions_that_are_not_there_cannot_be_compared(seven, pair):
    refusal = await refused(seven.DiffVersions(workflow=NAME, from_version=pair[0], to_version=pair[1]))
    assert refusal.kind == ("NOT_FOUND", "VERSION_NOT_FOUND")
