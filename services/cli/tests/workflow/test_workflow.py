"""`millwright workflow`: what it sends, and what it makes of the answers."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.release_pb2 import Channel
from millwright.workflow.v1.workflow_pb2 import Change, Schedule, Version, Workflow
from millwright.workflow.v1.workflow_service_pb2 import (
    DiffVersionsResponse,
    GetVersionResponse,
    GetWorkflowResponse,
    ListSchedulesResponse,
    ListVersionsResponse,
    ListWorkflowsResponse,
    PublishVersionResponse,
)

DEFINITION = "document: {name: défaut, namespace: 품질}\ndo: []\n"
V3 = Version(
    name="workflows/quality.defect-alert/versions/3",
    number=3,
    semver="1.2.0",
    state="STATE_GOOD",
    definition=DEFINITION,
)
PROD = Channel(name="workflows/quality.defect-alert/channels/prod", version=3, revision=9)


def ago(**span):
    timestamp = Timestamp()
    timestamp.FromDatetime(datetime.now(UTC) - timedelta(**span))
    return timestamp


@pytest.fixture
def definition(tmp_path):
    path = tmp_path / "flow.yaml"
    path.write_text(DEFINITION)
    return str(path)


def test_publishing_sends_the_file_as_it_is_and_says_which_version_it_became(run, peer, definition):
    peer.answers("PublishVersion", PublishVersionResponse(version=V3, created=True))

    result = run("workflow", "publish", definition, "--reason", "first try")

    assert result.exit_code == 0
    assert "✔ quality.defect-alert 1.2.0: published as version 3, in" in result.stdout
    (request,) = peer.requests("PublishVersion")
    assert (request.definition, request.reason, request.promote_to) == (DEFINITION, "first try", "")
    assert len(request.request_id) == 36


def test_publishing_what_exists_says_so(run, peer, definition):
    peer.answers("PublishVersion", PublishVersionResponse(version=V3, created=False, replayed=True))
    result = run("workflow", "publish", definition)
    assert "the same content exists as version 3" in result.stdout
    assert "the first answer again" in result.stdout


@pytest.mark.parametrize(
    ("args", "channel"),
    [
        (("FILE", "--promote"), "prod"),
        (("--promote", "FILE"), "prod"),
        (("FILE", "--promote", "--reason", "why"), "prod"),
        (("FILE", "--promote", "canary"), "canary"),
        (("FILE", "--promote=canary"), "canary"),
        (("--promote", "canary", "FILE"), "canary"),
    ],
)
def test_promote_takes_a_channel_and_means_prod_without_one(run, peer, definition, args, channel):
    peer.answers("PublishVersion", PublishVersionResponse(version=V3, created=True, channel=PROD))
    result = run("workflow", "publish", *(definition if arg == "FILE" else arg for arg in args))
    assert result.exit_code == 0
    assert peer.requests("PublishVersion")[0].promote_to == channel
    assert "prod is on version 3, revision 9" in result.stdout


def test_a_definition_may_come_from_standard_input(run, peer):
    peer.answers("PublishVersion", PublishVersionResponse(version=V3, created=True))
    assert run("workflow", "publish", "-", "--promote", stdin=DEFINITION).exit_code == 0
    (request,) = peer.requests("PublishVersion")
    assert (request.definition, request.promote_to) == (DEFINITION, "prod")


def test_a_dry_run_says_that_nothing_changed(run, peer, definition):
    peer.answers("PublishVersion", PublishVersionResponse(version=V3, created=True))
    result = run("workflow", "publish", definition, "--dry-run")
    assert peer.requests("PublishVersion")[0].validate_only
    assert "nothing changed" in result.stdout


def test_a_file_that_is_not_there_is_a_usage_error_and_sends_nothing(run, peer):
    result = run("workflow", "publish", "absent.yaml")
    assert result.exit_code == 2
    assert "absent.yaml cannot be read: No such file or directory" in result.stderr
    assert not peer.calls


def test_a_file_that_is_no_text_is_a_usage_error(run, tmp_path):
    (tmp_path / "flow.yaml").write_bytes(b"\xff\xfe\x00")
    assert run("workflow", "publish", "flow.yaml").exit_code == 2


def test_lists_follow_pages_up_to_the_limit(run, peer):
    names = [f"workflows/a.w{n}" for n in range(5)]
    pages = (names[:2], "two"), (names[2:4], "four"), (names[4:], "")
    peer.answers(
        "ListWorkflows",
        *(ListWorkflowsResponse(workflows=[Workflow(name=n) for n in page], next_page_token=t) for page, t in pages),
    )

    result = run("workflow", "list", "--limit", "100", "-o", "json")

    assert [each["name"] for each in json.loads(result.stdout)["workflows"]] == names
    assert [(r.page_size, r.page_token) for r in peer.requests("ListWorkflows")] == [
        (100, ""),
        (98, "two"),
        (96, "four"),
    ]


def test_a_list_that_goes_on_beyond_the_limit_says_so(run, peer):
    peer.answers(
        "ListWorkflows", ListWorkflowsResponse(workflows=[Workflow(name="workflows/a.b")], next_page_token="t")
    )
    result = run("workflow", "list", "--limit", "1")
    assert len(peer.requests("ListWorkflows")) == 1
    assert "there are more: raise --limit above 1" in result.stdout


def test_an_empty_list_is_one_sentence_for_people_and_an_empty_array_for_scripts(run, peer):
    peer.answers("ListWorkflows", ListWorkflowsResponse(), ListWorkflowsResponse())
    assert run("workflow", "list").stdout == "nothing found\n"
    assert json.loads(run("workflow", "list", "-o", "json").stdout) == {"workflows": [], "nextPageToken": ""}


@pytest.mark.parametrize("name", ["quality.defect-alert", "workflows/quality.defect-alert"])
def test_a_workflow_is_named_with_or_without_its_collection(run, peer, name):
    peer.answers(
        "GetWorkflow",
        GetWorkflowResponse(
            workflow=Workflow(name="workflows/quality.defect-alert", latest_version=3, create_time=ago(days=2)),
            channels=[PROD],
        ),
    )
    result = run("workflow", "get", name)
    assert peer.requests("GetWorkflow")[0].name == "workflows/quality.defect-alert"
    assert "quality.defect-alert" in result.stdout
    assert "2 d ago" in result.stdout
    assert "prod" in result.stdout


@pytest.mark.parametrize("name", ["", "workflows/", "workflows/a.b/versions/3"])
def test_a_name_that_names_no_workflow_is_a_usage_error(run, peer, name):
    assert run("workflow", "get", name).exit_code == 2
    assert not peer.calls


def test_versions_show_their_state_in_words_and_glyphs(run, peer):
    bad = Version(
        number=2, semver="1.1.0", state="STATE_BAD", bad_reason="faults on line 4", create_time=ago(minutes=5)
    )
    peer.answers("ListVersions", ListVersionsResponse(versions=[V3, bad]))
    result = run("workflow", "versions", "quality.defect-alert")
    assert "✔ good" in result.stdout
    assert "✘ bad" in result.stdout
    assert "faults on line 4" in result.stdout
    assert "5 min ago" in result.stdout


def test_show_writes_the_definition_into_a_pipe_exactly_as_it_was_published(run, peer):
    peer.answers("GetVersion", GetVersionResponse(version=V3))
    result = run("workflow", "show", "quality.defect-alert", "3")
    assert result.stdout == DEFINITION
    assert peer.requests("GetVersion")[0].name == "workflows/quality.defect-alert/versions/3"


def test_a_diff_shows_each_change_with_its_place_and_values(run, peer):
    peer.answers(
        "DiffVersions",
        DiffVersionsResponse(
            changes=[
                Change(kind="KIND_MOVED", pointer="/do/1/b", from_pointer="/do/0/b"),
                Change(
                    kind="KIND_CHANGED",
                    pointer="/do/0/a/set/limit",
                    before=Value(number_value=3),
                    after=Value(string_value="4"),
                ),
                Change(kind="KIND_ADDED", pointer="/do/2/c", after=Value(bool_value=True)),
                Change(kind="KIND_REMOVED", pointer="/do/3/d", before=Value(null_value=0)),
            ]
        ),
    )
    result = run("workflow", "diff", "quality.defect-alert", "2", "3")
    assert result.stdout.splitlines() == [
        "2 → 3: 1 added, 1 removed, 1 changed, 1 moved",
        "> /do/1/b  from /do/0/b",
        "~ /do/0/a/set/limit",
        "    - 3",
        '    + "4"',
        "+ /do/2/c",
        "    + true",
        "- /do/3/d",
        "    - null",
    ]


def test_equal_versions_are_said_not_to_differ(run, peer):
    peer.answers("DiffVersions", DiffVersionsResponse())
    assert run("workflow", "diff", "a.b", "1", "2").stdout == "versions 1 and 2 do not differ\n"


def test_control_characters_in_an_answer_never_reach_the_terminal(run, peer):
    hostile = Version(number=1, state="STATE_BAD", bad_reason="\x1b]0;owned\x07\x1b[2Jgone\x9b31m")
    peer.answers("ListVersions", ListVersionsResponse(versions=[hostile]))
    result = run("workflow", "versions", "a.b")
    assert "gone" in result.stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(result.stdout)


def test_a_schedule_tells_what_it_is_and_when_it_starts_next(run, peer):
    schedule = Schedule(
        workflow="workflows/quality.defect-alert", version=3, next_time=ago(hours=-2), last_time=ago(days=1)
    )
    schedule.definition.update({"cron": "0 3 * * *"})
    peer.answers("ListSchedules", ListSchedulesResponse(schedules=[schedule]))

    result = run("workflow", "schedule", "quality.defect-alert")

    assert result.exit_code == 0
    assert '"cron": "0 3 * * *"' in result.stdout
    assert "Next start" in result.stdout
    (request,) = peer.requests("ListSchedules")
    assert request.workflow == "workflows/quality.defect-alert"


def test_a_schedule_that_waits_for_an_event_says_so(run, peer):
    peer.answers(
        "ListSchedules", ListSchedulesResponse(schedules=[Schedule(workflow="workflows/quality.defect-alert")])
    )
    assert "when an event" in run("workflow", "schedule", "quality.defect-alert").stdout


def test_a_workflow_without_a_schedule_says_so(run, peer):
    peer.answers("ListSchedules", ListSchedulesResponse())
    assert "no schedule" in run("workflow", "schedule", "quality.defect-alert").stdout
