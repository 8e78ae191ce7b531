"""The automatic return: what is live and not healthy goes, whoever needs it, and what was live before is again."""

import hashlib

import pytest
from millwright.modules.v1 import module_pb2
from modules_rig.client import MODULE, package, stage

DASHBOARD = "modules/dashboard"
DAMAGE = "UPDATE modules.chunk SET data = 'x' WHERE tenant = $1 AND digest = $2"


async def make_sick(client, sql, text, *needing):
    """Install 1.1.0, whose page is a text, then what needs it, and damage the page; give the operation at its end."""
    page = f"'{text}';".encode()
    operation = await client.start(package("1.1.0", page=page), health=60)
    async for message in client.WatchOperation(name=operation, from_sequence=0):
        if message.event.progress.percent > 75:
            break
    for other in needing:
        await client.installed(other)
    await sql.execute(DAMAGE, client.tenant, hashlib.sha256(page).digest())
    ended = await client.end_of(operation)
    assert stage(ended) == "ROLLED_BACK"
    assert "UNHEALTHY" in [problem.reason for problem in ended.problems]
    return ended


def needing(wanted):
    """A package of a module that needs the first one."""
    return package(code="dashboard", dependencies={"quality": wanted}, page=f"'needs {wanted}'".encode())


def told(operation):
    """Who is told to be left without what they need."""
    return [
        (problem.path, problem.expected, problem.found)
        for problem in operation.problems
        if problem.reason == "DEPENDENT_LEFT"
    ]


async def test_what_is_not_healthy_goes_and_what_was_live_returns(client, sql):
    await client.installed(package("1.0.0"))
    operation = await make_sick(client, sql, "sick")
    module = (await client.GetModule(name=MODULE)).module
    assert (module.active_version, module.generation) == ("1.0.0", 3)
    last = (await client.ListActivations(module=MODULE)).activations[0]
    assert (last.kind, last.automatic, last.operation) == (module_pb2.Activation.KIND_ROLLBACK, True, operation.name)
    assert (await client.asset())[1] == b"export default 1;\n"


async def test_what_was_disabled_before_is_disabled_again(client, sql):
    await client.installed(package("1.0.0"))
    await client.DisableModule(name=MODULE)
    await make_sick(client, sql, "sick and disabled before")
    module = (await client.GetModule(name=MODULE)).module
    assert (module.active_version, module.state) == ("1.0.0", module_pb2.Module.STATE_DISABLED)


async def test_a_first_version_that_is_not_healthy_goes_out_again(client, sql):
    await make_sick(client, sql, "sick from the first")
    module = (await client.GetModule(name=MODULE)).module
    assert (module.state, module.generation) == (module_pb2.Module.STATE_UNINSTALLED, 2)


@pytest.mark.parametrize(("wanted", "left"), [("^1.1", [("dashboard", "^1.1", "1.0.0")]), ("^1", [])])
async def test_what_others_need_by_now_returns_nonetheless_and_they_are_told_of(client, sql, wanted, left):
    await client.installed(package("1.0.0"))
    operation = await make_sick(client, sql, f"sick for {wanted}", needing(wanted))
    module = (await client.GetModule(name=MODULE)).module
    assert (module.active_version, module.generation, module.operation) == ("1.0.0", 3, "")
    assert told(operation) == left
    needed = await client.GetModule(name=DASHBOARD)
    assert needed.module.state == module_pb2.Module.STATE_ENABLED
    assert [problem.reason for problem in needed.problems] == ["DEPENDENCY_VERSION"] * len(left)
    await client.installed(package("1.2.0"))
    assert not (await client.GetModule(name=DASHBOARD)).problems


async def test_what_was_disabled_is_disabled_again_whoever_needs_it(client, sql):
    await client.installed(package("1.0.0"))
    await client.DisableModule(name=MODULE)
    operation = await make_sick(client, sql, "sick, disabled and needed", needing("^1"))
    assert (await client.GetModule(name=MODULE)).module.state == module_pb2.Module.STATE_DISABLED
    assert told(operation) == [("dashboard", "^1", "none")]
    assert [problem.reason for problem in (await client.GetModule(name=DASHBOARD)).problems] == ["DEPENDENCY_DISABLED"]


async def test_a_first_version_that_is_not_healthy_goes_out_whoever_needs_it(client, sql):
    operation = await make_sick(client, sql, "sick from the first, and needed", needing("^1.1"))
    assert (await client.GetModule(name=MODULE)).module.state == module_pb2.Module.STATE_UNINSTALLED
    assert told(operation) == [("dashboard", "^1.1", "none")]
    assert [problem.reason for problem in (await client.GetModule(name=DASHBOARD)).problems] == ["DEPENDENCY_MISSING"]
