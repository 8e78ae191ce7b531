"""Several who send the same package at once, or once more: each comes to the same end, and no byte is there twice."""

import asyncio
import hashlib
import os

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from modules_rig.client import PIECE_BYTES, package, stage, upload_name

PACKAGE = os.urandom(5 << 20)


def pieces(data, begin=0):
    """The messages that send a package from an offset on."""
    return [
        pb.UploadPackageRequest(upload=upload_name(PACKAGE), offset=offset, data=data[offset : offset + PIECE_BYTES])
        for offset in range(begin, len(data), PIECE_BYTES)
    ]


def installing(data):
    """The messages that send a package, and have it installed."""
    header = pb.UploadAndInstallHeader(
        upload=pb.CreateUploadRequest(digest=hashlib.sha256(data).digest(), total_bytes=len(data)),
        options=pb.InstallOptions(health_time={}),
    )
    offsets = range(0, len(data), PIECE_BYTES)
    return [
        pb.UploadAndInstallRequest(header=header),
        *(pb.UploadAndInstallRequest(data=data[offset : offset + PIECE_BYTES]) for offset in offsets),
    ]


async def begin(client):
    """Open a stream for a package of which nothing is there, and send its first half; give the stream, and its end."""
    goes_on = asyncio.Event()
    messages = pieces(PACKAGE)

    async def halves():
        for message in messages[: len(messages) // 2]:
            yield message
        await goes_on.wait()
        for message in messages[len(messages) // 2 :]:
            yield message

    call = client.stream("UploadPackage", halves())

    async def has_begun():
        return (await client.GetUpload(name=upload_name(PACKAGE))).upload.received_bytes

    await until(has_begun, 20)
    return call, goes_on


async def test_two_who_send_the_same_at_once_both_come_to_its_end(client, sql):
    await client.announce(PACKAGE)
    sent = await asyncio.gather(*(client.stream("UploadPackage", pieces(PACKAGE)) for _ in range(2)))
    assert all(answer.upload.complete for answer in sent)
    stored = "SELECT sum(octet_length(data)) FROM modules.chunk WHERE tenant = $1"
    assert await sql.fetchval(stored, client.tenant) == len(PACKAGE)


async def test_whoever_is_overtaken_comes_to_the_same_end(client):
    await client.announce(PACKAGE)
    slow, goes_on = await begin(client)
    assert (await client.stream("UploadPackage", pieces(PACKAGE))).upload.complete
    goes_on.set()
    assert (await slow).upload.complete


async def test_whoever_comes_again_may_send_what_was_kept_meanwhile(client):
    await client.announce(PACKAGE)
    await client.send_package(PACKAGE, end=1 << 20)
    assert (await client.send_package(PACKAGE, begin=(1 << 20) - 1000)).complete


async def test_other_bytes_of_one_of_two_are_found_out(client):
    other = bytes(len(PACKAGE))
    await client.announce(PACKAGE)
    slow, goes_on = await begin(client)
    refusal = await refused(client.stream("UploadPackage", pieces(other)))
    assert refusal.reason == "DIGEST_MISMATCH"
    goes_on.set()
    assert (await refused(slow)).kind == ("INVALID_ARGUMENT", "OFFSET_MISMATCH")
    assert (await client.send_package(PACKAGE)).complete


async def test_two_who_upload_and_install_the_same_at_once_have_one_operation(client):
    await client.trust()
    data = package(page=b"//" + PACKAGE.hex().encode())
    calls = [client.stream("UploadAndInstall", installing(data)) for _ in range(2)]
    told = await asyncio.gather(*(answers(call) for call in calls))
    (operation,) = {message.operation.name for each in told for message in each if message.HasField("operation")}
    assert stage(await client.end_of(operation)) == "COMPLETED"
    for each in told:
        assert stage(each[-1].event) == "COMPLETED"


async def test_what_was_overtaken_is_taken_from_the_offset_that_was_told(client):
    await client.trust()
    data = package(page=b"//" + PACKAGE[::-1].hex().encode())
    first, *rest = installing(data)
    goes_on = asyncio.Event()

    async def late():
        yield first
        await goes_on.wait()
        for message in rest:
            yield message

    call = client.stream("UploadAndInstall", late())
    told = aiter(call)
    assert (await anext(told)).upload.received_bytes == 0
    await client.send_package(data, end=3 << 20)
    goes_on.set()
    *_, last = [message async for message in told]
    assert stage(last.event) == "COMPLETED"


async def answers(call):
    """All that a call answers."""
    return [message async for message in call]
