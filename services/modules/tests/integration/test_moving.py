"""Moving the pointer of what is live: back, off, on, out; with dependents, settings, plans and history."""

import uuid

import pytest
from google.protobuf import json_format, struct_pb2
from millwright.modules.v1 import module_pb2
from millwright.modules.v1 import module_service_pb2 as pb
from millwright_local.testing.refusals import refused
from modules_rig.client import MODULE, package, page, stage, upload_name

DASHBOARD = "modules/dashboard"
SETTINGS = f"{MODULE}/settings"


def needing(version="1.0.0", wanted="^1"):
    """A package of a module that needs the first one."""
    return package(version, code="dashboard", dependencies={"quality": wanted})


async def live(client, module=MODULE):
    """State, version and generation of a module."""
    got = (await client.GetModule(name=module)).module
    return module_pb2.Module.State.Name(got.state).removeprefix("STATE_"), got.active_version, got.generation


async def kinds(client, module=MODULE):
    """What was done to a module, the oldest first."""
    rows = (await client.ListActivations(module=module)).activations
    return [module_pb2.Activation.Kind.Name(row.kind).removeprefix("KIND_") for row in reversed(rows)]


async def install(client, *versions):
    """Install versions one after the other, each with a page that tells it apart."""
    for version in versions:
        await client.installed(package(version, page=page(version)))


async def test_a_rollback_brings_back_what_was_live_before(client):
    await install(client, "1.0.0", "1.1.0")
    answer = await client.RollbackModule(name=MODULE, reason="the chart is empty")
    assert (answer.activation.kind, answer.activation.to_version) == (module_pb2.Activation.KIND_ROLLBACK, "1.0.0")
    assert (answer.activation.from_version, answer.activation.reason) == ("1.1.0", "the chart is empty")
    assert await live(client) == ("ENABLED", "1.0.0", 3)
    assert (await client.asset())[1] == page("1.0.0")


async def test_rollbacks_go_further_back_and_then_there_is_no_target(client):
    await install(client, "1.0.0", "1.1.0", "1.2.0")
    for expected in ("1.1.0", "1.0.0"):
        await client.RollbackModule(name=MODULE, reason="it is worse")
        assert (await live(client))[1] == expected
    refusal = await refused(client.RollbackModule(name=MODULE, reason="it is worse"))
    assert refusal.kind == ("FAILED_PRECONDITION", "NO_ROLLBACK_TARGET")


async def test_a_rollback_to_a_version_that_is_named(client):
    await install(client, "1.0.0", "1.1.0", "1.2.0")
    await client.RollbackModule(name=MODULE, reason="all the way", target_version="1.0.0")
    assert (await live(client))[1] == "1.0.0"
    again = await client.RollbackModule(name=MODULE, reason="again", target_version="1.0.0")
    assert not again.HasField("activation")
    refusal = await refused(client.RollbackModule(name=MODULE, reason="no", target_version="9.0.0"))
    assert refusal.kind == ("NOT_FOUND", "VERSION_NOT_FOUND")


async def test_a_rollback_that_is_sent_twice_moves_once(client):
    await install(client, "1.0.0", "1.1.0", "1.2.0")
    fields = {"name": MODULE, "reason": "once", "request_id": str(uuid.uuid4())}
    first = await client.RollbackModule(**fields)
    again = await client.RollbackModule(**fields)
    assert (again.replayed, again.module) == (True, first.module)
    assert await live(client) == ("ENABLED", "1.1.0", 4)


async def test_an_upgrade_is_admitted_over_what_was_asked_alone(client):
    await install(client, "1.0.0", "1.1.0")
    refusal = await refused(client.RollbackModule(name=MODULE, reason="late", expected_generation=1))
    assert refusal.kind == ("ABORTED", "GENERATION_MISMATCH")
    assert refusal.info.metadata["generation"] == "2"


async def test_a_rollback_while_the_new_version_is_watched_ends_the_operation(client):
    await install(client, "1.0.0")
    operation = await client.start(package("1.1.0"), health=2)
    async for message in client.WatchOperation(name=operation, from_sequence=0):
        if message.event.progress.percent > 75:
            break
    await client.RollbackModule(name=MODULE, reason="I saw enough")
    ended = await client.end_of(operation)
    assert (stage(ended), ended.problems[-1].reason) == ("ROLLED_BACK", "LEFT_BY_OTHERS")
    assert await live(client) == ("ENABLED", "1.0.0", 3)


@pytest.mark.parametrize("field", ["reason"])
async def test_what_takes_back_says_why(client, field):
    await install(client, "1.0.0")
    assert (await refused(client.RollbackModule(name=MODULE))).fields == [field]
    assert (await refused(client.UninstallModule(name=MODULE))).fields == [field]


async def test_what_is_disabled_is_served_to_nobody(client):
    await install(client, "1.0.0")
    await client.DisableModule(name=MODULE, reason="night shift")
    assert (await client.DisableModule(name=MODULE)).HasField("activation") is False
    assert (await refused(client.GetAsset(module=MODULE))).kind == ("FAILED_PRECONDITION", "NOT_ENABLED")
    await client.EnableModule(name=MODULE)
    assert (await client.asset())[1] == page("1.0.0")
    assert await kinds(client) == ["INSTALL", "DISABLE", "ENABLE"]


async def test_what_others_need_stays(client):
    await install(client, "1.0.0", "1.1.0")
    await client.installed(needing(wanted="^1.1"))
    for call in (
        client.DisableModule(name=MODULE),
        client.UninstallModule(name=MODULE, reason="gone"),
        client.RollbackModule(name=MODULE, reason="back"),
    ):
        refusal = await refused(call)
        assert refusal.kind == ("FAILED_PRECONDITION", "DEPENDENTS")
        assert refusal.info.metadata["dependents"] == DASHBOARD
    assert stage(await client.install(package("2.0.0"))) == "FAILED"
    await client.DisableModule(name=DASHBOARD)
    await client.DisableModule(name=MODULE)
    refusal = await refused(client.EnableModule(name=DASHBOARD))
    assert refusal.kind == ("FAILED_PRECONDITION", "DEPENDENCY_MISSING")


async def test_what_needs_it_is_taken_out_with_a_plan(client):
    await install(client, "1.0.0")
    await client.installed(needing())
    plan = await client.PlanChange(uninstall=MODULE)
    assert [(step.module, step.from_version, step.to_version) for step in plan.steps] == [
        (DASHBOARD, "1.0.0", ""),
        (MODULE, "1.0.0", ""),
    ]
    assert [problem.reason for problem in plan.problems] == ["DEPENDENT"]
    gone = await client.UninstallModule(name=MODULE, reason="the line is closed", plan_token=plan.plan_token)
    assert [module.name for module in gone.modules] == [MODULE, DASHBOARD]
    assert not (await client.ListModules()).modules
    assert len((await client.ListModules(include_uninstalled=True)).modules) == 2


async def test_a_plan_that_is_outdated_is_refused(client):
    await install(client, "1.0.0")
    plan = await client.PlanChange(uninstall=MODULE)
    await client.installed(needing())
    refusal = await refused(client.UninstallModule(name=MODULE, reason="gone", plan_token=plan.plan_token))
    assert refusal.kind == ("FAILED_PRECONDITION", "PLAN_OUTDATED")


async def test_what_was_taken_out_comes_back_by_a_rollback_or_a_new_install(client):
    await install(client, "1.0.0")
    await client.UninstallModule(name=MODULE, reason="by mistake")
    assert (await refused(client.EnableModule(name=MODULE))).reason == "NOT_INSTALLED"
    assert (await refused(client.UninstallModule(name=MODULE, reason="again"))).reason == "NOT_INSTALLED"
    await client.RollbackModule(name=MODULE, reason="it was a mistake")
    assert await live(client) == ("ENABLED", "1.0.0", 3)
    await client.UninstallModule(name=MODULE, reason="after all")
    await install(client, "1.0.0")
    assert await kinds(client) == ["INSTALL", "UNINSTALL", "ROLLBACK", "UNINSTALL", "INSTALL"]


async def test_plans_of_installs_and_rollbacks_change_nothing(client):
    await install(client, "1.0.0")
    await client.upload(package("1.1.0", dependencies={"charts": "^1"}))
    plan = await client.PlanChange(install=upload_name(package("1.1.0", dependencies={"charts": "^1"})))
    assert [(step.kind, step.from_version, step.to_version) for step in plan.steps] == [
        (module_pb2.Activation.KIND_UPGRADE, "1.0.0", "1.1.0")
    ]
    assert [problem.reason for problem in plan.problems] == ["DEPENDENCY_MISSING"]
    assert (await refused(client.PlanChange(rollback=MODULE))).reason == "NO_ROLLBACK_TARGET"
    assert (await refused(client.PlanChange(uninstall="modules/nothing"))).reason == "MODULE_NOT_FOUND"
    assert (await refused(client.PlanChange())).fields == ["install"]
    assert await live(client) == ("ENABLED", "1.0.0", 1)


V1 = {"schema": {"properties": {"span": {"type": "integer"}}, "additionalProperties": False}, "defaults": {"span": 7}}
V2 = {
    "schema": {"properties": {"days": {"type": "integer"}}, "additionalProperties": False},
    "defaults": {"days": 14},
    "migrations": [{"below": "2.0.0", "operations": [{"op": "rename", "key": "span", "to": "days"}]}],
}


async def values(client):
    """The module's settings."""
    return json_format.MessageToDict((await client.GetModuleSettings(name=SETTINGS)).settings.values)


async def test_settings_follow_the_version_and_come_back_with_a_rollback(client):
    await client.installed(package("1.0.0", settings=V1))
    assert await values(client) == {"span": 7}
    saved = await client.SaveModuleSettings(name=SETTINGS, values=struct({"span": 3}))
    await client.installed(package("2.0.0", settings=V2))
    assert await values(client) == {"days": 3}
    refusal = await refused(client.SaveModuleSettings(name=SETTINGS, values=struct({"days": 1}), etag="1"))
    assert refusal.kind == ("ABORTED", "ETAG_MISMATCH")
    assert saved.settings.etag == "1"
    await client.SaveModuleSettings(name=SETTINGS, values=struct({"days": 30}))
    await client.RollbackModule(name=MODULE, reason="back")
    assert await values(client) == {"span": 3}
    await client.installed(package("2.0.0", settings=V2))
    assert await values(client) == {"days": 3}


async def test_a_version_gone_back_to_has_its_own_settings_also_where_none_were_saved_under_it(client):
    await client.installed(package("1.0.0", settings=V1))
    await client.installed(package("2.0.0", settings=V2))
    await client.SaveModuleSettings(name=SETTINGS, values=struct({"days": 30}))
    await client.RollbackModule(name=MODULE, reason="back")
    assert await values(client) == {"span": 7}
    await client.SaveModuleSettings(name=SETTINGS, values=struct(await values(client)))


async def test_a_version_gone_forward_to_never_has_settings_that_do_not_fit_it(client):
    await client.installed(package("1.0.0", settings=V1))
    strict = V2["schema"]
    await client.installed(package("2.0.0", settings={"schema": strict, "defaults": {"days": 14}}))
    await client.RollbackModule(name=MODULE, reason="back")
    await client.SaveModuleSettings(name=SETTINGS, values=struct({"span": 3}))
    await client.RollbackModule(name=MODULE, reason="forth again", target_version="2.0.0")
    assert await values(client) == {"days": 14}


async def test_settings_that_do_not_fit_are_refused_by_pointer(client):
    await client.installed(package("1.0.0", settings=V1))
    refusal = await refused(client.SaveModuleSettings(name=SETTINGS, values=struct({"span": "long"})))
    assert (refusal.kind, refusal.fields) == (("INVALID_ARGUMENT", "INVALID_SETTINGS"), ["/span"])


async def test_a_version_that_the_settings_would_not_fit_is_refused(client):
    await client.installed(package("1.0.0", settings=V1))
    await client.SaveModuleSettings(name=SETTINGS, values=struct({"span": 3}))
    operation = await client.install(package("2.0.0", settings={"schema": V2["schema"]}))
    assert [problem.reason for problem in operation.problems if problem.severity == 2] == ["SETTINGS_UNFIT"]
    assert await values(client) == {"span": 3}


async def test_a_purge_takes_settings_and_versions_too(client):
    await client.installed(package("1.0.0", settings=V1))
    await client.SaveModuleSettings(name=SETTINGS, values=struct({"span": 3}))
    await client.UninstallModule(name=MODULE, reason="for good", purge=True)
    assert not (await client.ListModuleVersions(module=MODULE)).versions
    assert await kinds(client) == ["INSTALL", "UNINSTALL"]
    await client.installed(package("1.0.0", settings=V1))
    assert await values(client) == {"span": 7}


async def test_keys_are_trusted_and_trusted_no_more(client):
    key = {"name": "signingKeys/ours", "public_key": bytes(range(32)), "owner": "us"}
    added = (await client.AddSigningKey(key=pb.SigningKey(**key))).key
    assert (await client.AddSigningKey(key=pb.SigningKey(**key))).key == added
    refusal = await refused(client.AddSigningKey(key=pb.SigningKey(**{**key, "public_key": bytes(32)})))
    assert refusal.kind == ("ALREADY_EXISTS", "KEY_EXISTS")
    refusal = await refused(client.AddSigningKey(key=pb.SigningKey(**{**key, "public_key": b"short"})))
    assert refusal.fields == ["key.public_key"]
    policy = await client.GetSignaturePolicy()
    assert (policy.policy, list(policy.keys)) == (pb.SIGNATURE_POLICY_WARN, [added])
    await client.RemoveSigningKey(name=key["name"])
    assert (await refused(client.RemoveSigningKey(name=key["name"]))).kind == ("NOT_FOUND", "KEY_NOT_FOUND")
    assert (await refused(client.SetSignaturePolicy())).fields == ["policy"]


def struct(plain):
    """JSON as a Struct."""
    return json_format.ParseDict(plain, struct_pb2.Struct())
