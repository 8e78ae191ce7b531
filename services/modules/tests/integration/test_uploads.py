"""Uploads: pieces in order, going on where it was, and checked once whole."""

import asyncio
import hashlib
import os

import pytest
from millwright_local.testing.refusals import refused
from millwright_modules.app import SERVICE
from millwright_runtime.service import running
from modules_rig.client import package, upload_name

PACKAGE = os.urandom(3 << 20)


async def test_a_package_comes_in_and_is_checked(client):
    announced = await client.announce(PACKAGE)
    assert (announced.received_bytes, announced.complete, announced.name) == (0, False, upload_name(PACKAGE))
    sent = await client.send_package(PACKAGE)
    assert (sent.received_bytes, sent.complete) == (len(PACKAGE), True)
    assert (await client.GetUpload(name=sent.name)).upload == sent


@pytest.mark.parametrize("cut", [1, 256 << 10, (256 << 10) + 7, len(PACKAGE) - 1])
async def test_an_upload_goes_on_where_it_was(client, cut):
    await client.announce(PACKAGE)
    assert (await client.send_package(PACKAGE, end=cut)).received_bytes == cut
    assert (await client.announce(PACKAGE)).received_bytes == cut
    assert (await client.send_package(PACKAGE, begin=cut)).complete


async def test_an_upload_whose_check_was_cut_off_is_checked_then(client, sql):
    await client.upload(PACKAGE)
    await sql.execute("UPDATE modules.upload SET is_complete = false WHERE tenant = $1", client.tenant)
    assert (await client.send_package(PACKAGE, begin=len(PACKAGE))).complete


async def test_a_hole_is_refused_with_the_offset_to_go_on_from(client):
    await client.announce(PACKAGE)
    await client.send_package(PACKAGE, end=1000)
    refusal = await refused(client.send_package(PACKAGE, begin=2000))
    assert refusal.kind == ("INVALID_ARGUMENT", "OFFSET_MISMATCH")
    assert refusal.info.metadata["expected_offset"] == "1000"


async def test_more_than_was_announced_is_refused(client):
    await client.announce(PACKAGE, total_bytes=1000)
    assert (await refused(client.send_package(PACKAGE))).reason == "SIZE_MISMATCH"


async def test_other_bytes_than_announced_empty_the_upload(client):
    other = PACKAGE[:-1] + b"!" if PACKAGE[-1:] != b"!" else PACKAGE[:-1] + b"?"
    await client.announce(PACKAGE)
    refusal = await refused(client.send_package(other, name=upload_name(PACKAGE)))
    assert refusal.kind == ("INVALID_ARGUMENT", "DIGEST_MISMATCH")
    assert refusal.info.metadata["found"] == hashlib.sha256(other).hexdigest()
    assert (await client.GetUpload(name=upload_name(PACKAGE))).upload.received_bytes == 0
    assert (await client.send_package(PACKAGE)).complete


async def test_announcing_another_size_begins_anew(client):
    await client.announce(PACKAGE, total_bytes=len(PACKAGE) + 1)
    await client.send_package(PACKAGE, end=1000)
    assert (await client.announce(PACKAGE)).received_bytes == 0
    assert (await client.send_package(PACKAGE)).complete


async def test_a_package_that_is_here_need_not_come_again(client, sql):
    await client.upload(PACKAGE)
    await sql.execute("DELETE FROM modules.upload WHERE tenant = $1", client.tenant)
    assert (await client.announce(PACKAGE)).complete


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"digest": b"short", "total_bytes": 1}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        ({"digest": bytes(32), "total_bytes": 0}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        ({"digest": bytes(32), "total_bytes": 10 << 30}, ("INVALID_ARGUMENT", "PACKAGE_TOO_LARGE")),
    ],
)
async def test_what_cannot_come_is_refused_when_announced(client, fields, kind):
    assert (await refused(client.CreateUpload(**fields))).kind == kind


async def test_uploads_that_are_not_whole_are_limited(client):
    for number in range(20):
        await client.CreateUpload(digest=bytes([number]) * 32, total_bytes=1)
    refusal = await refused(client.CreateUpload(digest=bytes([20]) * 32, total_bytes=1))
    assert refusal.kind == ("RESOURCE_EXHAUSTED", "TOO_MANY_UPLOADS")
    assert (await client.announce(package(), digest=bytes(32), total_bytes=1)).total_bytes == 1


async def test_packages_that_wait_to_be_installed_are_limited(service_databases, service_settings, connected):
    async with service_databases.fresh(SERVICE) as urls:
        narrow = service_settings(SERVICE, urls.service, upload_megabytes=128)
        async with running(SERVICE, narrow) as service, connected(service) as client:
            await client.upload(PACKAGE)
            large = {"digest": bytes(32), "total_bytes": 126 << 20}
            refusal = await refused(client.CreateUpload(**large))
            assert refusal.kind == ("RESOURCE_EXHAUSTED", "UPLOADS_TOO_LARGE")
            assert {key: int(value) for key, value in refusal.info.metadata.items()} == {
                "kept_bytes": len(PACKAGE),
                "total_bytes": 126 << 20,
                "limit": 128 << 20,
            }
            assert (await client.announce(PACKAGE)).complete
            asked = [{"digest": bytes([number]) * 32, "total_bytes": 50 << 20} for number in range(5)]
            answers = await asyncio.gather(*(client.CreateUpload(**one) for one in asked), return_exceptions=True)
            assert sum(not isinstance(answer, Exception) for answer in answers) == 2


async def test_packages_of_versions_that_are_kept_do_not_count(service_databases, service_settings, connected):
    async with service_databases.fresh(SERVICE) as urls:
        narrow = service_settings(SERVICE, urls.service, upload_megabytes=128)
        async with running(SERVICE, narrow) as service, connected(service) as client:
            await client.installed(package(page=b"//" + PACKAGE.hex().encode()))
            assert (await client.CreateUpload(digest=bytes(32), total_bytes=126 << 20)).upload.total_bytes


async def test_another_tenant_sees_no_upload(client, stranger):
    name = await client.upload(PACKAGE)
    assert (await refused(stranger.GetUpload(name=name))).kind == ("NOT_FOUND", "UPLOAD_NOT_FOUND")
    assert (await refused(stranger.send_package(PACKAGE))).reason == "UPLOAD_NOT_FOUND"
    assert not (await stranger.announce(PACKAGE)).complete
