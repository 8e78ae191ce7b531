"""Installing: stages, progress, what is refused, what joins, and what is live at the end."""

import asyncio
import hashlib
import os
import uuid

import pytest
from google.protobuf import json_format
from millwright.modules.v1 import module_pb2, operation_pb2
from millwright.modules.v1 import module_service_pb2 as pb
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_modules.confinement import kernel, process
from module_samples.packages import archive, files, signed
from modules_rig.client import MODULE, PIECE_BYTES, package, stage, upload_name

BLOCK = """
CREATE FUNCTION block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4711);
    RETURN NEW;
END $$;
CREATE TRIGGER block BEFORE UPDATE ON modules.operation FOR EACH ROW WHEN (NEW.stage = 'VALIDATING')
    EXECUTE FUNCTION block();
"""
STAGES = ["UPLOADED", "EXTRACTING", "VALIDATING", "BUILDING", "ACTIVATING", "COMPLETED"]
ENDS = {"UPLOADED": 0, "EXTRACTING": 0, "VALIDATING": 25, "BUILDING": 50, "ACTIVATING": 75, "COMPLETED": 100}


def entered(events):
    """The stages in their order, each once, with the percentage at which it was entered."""
    first = {}
    for event in events:
        first.setdefault(stage(event), event.progress.percent)
    return first


@pytest.fixture
async def blocked(sql):
    """Operations come no further than EXTRACTING, until what is given is called, or the test is over."""
    await sql.execute(BLOCK)
    await sql.execute("SELECT pg_advisory_lock(4711)")

    async def release():
        await sql.execute("SELECT pg_advisory_unlock_all()")

    yield release
    await release()
    await sql.execute("DROP TRIGGER block ON modules.operation; DROP FUNCTION block")


def reasons(operation):
    """The reasons for which an operation ended."""
    assert stage(operation) == "FAILED", operation
    return [problem.reason for problem in operation.problems if problem.severity == module_pb2.Problem.SEVERITY_ERROR]


async def test_an_install_goes_through_its_stages(client):
    operation = await client.installed(package())
    events = await client.events(operation.name)
    assert entered(events) == ENDS
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    percents = [event.progress.percent for event in events]
    assert percents == sorted(percents)
    assert percents.count(100) == 1
    assert all(set(event.progress.messages) == {"en", "ko"} for event in events)
    assert (operation.module, operation.version) == (MODULE, "1.0.0")
    assert operation.end_time.seconds


async def test_what_was_installed_is_live(client):
    operation = await client.installed(package(), reason="asked for by line 3")
    got = await client.GetModule(name=MODULE)
    assert got.module.state == module_pb2.Module.STATE_ENABLED
    assert (got.module.active_version, got.module.generation, got.module.operation) == ("1.0.0", 1, "")
    assert dict(got.module.titles) == {"en": "Quality", "ko": "품질"}
    assert got.version.active
    assert [asset.path for asset in got.version.assets] == ["page.js", "parts/chart.js"]
    (activation,) = (await client.ListActivations(module=MODULE)).activations
    assert (activation.kind, activation.to_version) == (module_pb2.Activation.KIND_INSTALL, "1.0.0")
    assert (activation.operation, activation.reason) == (operation.name, "asked for by line 3")


async def test_assets_are_served_with_their_hash(client):
    page = b"// a long page\n" * 60_000
    await client.installed(package(page=page))
    described, data = await client.asset()
    assert data == page
    assert (described.version, described.asset.path, described.asset.media_type) == (
        "1.0.0",
        "page.js",
        "text/javascript",
    )
    assert described.asset.digest == hashlib.sha256(page).digest()
    again, nothing = await client.asset(known_digest=described.asset.digest)
    assert (again.asset, nothing) == (described.asset, b"")
    assert (await refused(client.GetAsset(module=MODULE, path="../module.json"))).reason == "ASSET_NOT_FOUND"
    assert (await refused(client.GetAsset(module=MODULE, path="module.json"))).reason == "ASSET_NOT_FOUND"


@pytest.fixture
def buildable():
    """Skip where the machine cannot confine a build."""
    try:
        process.check()
    except kernel.Unavailable as lack:
        pytest.skip(f"this machine cannot confine a process: it lacks {lack}")


async def test_a_frontend_is_built_and_served(client, buildable):
    operation = await client.installed(archive(files()))
    events = await client.events(operation.name)
    assert any("Building" in event.progress.messages["en"] for event in events if stage(event) == "BUILDING")
    described, page = await client.asset()
    assert described.asset.path.startswith("page-")
    assert b"react/jsx-runtime" in page
    assert {asset.media_type for asset in (await client.GetModule(name=MODULE)).version.assets} == {
        "text/javascript",
        "text/css",
        "application/json",
    }


async def test_a_frontend_that_does_not_build_is_told_with_file_and_line(client, buildable):
    wrong = files() | {"src/page.tsx": b"export default 1;\nimport './nowhere';\n"}
    operation = await client.install(archive(wrong))
    assert reasons(operation) == ["IMPORT_UNRESOLVED"]
    found = next(problem for problem in operation.problems if problem.reason == "IMPORT_UNRESOLVED")
    assert (found.path, found.line) == ("src/page.tsx", 2)


async def test_a_module_without_a_frontend_is_installed(client):
    await client.installed(archive(files(frontend=None)))
    assert not (await client.GetModule(name=MODULE)).version.assets
    assert (await refused(client.GetAsset(module=MODULE))).reason == "ASSET_NOT_FOUND"


async def test_a_newer_version_is_an_upgrade_and_the_earlier_one_is_kept(client):
    await client.installed(package("1.0.0"))
    await client.installed(package("1.1.0", page=b"2"))
    listed = (await client.ListModuleVersions(module=MODULE)).versions
    assert [(each.name, each.active) for each in listed] == [
        (f"{MODULE}/versions/1.1.0", True),
        (f"{MODULE}/versions/1.0.0", False),
    ]
    kinds = [each.kind for each in (await client.ListActivations(module=MODULE)).activations]
    assert kinds == [module_pb2.Activation.KIND_UPGRADE, module_pb2.Activation.KIND_INSTALL]
    assert (await client.asset())[1] == b"2"
    assert (await client.asset(f"{MODULE}/versions/1.0.0"))[1] == b"export default 1;\n"


async def test_a_hostile_archive_ends_the_operation_with_its_reason(client):
    contents = files(frontend=None)
    hostile = archive({**contents, "./module.json": contents["module.json"]})
    operation = await client.install(hostile)
    (problem,) = operation.problems
    assert stage(operation) == "FAILED"
    assert problem.reason == "PATH_NOT_CANONICAL"
    assert set(problem.messages) == set(problem.hints) == {"en", "ko"}
    assert operation.progress.percent < 25
    assert not (await client.ListModules()).modules


async def test_every_problem_is_told_at_once(client):
    wrong = archive({**files(frontend=None, platform="^9", dependencies={"charts": "^1"}), "run.sh": b""})
    assert set(reasons(await client.install(wrong))) == {
        "PLATFORM_UNSUITABLE",
        "DEPENDENCY_MISSING",
        "FORBIDDEN_FILE_TYPE",
    }


LIST = "millwright.etl.v1.ProductionService/ListProduction"
START = "millwright.workflow.v1.InstanceService/StartInstance"


def routed(*routes, permissions=("etl.read", "workflow.write")):
    """A package whose page has these routes."""
    backend = {"routes": [{"path": path, "method": method} for path, method in routes]}
    return archive(files(frontend=None, backend=backend, permissions=list(permissions)))


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (routed(("/a", "millwright.nowhere.v9.NoService/NoMethod")), ("ROUTE_UNKNOWN", "/backend/routes/0/method")),
        (routed(("/a", LIST.replace("List", "Lost"))), ("ROUTE_UNKNOWN", "/backend/routes/0/method")),
        (routed(("/a", LIST), ("/a", START)), ("ROUTE_TWICE", "/backend/routes/1/path")),
        (routed(("/a", LIST), permissions=()), ("ROUTE_NOT_PERMITTED", "/backend/routes/0/method")),
        (routed(("/a", START), permissions=["workflow.read"]), ("ROUTE_NOT_PERMITTED", "/backend/routes/0/method")),
    ],
)
async def test_routes_lead_to_what_there_is_and_may_be_called(package, expected, client):
    operation = await client.install(package)
    assert reasons(operation) == [expected[0]]
    assert expected in {(problem.reason, problem.path) for problem in operation.problems}
    plan = await client.PlanChange(install=await client.upload(package))
    assert [(problem.reason, problem.path) for problem in plan.problems] == [expected]


async def test_routes_that_are_right_are_installed(client):
    await client.installed(routed(("/a", LIST), ("/b", START), permissions=["etl.write", "workflow.write"]))


async def test_other_content_under_the_same_version_is_refused(client):
    await client.installed(package())
    assert reasons(await client.install(package(page=b"other"))) == ["VERSION_TAKEN"]
    assert (await client.asset())[1] == b"export default 1;\n"


async def test_an_older_version_needs_consent(client):
    await client.installed(package("2.0.0"))
    assert reasons(await client.install(package("1.0.0"))) == ["DOWNGRADE"]
    await client.installed(package("1.0.0"), allow_downgrade=True)
    assert (await client.GetModule(name=MODULE)).module.active_version == "1.0.0"


async def test_the_first_version_that_fails_leaves_no_module(client):
    await client.install(package(dependencies={"charts": "^1"}))
    assert not (await client.ListModules(include_uninstalled=True)).modules
    assert (await refused(client.GetModule(name=MODULE))).kind == ("NOT_FOUND", "MODULE_NOT_FOUND")


async def test_what_is_live_already_is_an_operation_that_has_completed(client):
    first = await client.installed(package())
    again = await client.InstallModule(upload=await client.upload(package()))
    assert (again.joined, again.operation.name) == (True, first.name)
    assert (await client.GetModule(name=MODULE)).module.generation == 1


async def test_the_same_package_twice_at_once_is_one_operation(client):
    upload = await client.upload(package())
    options = pb.InstallOptions(health_time={})
    answers = await asyncio.gather(*(client.InstallModule(upload=upload, options=options) for _ in range(5)))
    assert len({answer.operation.name for answer in answers}) == 1
    assert [answer.joined for answer in answers].count(False) == 1
    await client.end_of(answers[0].operation.name)


async def test_an_operation_is_joined_by_who_has_seen_the_module_as_it_is(client):
    await client.installed(package("1.0.0"))
    begun = await client.start(package("1.1.0"), health=60)
    upload = upload_name(package("1.1.0"))
    refusal = await refused(client.InstallModule(upload=upload, options=pb.InstallOptions(expected_generation=7)))
    assert refusal.kind == ("ABORTED", "GENERATION_MISMATCH")
    joined = await client.InstallModule(upload=upload, options=pb.InstallOptions(reason="the same", health_time={}))
    assert (joined.joined, joined.operation.name) == (True, begun)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"skip_activation": True}, {}),
        ({}, {"skip_activation": True}),
        ({}, {"allow_downgrade": True}),
        ({}, {"allow_signer_change": True}),
    ],
)
async def test_whoever_asks_for_something_else_of_a_package_is_told_of_the_operation(client, blocked, first, second):
    begun = await client.start(package(), **first)
    refusal = await refused(client.InstallModule(upload=upload_name(package()), options=pb.InstallOptions(**second)))
    assert refusal.kind == ("ABORTED", "OPERATION_UNDER_WAY")
    assert (refusal.info.metadata["operation"], refusal.info.metadata["module"]) == (begun, MODULE)


async def test_what_was_installed_and_is_not_live_is_not_joined(client):
    first = await client.installed(package(), skip_activation=True)
    second = await client.InstallModule(upload=upload_name(package()), options=pb.InstallOptions(health_time={}))
    assert (second.joined, second.operation.name == first.name) == (False, False)
    assert stage(await client.end_of(second.operation.name)) == "COMPLETED"
    assert (await client.GetModule(name=MODULE)).module.active_version == "1.0.0"


async def test_what_waits_for_its_turn_is_told_its_place(client, blocked):
    started = [await client.start(package(code=f"module-{number}", page=b"%d" % number)) for number in range(4)]

    async def places():
        return [(await client.GetOperation(name=name)).operation.progress.queue_place for name in started]

    async def are_told():
        return await places() == [0, 0, 1, 2]

    await until(are_told, 20)
    await blocked()
    assert {stage(await client.end_of(name)) for name in started} == {"COMPLETED"}
    assert await places() == [0, 0, 0, 0]
    told = [event.progress for event in await client.events(started[-1])]
    waited = [progress for progress in told if progress.queue_place]
    assert waited[0].queue_place == 2
    assert {progress.messages["en"] for progress in waited} == {"Waiting for its turn"}


async def test_another_package_of_the_module_is_told_of_the_operation_under_way(client):
    begun = await client.start(package("1.0.0"), health=60)
    other = await client.upload(package("1.1.0"))
    refusal = await refused(client.InstallModule(upload=other))
    assert refusal.kind == ("ABORTED", "OPERATION_UNDER_WAY")
    assert refusal.info.metadata["operation"] == begun


async def test_a_request_that_is_sent_twice_gives_the_first_answer_again(client):
    upload, request_id = await client.upload(package()), str(uuid.uuid4())
    fields = {"request_id": request_id, "options": pb.InstallOptions(health_time={})}
    first = await client.InstallModule(upload=upload, **fields)
    await client.end_of(first.operation.name)
    again = await client.InstallModule(upload=upload, **fields)
    assert (again.replayed, again.operation) == (True, first.operation)
    other = await client.upload(package("1.1.0"))
    refusal = await refused(client.InstallModule(upload=other, request_id=request_id))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")


async def test_what_is_not_whole_cannot_be_installed(client):
    await client.announce(package())
    refusal = await refused(client.InstallModule(upload=(await client.send_package(package(), end=10)).name))
    assert refusal.kind == ("FAILED_PRECONDITION", "UPLOAD_INCOMPLETE")
    assert refusal.info.metadata["missing_bytes"] == str(len(package()) - 10)
    refusal = await refused(client.InstallModule(upload=f"uploads/{'0' * 64}"))
    assert refusal.kind == ("NOT_FOUND", "UPLOAD_NOT_FOUND")


async def test_a_generation_that_was_not_seen_is_refused(client):
    await client.installed(package("1.0.0"), expected_generation=0)
    upload = await client.upload(package("1.1.0"))
    refusal = await refused(client.InstallModule(upload=upload, options=pb.InstallOptions(expected_generation=0)))
    assert refusal.kind == ("ABORTED", "GENERATION_MISMATCH")


async def test_a_version_may_be_installed_without_going_live(client):
    await client.installed(package("1.0.0"))
    await client.installed(package("1.1.0", page=b"2"), skip_activation=True)
    assert (await client.GetModule(name=MODULE)).module.active_version == "1.0.0"
    assert (await client.asset(f"{MODULE}/versions/1.1.0"))[1] == b"2"
    await client.installed(package("1.1.0", page=b"2"))
    assert (await client.GetModule(name=MODULE)).module.active_version == "1.1.0"


async def test_a_plant_may_insist_on_signatures(client):
    contents = files(frontend=None)
    strange = archive(signed(contents, "theirs"))
    await client.SetSignaturePolicy(policy=pb.SIGNATURE_POLICY_ENFORCE)
    assert reasons(await client.install(archive(contents))) == ["UNSIGNED"]
    assert reasons(await client.install(strange)) == ["SIGNER_UNKNOWN"]
    changed = {**signed(contents), "src/page.tsx": b"export default 2;\n"}
    assert reasons(await client.install(archive(changed))) == ["HASH_MISMATCH"]
    await client.installed(archive(signed(contents)))
    assert (await client.GetModule(name=MODULE)).version.signer == "ours"


async def test_what_is_not_signed_is_warned_of_unless_the_plant_says_otherwise(client):
    operation = await client.installed(archive(files(frontend=None)))
    assert [problem.reason for problem in operation.problems] == ["UNSIGNED"]
    assert [warning.reason for warning in (await client.GetModule(name=MODULE)).version.warnings] == ["UNSIGNED"]
    await client.SetSignaturePolicy(policy=pb.SIGNATURE_POLICY_OFF)
    assert not (await client.installed(archive(files(frontend=None, version="1.1.0")))).problems


@pytest.mark.parametrize("policy", ["OFF", "WARN", "ENFORCE"])
async def test_a_frontend_that_was_built_before_needs_a_signature_under_every_policy(policy, client):
    await client.SetSignaturePolicy(policy=pb.SignaturePolicy.Value(f"SIGNATURE_POLICY_{policy}"))
    contents = files(frontend={"prebuilt": "dist/page.js"}) | {"dist/page.js": b"export default 1;\n"}
    operation = await client.install(archive(contents))
    assert reasons(operation) == ["PREBUILT_UNSIGNED", "UNSIGNED"]
    assert operation.problems[0].path == "/frontend/prebuilt"
    assert "frontend.entry" in operation.problems[0].hints["ko"]
    assert reasons(await client.install(archive(signed(contents, "theirs")))) == ["PREBUILT_UNSIGNED", "SIGNER_UNKNOWN"]
    await client.installed(archive(signed(contents)))


@pytest.mark.parametrize(
    ("path", "content", "reason", "line"),
    [
        ("dist/page.js", b'export default 1;\nimport "https://evil.example/x.js";\n', "IMPORT_UNRESOLVED", 2),
        ("dist/page.js", b'export default () => import("https://evil.example/x.js");\n', "IMPORT_UNRESOLVED", 1),
        ("dist/page.js", b'import "../../../../etc/passwd";\n', "IMPORT_FORBIDDEN", 1),
        ("dist/page.js", b'import _ from "lodash";\nexport default _;\n', "IMPORT_UNRESOLVED", 1),
        ("dist/lazy/part.mjs", b'import "https://evil.example/x.js";\n', "IMPORT_UNRESOLVED", 1),
        ("dist/page.css", b".a { background: url(https://evil.example/x.png) }\n", "IMPORT_UNRESOLVED", 1),
    ],
)
async def test_a_frontend_that_was_built_before_loads_nothing_from_elsewhere(
    path, content, reason, line, client, buildable
):
    contents = files(frontend={"prebuilt": "dist/page.js"}) | {"dist/page.js": b"export default 1;\n", path: content}
    operation = await client.install(archive(signed(contents)))
    assert reasons(operation) == [reason]
    assert (operation.problems[0].path, operation.problems[0].line) == (path, line)


async def test_a_frontend_that_was_built_before_may_load_its_own_files_and_the_platforms(client, buildable):
    page = b"""import { useState } from "react";
import { chart } from "./parts/chart.js";
import "./page.css";
export default () => import("./lazy/part.mjs").then(() => useState(chart));
"""
    brought = {
        "dist/page.js": page,
        "dist/parts/chart.js": b"export const chart = 2;\n",
        "dist/lazy/part.mjs": b"export default 3;\n",
        "dist/page.css": b".a { background: url(./logo.png) }\n",
        "dist/logo.png": b"\x89PNG\r\n\x1a\n",
    }
    contents = files(frontend={"prebuilt": "dist/page.js"}) | brought
    assert not (await client.installed(archive(signed(contents)))).problems
    assert (await client.asset())[1] == page


async def test_upload_and_install_are_one_call(client):
    data = package(page=b"//" + os.urandom(3 << 19).hex().encode())
    header = pb.UploadAndInstallHeader(
        upload=pb.CreateUploadRequest(digest=hashlib.sha256(data).digest(), total_bytes=len(data)),
        options=pb.InstallOptions(health_time={}),
    )
    parts = [pb.UploadAndInstallRequest(header=header)]
    parts += [
        pb.UploadAndInstallRequest(data=data[offset : offset + PIECE_BYTES])
        for offset in range(0, len(data), PIECE_BYTES)
    ]
    await client.trust()
    told = [message async for message in client.stream("UploadAndInstall", parts)]
    assert told[0].upload.received_bytes == 0
    events = [message.event for message in told if message.HasField("event")]
    assert entered(events) == ENDS
    assert [message.operation.name for message in told if message.HasField("operation")] == [events[0].operation]


async def test_a_cancelled_operation_leaves_what_was_live(client):
    await client.installed(package("1.0.0"))
    upload = await client.upload(package("1.1.0"))
    started = await client.InstallModule(upload=upload)
    cancelled = await client.CancelOperation(name=started.operation.name)
    operation = await client.end_of(started.operation.name)
    assert stage(cancelled.operation) == stage(operation) == "CANCELLED"
    assert (await client.CancelOperation(name=started.operation.name)).operation == operation
    assert (await client.GetModule(name=MODULE)).module.active_version == "1.0.0"
    await client.installed(package("1.1.0"))


async def test_what_is_going_live_cannot_be_cancelled(client):
    operation = await client.start(package(), health=60)
    async for message in client.WatchOperation(name=operation, from_sequence=0):
        if stage(message.event) == "ACTIVATING":
            break
    refusal = await refused(client.CancelOperation(name=operation))
    assert refusal.kind == ("FAILED_PRECONDITION", "OPERATION_PAST_CANCEL")


async def test_events_are_what_the_contract_says(client, sql):
    await client.installed(package())
    rows = await sql.fetch("SELECT resource, data FROM modules.event WHERE tenant = $1", client.tenant)
    assert len(rows) > len(STAGES)
    for row in rows:
        kind = operation_pb2.OperationEvent if row["resource"].startswith("operations/") else module_pb2.Activation
        message = json_format.Parse(row["data"], kind())
        assert json_format.MessageToDict(message) == json_format.MessageToDict(
            json_format.ParseDict(json_format.MessageToDict(message), kind())
        )


async def test_another_tenant_sees_nothing(client, stranger):
    operation = await client.installed(package())
    assert (await refused(stranger.GetOperation(name=operation.name))).reason == "OPERATION_NOT_FOUND"
    assert (await refused(stranger.WatchOperation(name=operation.name))).reason == "OPERATION_NOT_FOUND"
    assert (await refused(stranger.GetModule(name=MODULE))).reason == "MODULE_NOT_FOUND"
    assert (await refused(stranger.GetAsset(module=MODULE))).reason == "MODULE_NOT_FOUND"
    assert not (await stranger.ListModules()).modules
    assert not (await stranger.ListOperations()).operations
    await stranger.installed(package(page=b"another"))
    assert (await client.asset())[1] == b"export default 1;\n"


@pytest.mark.parametrize("size", [1, 2])
async def test_operations_are_listed_in_pages(client, size):
    names = [(await client.installed(package(f"1.{number}.0"))).name for number in range(3)]
    found, token = [], ""
    while True:
        page = await client.ListOperations(page_size=size, page_token=token)
        found += [operation.name for operation in page.operations]
        token = page.next_page_token
        if not token:
            break
    assert found == names[::-1]
    assert not (await client.ListOperations(only_open=True)).operations
    assert len((await client.ListOperations(module=MODULE)).operations) == 3
