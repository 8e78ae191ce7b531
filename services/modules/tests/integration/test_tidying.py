"""Tidying: what nothing needs goes, and what anything needs stays."""

import hashlib
from datetime import timedelta

import pytest
from millwright_local.testing.refusals import refused
from millwright_modules.blobs.keeper import Keeper
from millwright_modules.blobs.postgres import PostgresPlace
from millwright_modules.engine.tidying import Tidying
from modules_rig.client import MODULE, package, page, upload_name

AT_ONCE = timedelta(0)


@pytest.fixture
def tidying(service):
    """Keeps two versions, and operations for a day."""
    database = service.platform.database
    return Tidying(database, Keeper(database, PostgresPlace(database)), versions_kept=2, operation_days=1)


async def versions(client):
    """The versions that are kept."""
    listed = (await client.ListModuleVersions(module=MODULE)).versions
    return {version.name.rpartition("/")[2] for version in listed}


async def blobs(client, sql):
    """The digests of what is stored, by blob and by chunk."""
    noted = await sql.fetch("SELECT digest FROM modules.blob WHERE tenant = $1", client.tenant)
    stored = await sql.fetch("SELECT DISTINCT digest FROM modules.chunk WHERE tenant = $1", client.tenant)
    assert {row["digest"] for row in noted} == {row["digest"] for row in stored}
    return {row["digest"] for row in noted}


async def test_versions_past_those_kept_go_with_what_only_they_had(client, sql, tidying):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        await client.installed(package(version, page=page(version)))
    await sql.execute("DELETE FROM modules.upload WHERE tenant = $1", client.tenant)
    await tidying.run_once(AT_ONCE)
    assert await versions(client) == {"1.1.0", "1.2.0"}
    pages = {hashlib.sha256(page(version)).digest() for version in ("1.1.0", "1.2.0")}
    shared = hashlib.sha256(b"export const chart = 2;\n").digest()
    packages = {hashlib.sha256(package(version, page=page(version))).digest() for version in ("1.1.0", "1.2.0")}
    assert await blobs(client, sql) == {*pages, shared, *packages}
    await client.RollbackModule(name=MODULE, reason="back")
    assert (await client.asset())[1] == page("1.1.0")
    assert (await refused(client.RollbackModule(name=MODULE, reason="on"))).reason == "NO_ROLLBACK_TARGET"


async def test_the_live_version_stays_however_many_came_after_it(client, tidying):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        await client.installed(package(version, page=page(version)))
    await client.RollbackModule(name=MODULE, target_version="1.0.0", reason="back to the first")
    await tidying.run_once(AT_ONCE)
    assert "1.0.0" in await versions(client)
    assert (await client.asset())[1] == page("1.0.0")


async def test_what_is_young_stays_though_nothing_names_it(client, sql, tidying):
    name = await client.upload(package())
    await sql.execute("DELETE FROM modules.upload WHERE tenant = $1", client.tenant)
    await tidying.run_once()
    assert len(await blobs(client, sql)) == 1
    await tidying.run_once(AT_ONCE)
    assert not await blobs(client, sql)
    assert (await refused(client.GetUpload(name=name))).reason == "UPLOAD_NOT_FOUND"
    assert not (await client.announce(package())).complete


async def test_uploads_that_nobody_touched_for_a_day_go(client, sql, tidying):
    await client.announce(package("1.0.0"))
    await client.send_package(package("1.0.0"), end=100)
    await client.announce(package("2.0.0"))
    await sql.execute(
        "UPDATE modules.upload SET update_time = update_time - interval '25 hours' WHERE tenant = $1 AND digest = $2",
        client.tenant,
        hashlib.sha256(package("1.0.0")).digest(),
    )
    await tidying.run_once(AT_ONCE)
    gone = await refused(client.GetUpload(name=upload_name(package("1.0.0"))))
    assert gone.kind == ("NOT_FOUND", "UPLOAD_NOT_FOUND")
    assert not (await client.GetUpload(name=upload_name(package("2.0.0")))).upload.complete
    assert not await sql.fetch("SELECT FROM modules.chunk WHERE tenant = $1", client.tenant)


async def test_the_package_of_a_version_that_is_kept_can_be_installed_again_at_any_time(client, sql, tidying):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        await client.installed(package(version, page=page(version)))
    await sql.execute(
        "UPDATE modules.upload SET update_time = update_time - interval '25 hours' WHERE tenant = $1", client.tenant
    )
    await tidying.run_once(AT_ONCE)
    oldest, kept = (upload_name(package(version, page=page(version))) for version in ("1.0.0", "1.1.0"))
    assert (await refused(client.InstallModule(upload=oldest))).reason == "UPLOAD_NOT_FOUND"
    await client.RollbackModule(name=MODULE, target_version="1.1.0", reason="back")
    assert (await client.InstallModule(upload=kept)).joined


async def test_operations_that_ended_long_ago_go(client, sql, tidying):
    old, new = await client.installed(package("1.0.0")), await client.installed(package("1.1.0"))
    await sql.execute(
        "UPDATE modules.operation SET end_time = end_time - interval '25 hours' WHERE operation::text = $1",
        old.name.partition("/")[2],
    )
    await tidying.run_once()
    assert [operation.name for operation in (await client.ListOperations()).operations] == [new.name]
