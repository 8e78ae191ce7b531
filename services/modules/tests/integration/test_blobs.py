"""Blobs in each place: what is kept is read again or is known to be away, and what nobody needs goes."""

import hashlib
import os
import resource
from datetime import timedelta

import asyncpg
import pytest
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_modules.app import SERVICE
from millwright_modules.artifacts.files import BlobFiles, NoRoomForCopy
from millwright_modules.blobs.keeper import BlobDamaged, Keeper
from millwright_modules.blobs.place import BlobIncomplete, BlobStoreUnavailable, BlobStoreUnknown
from millwright_modules.blobs.postgres import PostgresPlace
from millwright_modules.blobs.s3 import Bucket, S3Place
from millwright_modules.engine.gathering import Gathering
from millwright_modules.engine.tidying import Tidying
from millwright_modules.settings import ModulesSettings
from millwright_modules.store import blobs
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import running
from modules_rig.client import MODULE, package, stage
from pydantic import ValidationError

AT_ONCE = timedelta(0)
PART = 8 << 20
SIZES = [0, 1, (256 << 10) + 1, PART, PART + 1, 2 * PART + 12345]


@pytest.fixture(scope="module")
def credentials(s3, tmp_path_factory):
    """A file with the keys of the S3 server."""
    path = tmp_path_factory.mktemp("keys") / "credentials"
    path.write_text(f"[default]\naws_access_key_id={s3.access_key}\naws_secret_access_key={s3.secret_key}\n")
    return path


@pytest.fixture
def bucket(s3, credentials, request):
    """A bucket of the test's own."""
    name = s3.bucket(hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20])
    return Bucket(name, "plant/modules", s3.url, s3.region, credentials)


@pytest.fixture
def objects(s3, bucket):
    """Gives the files of the test's bucket."""
    root = s3.directory / "buckets" / bucket.name
    return lambda: [path for path in root.rglob("*") if path.is_file() and ".sgwtmp" not in path.parts]


@pytest.fixture
def keepers(service, bucket):
    """Give a keeper that writes to the place named, and reads both."""
    database = service.platform.database
    return lambda first: Keeper(database, PostgresPlace(database), [S3Place(bucket)], first)


@pytest.fixture(params=["postgres", "s3"])
def keeper(request, service):
    """A keeper that has, and writes to, each place."""
    if request.param == "s3":
        return request.getfixturevalue("keepers")("s3")
    return Keeper(service.platform.database, PostgresPlace(service.platform.database))


@pytest.fixture
def tidying(service, keeper):
    """Tidies what the keeper keeps."""
    return Tidying(service.platform.database, keeper, versions_kept=2, operation_days=1)


@pytest.fixture
def stored(client, sql, keeper, request):
    """Counts what is stored of the tenant: rows of copies; chunks and objects."""
    objects = request.getfixturevalue("objects") if keeper._first.name == "s3" else list

    async def stored():
        counts = [
            await sql.fetchval(f"SELECT count(*) FROM modules.{table} WHERE tenant = $1", client.tenant)
            for table in ("blob", "chunk")
        ]
        return counts[0], counts[1] + len(objects())

    return stored


def sample(size):
    """Bytes that repeat nowhere near a part's size, and their digest."""
    data = (b"%d " % size + bytes(range(251))) * (size // 251 + 1)
    return data[:size], hashlib.sha256(data[:size]).digest()


async def pieces(data, size=1 << 20):
    """The data, piece by piece."""
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def read(keeper, client, digest):
    """The bytes of a blob."""
    return b"".join([piece async for piece in keeper.read(client.tenant, digest)])


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_written_is_read(keeper, client, size):
    data, digest = sample(size)
    await keeper.write(client.tenant, digest, pieces(data))
    assert await read(keeper, client, digest) == data


async def test_what_is_not_there_is_read_as_nothing(keeper, client):
    assert await read(keeper, client, sample(5)[1]) == b""


async def test_a_blob_is_one_tenants(keeper, client, stranger):
    data, digest = sample(1000)
    await keeper.write(client.tenant, digest, pieces(data))
    assert await read(keeper, stranger, digest) == b""


async def test_what_is_there_is_not_written_again(keeper, client, stored):
    data, digest = sample(1000)
    await keeper.write(client.tenant, digest, pieces(data))
    before = await stored()

    async def untouched():
        pytest.fail("read though it is there")
        yield b""

    await keeper.write(client.tenant, digest, untouched())
    assert await stored() == before


@pytest.mark.parametrize("size", [1000, PART + 1000])
async def test_other_bytes_than_the_digest_says_are_not_kept(keeper, client, stored, size):
    _, digest = sample(size)
    with pytest.raises(BlobDamaged):
        await keeper.write(client.tenant, digest, pieces(bytes(size)))
    assert await stored() == (0, 0)
    await keeper.write(client.tenant, digest, pieces(sample(size)[0]))
    assert await read(keeper, client, digest) == sample(size)[0]


async def test_whoever_brings_other_bytes_takes_nothing_from_who_has_brought_the_right_ones(keeper, client):
    data, digest = sample(1000)

    async def overtaken():
        await keeper.write(client.tenant, digest, pieces(data))
        yield b"other bytes"

    with pytest.raises(BlobDamaged):
        await keeper.write(client.tenant, digest, overtaken())
    assert await read(keeper, client, digest) == data


@pytest.mark.parametrize("size", [1000, PART + 1000])
async def test_whoever_breaks_off_leaves_no_blob_and_nothing_for_long(keeper, client, service, tidying, stored, size):
    data, digest = sample(size)

    async def broken_off():
        async for piece in pieces(data):
            yield piece
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await keeper.write(client.tenant, digest, broken_off())
    async with service.platform.database.transaction(client.tenant) as connection:
        assert await blobs.known(connection, [digest]) == set()
    assert await read(keeper, client, digest) == b""
    await tidying.run_once()
    assert (await stored())[0] == 1  # it is young: its writer may only be slow
    await tidying.run_once(AT_ONCE)
    assert await stored() == (0, 0)


async def test_whoever_comes_after_one_that_was_killed_writes_it_whole(keeper, client, tidying, stored):
    data, digest = sample(PART + 1000)

    async def killed():
        yield data[:PART]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await keeper.write(client.tenant, digest, killed())
    await keeper.write(client.tenant, digest, pieces(data))
    assert await read(keeper, client, digest) == data


async def test_a_blob_whose_copy_went_while_it_was_written_is_no_blob(keeper, client, tidying, stored):
    data, digest = sample(9 << 20)

    async def disturbed():
        yield data[: 5 << 20]
        await tidying.run_once(AT_ONCE)
        yield data[5 << 20 :]

    with pytest.raises(BlobIncomplete):
        await keeper.write(client.tenant, digest, disturbed())
    assert await read(keeper, client, digest) == b""
    await keeper.write(client.tenant, digest, pieces(data))
    assert await read(keeper, client, digest) == data


async def condemned(keeper, client):
    """Have the tenant's copy, and those that other tests have left, noted to go; give it."""
    while True:
        async with keeper._database.transaction(ALL_TENANTS) as connection:
            leaving = await blobs.condemn(connection, AT_ONCE, keeper._first.name, list(keeper._places))
        if leaving.tenant == client.tenant:
            return leaving
        await keeper._forget(leaving)


async def test_a_removal_that_was_killed_half_way_is_done_again(keeper, client, tidying, stored):
    data, digest = sample(1000)
    await keeper.write(client.tenant, digest, pieces(data))
    await condemned(keeper, client)
    assert await read(keeper, client, digest) == b""
    await tidying.run_once(AT_ONCE)
    assert await stored() == (0, 0)


async def test_a_blob_that_comes_again_while_its_copy_goes_stays(keeper, client):
    data, digest = sample(1000)
    await keeper.write(client.tenant, digest, pieces(data))
    leaving = await condemned(keeper, client)
    await keeper.write(client.tenant, digest, pieces(data))
    await keeper._forget(leaving)
    assert await read(keeper, client, digest) == data


async def test_what_nothing_names_goes_with_its_bytes(keeper, client, tidying, stored):
    for size in (1000, PART + 1000):
        data, digest = sample(size)
        await keeper.write(client.tenant, digest, pieces(data))
    await tidying.run_once()
    assert (await stored())[0] == 2
    await tidying.run_once(AT_ONCE)
    assert await stored() == (0, 0)


@pytest.fixture
async def alone(service_databases):
    """The ways into a database in which no other service works."""
    async with service_databases.fresh(SERVICE) as urls:
        yield urls


@pytest.fixture
def in_s3(alone, service_settings, bucket, tmp_path):
    """The settings of a service that stores in the bucket."""
    return service_settings(
        SERVICE,
        alone.service,
        work_directory=tmp_path,
        artifacts="s3",
        s3_bucket=bucket.name,
        s3_prefix=bucket.prefix,
        s3_endpoint=bucket.endpoint,
        s3_credentials=bucket.credentials,
    )


@pytest.fixture
async def rows(alone):
    """A connection to that database that sees everything."""
    connection = await asyncpg.connect(alone.superuser)
    yield connection
    await connection.close()


async def test_a_module_lives_in_a_bucket_alone(in_s3, connected, rows, objects):
    async with running(SERVICE, in_s3) as service, connected(service) as client:
        await client.installed(package(page=b"export default 7;\n"))
        assert (await client.asset())[1] == b"export default 7;\n"
        assert not await rows.fetchval("SELECT count(*) FROM modules.chunk")
        assert len(objects()) == 3
        assert (await client.announce(package(page=b"export default 7;\n"))).complete


async def test_nothing_is_served_that_was_damaged_in_the_bucket(keepers, client, objects, tmp_path):
    keeper, (data, digest) = keepers("s3"), sample(1000)
    await keeper.write(client.tenant, digest, pieces(data))
    (stored,) = objects()
    stored.write_bytes(bytes(1000))
    files = BlobFiles(keeper, tmp_path, 1 << 20)
    with pytest.raises(BlobDamaged):
        await files.check(client.tenant, digest)
    with pytest.raises(BlobDamaged):
        await files.open(client.tenant, digest)


async def test_what_came_in_here_is_not_fetched(keepers, client, tmp_path):
    """The keeper has no such blob, so that it can only come from the file."""
    data, digest = sample(300_000)
    files = BlobFiles(keepers("postgres"), tmp_path, 1 << 20)
    with files.receiving() as incoming:
        for begin in range(0, len(data), 100_000):
            incoming.write(data[begin : begin + 100_000])
        files.adopt(incoming)
    with os.fdopen(await files.open(client.tenant, digest), "rb") as file:
        assert file.read() == data


async def test_of_what_did_not_come_whole_nothing_stays_on_the_disk(keepers, client, tmp_path):
    data, digest = sample(1000)
    files = BlobFiles(keepers("postgres"), tmp_path, 1 << 20)
    with files.receiving() as incoming:
        incoming.write(data)
    assert not list(tmp_path.iterdir())
    with pytest.raises(BlobDamaged):
        await files.open(client.tenant, digest)


async def test_a_full_disk_costs_the_copy_and_not_the_blob(keepers, client, tmp_path):
    keeper, (data, digest) = keepers("postgres"), sample(300_000)
    await keeper.write(client.tenant, digest, pieces(data))
    files = BlobFiles(keeper, tmp_path, 1 << 20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with files.receiving() as incoming:
            incoming.write(data)
            files.adopt(incoming)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
    with os.fdopen(await files.open(client.tenant, digest), "rb") as file:
        assert file.read() == data


async def content(files, client, digest):
    """A blob, as it is served."""
    return b"".join([piece async for piece in files.read(client.tenant, digest)])


HARMS = {
    "removed": lambda copy: copy.unlink(),
    "truncated": lambda copy: os.truncate(copy, 10),
    "emptied": lambda copy: os.truncate(copy, 0),
    "changed": lambda copy: copy.write_bytes(bytes(700_000)),
    "put in its place": lambda copy: (copy.unlink(), copy.write_bytes(bytes(700_000))),
    "a link": lambda copy: (copy.rename(copy.with_name("else")), copy.symlink_to("else")),
}


@pytest.mark.parametrize("harm", HARMS)
async def test_a_copy_that_was_harmed_is_made_anew(harm, keepers, client, tmp_path):
    keeper, (data, digest) = keepers("postgres"), sample(700_000)
    await keeper.write(client.tenant, digest, pieces(data))
    files = BlobFiles(keeper, tmp_path, 1 << 20)
    assert await content(files, client, digest) == data
    HARMS[harm](tmp_path / digest.hex())
    assert await content(files, client, digest) == data
    with os.fdopen(await files.open(client.tenant, digest), "rb") as file:
        assert file.read() == data


async def test_a_copy_that_is_truncated_while_it_is_served_ends_the_answer(keepers, client, tmp_path):
    keeper, (data, digest) = keepers("postgres"), sample(700_000)
    await keeper.write(client.tenant, digest, pieces(data))
    served = BlobFiles(keeper, tmp_path, 1 << 20).read(client.tenant, digest)
    await anext(served)
    os.truncate(tmp_path / digest.hex(), 1000)
    with pytest.raises(BlobDamaged):
        await anext(served)


@pytest.mark.parametrize("lack", ["room", "directory"])
async def test_what_the_disk_takes_no_copy_of_is_served_all_the_same(lack, keepers, client, tmp_path):
    keeper, (data, digest) = keepers("postgres"), sample(700_000)
    await keeper.write(client.tenant, digest, pieces(data))
    files = BlobFiles(keeper, tmp_path if lack == "room" else tmp_path / "gone", 1 << 20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        assert await content(files, client, digest) == data
        with pytest.raises(NoRoomForCopy):
            await files.open(client.tenant, digest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


async def test_a_server_that_is_gone_is_unavailable_and_everything_goes_on_when_it_is_back(
    in_s3, connected, s3, tmp_path
):
    async with running(SERVICE, in_s3) as service, connected(service) as client:
        await client.installed(package())
        served = await client.asset()
        await s3.stop()
        try:
            again = service_of_its_own(in_s3, tmp_path)
            async with running(SERVICE, again) as other, connected(other, tenant=client.tenant) as reader:
                away = await refused(reader.asset())
            assert away.kind == ("UNAVAILABLE", "BLOB_STORE_UNAVAILABLE")
            upgrade = package("1.1.0")
            await client.announce(upgrade)
            assert (await refused(client.send_package(upgrade))).kind == ("UNAVAILABLE", "BLOB_STORE_UNAVAILABLE")
            assert await client.asset() == served  # from this replica's files
        finally:
            await s3.start()
        assert (await client.send_package(upgrade, begin=len(upgrade))).complete
        assert stage(await client.install(upgrade)) == "COMPLETED"
        assert (await client.GetModule(name=MODULE)).module.active_version == "1.1.0"


async def test_an_install_waits_for_a_server_that_is_away_and_goes_on(in_s3, connected, s3, rows):
    async with running(SERVICE, in_s3) as service, connected(service) as client:
        operation = await client.start(package(), health=2.0)
        async for message in client.WatchOperation(name=operation, from_sequence=0):
            if stage(message.event) == "ACTIVATING":
                break
        key = operation.partition("/")[2]

        async def was_taken_again():
            return await rows.fetchval("SELECT epoch FROM modules.operation WHERE operation::text = $1", key) > 1

        await s3.stop()
        try:
            await until(was_taken_again, 60)
        finally:
            await s3.start()
        assert stage(await client.end_of(operation)) == "COMPLETED"


def service_of_its_own(settings, directory):
    """The settings of another replica, which has no files yet."""
    return settings.model_copy(update={"work_directory": directory / "other"})


async def test_a_bucket_that_is_not_there_is_no_missing_blob(service, keepers, client, bucket, s3):
    keeper, (data, digest) = keepers("s3"), sample(1000)
    await keeper.write(client.tenant, digest, pieces(data))
    elsewhere = S3Place(Bucket("mistyped", bucket.prefix, bucket.endpoint, bucket.region, bucket.credentials))
    database = service.platform.database
    with pytest.raises(BlobStoreUnavailable):
        await read(Keeper(database, PostgresPlace(database), [elsewhere], "s3"), client, digest)


async def test_wrong_keys_are_unavailable_and_no_key_is_in_a_log(service, client, bucket, tmp_path, caplog, s3):
    wrong = tmp_path / "credentials"
    wrong.write_text("[default]\naws_access_key_id = millwright\naws_secret_access_key = mistyped-secret\n")
    place = S3Place(Bucket(bucket.name, "", bucket.endpoint, bucket.region, wrong))
    keeper = Keeper(service.platform.database, PostgresPlace(service.platform.database), [place], "s3")
    data, digest = sample(1000)
    with pytest.raises(BlobStoreUnavailable):
        await keeper.write(client.tenant, digest, pieces(data))
    told = "".join(str(record.__dict__) for record in caplog.records)
    assert "does not answer" in told
    assert "mistyped-secret" not in told
    assert s3.secret_key not in told


async def test_a_replica_that_knows_no_bucket_says_so(service, keepers, client):
    data, digest = sample(1000)
    await keepers("s3").write(client.tenant, digest, pieces(data))
    database = service.platform.database
    with pytest.raises(BlobStoreUnknown):
        await read(Keeper(database, PostgresPlace(database)), client, digest)


@pytest.mark.parametrize("there", ["postgres", "s3"])
async def test_blobs_move_to_the_other_place_while_they_are_read(service, keepers, client, sql, there, objects):
    (target,) = {"postgres", "s3"} - {there}
    samples = [sample(size) for size in (1, 1000, PART + 1000)]
    for data, digest in samples:
        await keepers(there).write(client.tenant, digest, pieces(data))
    moved = keepers(target)
    assert [await read(moved, client, digest) for _, digest in samples] == [data for data, _ in samples]
    assert await Gathering(moved).run_once() >= len(samples)
    assert await Gathering(moved).run_once() == 0
    await sql.executemany(
        "INSERT INTO modules.upload (tenant, digest, total_bytes, file_name, is_complete) VALUES ($1, $2, 1, '', true)",
        [(client.tenant, digest) for _, digest in samples],
    )
    await sql.execute("UPDATE modules.blob SET create_time = create_time - interval '2 hours'")
    while await moved.remove_one(timedelta(hours=1)):
        pass
    assert [await read(moved, client, digest) for _, digest in samples] == [data for data, _ in samples]
    chunks = await sql.fetchval("SELECT count(*) FROM modules.chunk WHERE tenant = $1", client.tenant)
    assert (bool(chunks), bool(objects())) == (target == "postgres", target == "s3")


def test_a_bucket_must_be_named_where_artifacts_lie_in_one(settings):
    with pytest.raises(ValidationError, match="needs s3_bucket"):
        ModulesSettings(**{**settings.model_dump(), "artifacts": "s3"})


@pytest.mark.parametrize(
    "content", ["", "[other]\naws_access_key_id = a\n", "[default]\naws_access_key_id = a\n", "\x00"]
)
def test_a_file_that_holds_no_keys_is_told_of_without_what_is_in_it(tmp_path, content):
    path = tmp_path / "credentials"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"^must (be a file with|have aws_access_key_id)"):
        S3Place(Bucket("artifacts", credentials=path))
