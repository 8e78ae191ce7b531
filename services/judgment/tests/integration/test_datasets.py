"""Data sets: files that are uploaded and replayed, on real servers. They are there whole or not at all."""

import asyncio
import io

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from judgment_rig.client import RULESET, version
from judgment_samples.documents import FIELDS, weld, weld_rows
from millwright.judgment.v1 import replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from millwright_judgment.domain.datasets.dataset import Format, Manner
from millwright_judgment.engine.datasets import reading
from millwright_judgment.engine.datasets.receiving import Receiving, Upload
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import datasets
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.errors import MillwrightError
from millwright_runtime.postgres.database import ALL_TENANTS

Header, Replay, Cause = pb.DatasetHeader, replay_pb2.Replay, replay_pb2.Cause
LAB = "datasets/lab"
STRICT = {"decision": weld(weld_rows(r_critical={"defect_rate": "> 0.04"}))["decision"]}
ROWS = 300
CHANGED = sum(0.04 < number % 100 / 1000 <= 0.08 for number in range(ROWS))
TABLES = ("dataset", "dataset_content", "dataset_part")


def csv(rows=ROWS, expected=""):
    """The weld line's rates from 0 to 0.099, on three lines, ten to a lot; with what is expected if asked."""
    lines = [
        f"{number % 100 / 1000},80,widget,L{number % 3},lot-{number // 10}" + (f",{expected}" if expected else "")
        for number in range(rows)
    ]
    return "\n".join(["defect_rate,temperature,product,line,unit" + (",truth" if expected else ""), *lines]).encode()


def messages(content, piece=4_096, **header):
    named = {"name": LAB, "ruleset": RULESET, "format": Header.FORMAT_CSV, **header}
    yield pb.UploadDatasetRequest(header=Header(**named))
    for begin in range(0, len(content), piece):
        yield pb.UploadDatasetRequest(data=content[begin : begin + piece])


async def upload(client, content, **header):
    return await client.upload(messages(content, **header))


def on(number):
    return replay_pb2.Target(version=version(number))


async def replayed(client, **fields):
    """Replay the data set to its end, and give the replay."""
    asked = {"selection": replay_pb2.Selection(dataset=LAB), "targets": [on(1), on(2)], **fields}
    replay = (await client.CreateReplay(**asked)).replay
    async for _ in client.WatchReplay(name=replay.name, deadline=60):
        pass
    return (await client.GetReplay(name=replay.name)).replay


async def report(client, **fields):
    replay = await replayed(client, **fields)
    assert replay.state == Replay.STATE_COMPLETED, replay
    return (await client.GetReplayReport(name=replay.name)).report


async def left(sql, tenant):
    """How many rows there are of data sets."""
    return [await sql.fetchval(f"SELECT count(*) FROM judgment.{table} WHERE tenant = $1", tenant) for table in TABLES]


@pytest.fixture
async def line(client):
    """A weld line with version 1, and version 2, which is stricter."""
    await client.publish("1.0.0", promote_to="prod")
    await client.publish("2.0.0", **STRICT)
    return client


async def test_a_file_is_replayed_on_two_versions_with_causes_and_segments(line):
    answer = await upload(line, csv())
    found = answer.dataset
    assert (found.name, found.ruleset, found.rows, found.rejected_rows) == (LAB, RULESET, ROWS, 0)
    assert (found.version, found.bytes, answer.known) == (version(2), len(csv()), False)
    replay = await replayed(line)
    assert (replay.selection.dataset, replay.baseline) == (LAB, on(1))
    known = (await line.GetReplayReport(name=replay.name, with_html=True)).report
    same, strict = known.targets
    assert (known.selected, known.reproduced, known.HasField("oldest_time")) == (ROWS, 0, False)
    assert (same.unchanged, strict.compared, strict.changed_outcomes, strict.escalated) == (
        ROWS,
        ROWS,
        CHANGED,
        CHANGED,
    )
    (cause,) = strict.causes
    assert (cause.cause.kind, cause.executions) == (Cause.KIND_RULE_STARTED_MATCHING, CHANGED)
    assert cause.examples[0] == "42"  # 0.041 is the nearest to 0.04, and the header is no row
    assert {(it.dimension, it.value) for it in strict.segments if it.dimension == "line"} == {
        ("line", f"L{number}") for number in range(3)
    }
    assert {"WHOLE_POPULATION", "CLUSTERED_DATA"} <= {it.code for it in strict.warnings}
    listed = (await line.ListReplayDifferences(replay=replay.name, target=1, page_size=500)).differences
    numbers = [int(it.execution) for it in listed]
    assert numbers == sorted(numbers)
    assert len(numbers) == CHANGED
    page = (await line.GetReplayReport(name=replay.name, with_html=True, language="ko")).html
    assert "데이터 세트" in page
    assert "executions/" not in page


async def test_nothing_of_it_is_an_execution(line):
    await upload(line, csv())
    await report(line)
    assert not (await line.ListExecutions()).executions


async def test_one_version_alone_can_be_asked(line):
    await upload(line, csv())
    (target,) = (await report(line, targets=[on(2)])).targets
    assert (target.unchanged, target.changed_outcomes) == (ROWS, 0)
    assert sum(it.executions for it in target.transitions) == ROWS


async def test_a_field_of_a_file_is_kept_once_a_version_has_it(line):
    """What the file holds is kept by the newest version's schema: a new field comes with a new version."""
    inputs = [*FIELDS, {"field": "torque", "type": "number", "missing": "allow"}]
    await line.publish("3.0.0", inputs=inputs)
    await upload(line, csv().replace(b",line", b",torque,line").replace(b"widget,", b"widget,5,"))
    (target,) = (await report(line, baseline=on(1), targets=[on(3)])).targets
    assert target.compared == target.unchanged == ROWS


async def test_the_report_says_how_far_what_was_expected_is_met(line):
    await upload(line, csv(expected="critical"), expected_outcome_column="truth")
    replay = await replayed(line, baseline=on(1), targets=[on(2)])
    answer = await line.GetReplayReport(name=replay.name, with_html=True)
    (target,) = answer.report.targets
    met = {limit: sum(number % 100 / 1000 > limit for number in range(ROWS)) for limit in (0.04, 0.08)}
    expected = target.expectation
    assert (expected.rows, expected.met, expected.met_before) == (ROWS, met[0.04], met[0.08])
    assert sum(it.executions for it in expected.transitions) == ROWS
    assert "What was expected" in answer.html


async def test_rows_that_do_not_fit_are_counted_and_the_others_are_there(line):
    content = csv(10) + b"\nmuch,80,widget,L1,\n0.01,NaN,widget,L1,\n0.01,80\n\xff,\xfe\n"
    found = (await upload(line, content)).dataset
    assert (found.rows, found.rejected_rows) == (10, 4)
    assert {(it.column, it.code): (it.rows, list(it.examples)) for it in found.faults} == {
        ("", "CELL_COUNT"): (2, [13, 14]),
        ("defect_rate", "WRONG_TYPE"): (1, [11]),
        ("temperature", "NOT_FINITE"): (1, [12]),
    }
    assert (await line.GetDataset(name=LAB)).dataset == found
    assert (await report(line)).selected == 10


def parquet(**options):
    table = pa.table(
        {
            "defect_rate": [number % 100 / 1000 for number in range(ROWS)],
            "temperature": [80] * ROWS,
            "product": pa.array(["widget"] * ROWS),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


async def test_parquet_gives_what_csv_gives(line):
    found = (await upload(line, parquet(), format=Header.FORMAT_PARQUET)).dataset
    assert (found.rows, found.rejected_rows) == (ROWS, 0)
    assert (await report(line)).targets[1].changed_outcomes == CHANGED


def bomb():
    """A file of less than a megabyte that unpacks to more than a gigabyte."""
    sink = io.BytesIO()
    schema = pa.schema({"defect_rate": pa.float64(), "temperature": pa.float64(), "product": pa.string()})
    with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=False) as writer:
        for group in range(20):
            texts = [f"{'x' * 1_000_000}{group}-{number}" for number in range(60)]
            writer.write_table(pa.table([[0.1] * 60, [1.0] * 60, texts], schema=schema))
    return sink.getvalue()


async def test_a_file_that_unpacks_to_gigabytes_is_refused_and_harms_nobody(line, sql):
    content = bomb()
    assert len(content) < 2_000_000
    refusal = await refused(upload(line, content, piece=500_000, format=Header.FORMAT_PARQUET))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_DATASET")
    assert await left(sql, line.tenant) == [0, 0, 0]
    assert (await upload(line, csv())).dataset.rows == ROWS


@pytest.mark.parametrize(
    ("content", "header", "why"),
    [
        (b"", {}, "CSV"),
        (b"a,b\n1,2\n", {}, "no column defect_rate"),
        (b"defect_rate,temperature,product,line,line\n1,2,3,4,5\n", {}, "Two of its columns"),
        ("불량,temperature\n".encode("cp949"), {}, "header"),
        (csv(), {"expected_outcome_column": "truth"}, "no column truth"),
        (csv(), {"format": Header.FORMAT_PARQUET}, "Parquet"),
        (parquet()[:-9], {"format": Header.FORMAT_PARQUET}, "Parquet"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_why(line, sql, content, header, why):
    refusal = await refused(upload(line, content, **header))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_DATASET")
    assert why in refusal.message
    assert await left(sql, line.tenant) == [0, 0, 0]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ({"name": "datasets/Lab"}, "header.name"),
        ({"ruleset": "line.weld"}, "header.ruleset"),
        ({"format": Header.FORMAT_UNSPECIFIED}, "header.format"),
        ({"encoding": 9}, "header.encoding"),
        ({"expected_outcome_column": "x" * 201}, "header.expected_outcome_column"),
    ],
)
async def test_a_wrong_header_is_named_by_its_field(line, header, field):
    assert (await refused(upload(line, csv(), **header))).fields == [field]


async def test_messages_come_in_their_order(line):
    for wrong in ([], [pb.UploadDatasetRequest(data=b"1")]):
        assert (await refused(line.upload(iter(wrong)))).fields == ["header"]
    twice = [*messages(csv()), next(messages(csv()))]
    assert (await refused(line.upload(iter(twice)))).fields == ["data"]


async def test_a_ruleset_that_is_not_there_has_no_data_sets(client):
    assert (await refused(upload(client, csv()))).kind == ("NOT_FOUND", "RULESET_NOT_FOUND")


async def test_the_same_file_is_one_content(line, sql):
    first = await upload(line, csv())
    again = await upload(line, csv())
    other = await upload(line, csv(), name="datasets/other")
    assert (first.known, again.known, other.known) == (False, True, True)
    assert again.dataset.create_time.ToDatetime() > first.dataset.create_time.ToDatetime()
    assert await left(sql, line.tenant) == [2, 1, 1]
    listed = await line.ListDatasets(page_size=1)
    (found,) = listed.datasets
    assert found == again.dataset
    rest = await line.ListDatasets(page_size=1, page_token=listed.next_page_token)
    assert [it.name for it in rest.datasets] == ["datasets/other"]


async def test_another_file_takes_the_place_of_the_one_before(line, service, sql):
    await upload(line, csv())
    await upload(line, csv(7))
    assert (await line.GetDataset(name=LAB)).dataset.rows == 7
    assert await left(sql, line.tenant) == [1, 2, 2]
    await forget(service)
    assert await left(sql, line.tenant) == [1, 1, 1]


async def forget(service):
    async with service.platform.database.transaction(ALL_TENANTS) as connection:
        while await datasets.forget(connection):
            pass


async def test_what_is_deleted_or_old_is_gone_once_no_replay_reads_it(line, service, sql):
    await upload(line, csv())
    async with sql.transaction():
        await sql.execute("LOCK TABLE judgment.replay_tally")  # who waits for it cannot go on
        replay = (await line.CreateReplay(selection=replay_pb2.Selection(dataset=LAB), targets=[on(2)])).replay
        await line.DeleteDataset(name=LAB)
        assert (await refused(line.GetDataset(name=LAB))).kind == ("NOT_FOUND", "DATASET_NOT_FOUND")
        await forget(service)
        assert await left(sql, line.tenant) == [0, 1, 1]
    async for _ in line.WatchReplay(name=replay.name, deadline=60):
        pass
    assert (await line.GetReplayReport(name=replay.name)).report.selected == ROWS
    await forget(service)
    assert await left(sql, line.tenant) == [0, 0, 0]
    assert (await refused(line.DeleteDataset(name=LAB))).kind == ("NOT_FOUND", "DATASET_NOT_FOUND")
    await upload(line, csv())
    old = "UPDATE judgment.dataset SET create_time = create_time - interval '31 days' WHERE tenant = $1"
    await sql.execute(old, line.tenant)
    await forget(service)
    assert await left(sql, line.tenant) == [0, 0, 0]


async def test_a_replay_whose_rows_are_gone_fails_and_says_so(line, sql):
    await upload(line, csv())
    async with sql.transaction():
        await sql.execute("LOCK TABLE judgment.replay_tally")
        replay = (await line.CreateReplay(selection=replay_pb2.Selection(dataset=LAB), targets=[on(2)])).replay
        for table in ("dataset", "dataset_content"):
            await sql.execute(f"DELETE FROM judgment.{table} WHERE tenant = $1", line.tenant)
    async for _ in line.WatchReplay(name=replay.name, deadline=60):
        pass
    found = (await line.GetReplay(name=replay.name)).replay
    assert (found.state, "no longer kept" in found.error) == (Replay.STATE_FAILED, True)


async def test_another_tenant_sees_nothing(line, stranger):
    await upload(line, csv())
    await stranger.publish("1.0.0", promote_to="prod")
    assert not (await stranger.ListDatasets()).datasets
    for call in (
        stranger.GetDataset(name=LAB),
        stranger.DeleteDataset(name=LAB),
        stranger.CreateReplay(selection=replay_pb2.Selection(dataset=LAB), targets=[on(1)]),
    ):
        assert (await refused(call)).kind == ("NOT_FOUND", "DATASET_NOT_FOUND")
    assert not (await upload(stranger, csv())).known


async def test_a_part_of_the_rows_can_be_replayed(line):
    await upload(line, csv())
    first = replay_pb2.Selection(dataset=LAB, max_executions=50)
    assert (await report(line, selection=first)).selected == 50
    samples = [replay_pb2.Selection(dataset=LAB, sample_rate=0.5, seed=seed) for seed in (1, 2)]
    found = [(await report(line, selection=each)).targets[1].changed_outcomes for each in samples]
    sizes = [(await report(line, selection=each)).selected for each in samples]
    assert all(100 < size < 200 for size in sizes)
    assert found[0] != CHANGED


async def test_what_if_its_inputs_were_others(line):
    await upload(line, csv())
    doubled = [replay_pb2.InputChange(field="defect_rate", multiply=2)]
    (target,) = (await report(line, targets=[on(1)], input_changes=doubled)).targets
    steps = [number % 100 for number in range(ROWS)]
    assert target.changed_outcomes == sum(outcome(step) != outcome(2 * step) for step in steps)


def outcome(thousandths):
    """What version 1 says of a defect rate of a widget at 80 °C."""
    return "critical" if thousandths > 80 else "warning" if thousandths >= 30 else "normal"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"targets": [replay_pb2.Target(recorded=True)]}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        ({"selection": replay_pb2.Selection(dataset="datasets/other")}, ("NOT_FOUND", "DATASET_NOT_FOUND")),
        ({"selection": replay_pb2.Selection(dataset="lab")}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        ({"targets": [on(9)]}, ("NOT_FOUND", "VERSION_NOT_FOUND")),
    ],
)
async def test_what_cannot_be_replayed_is_refused(line, fields, kind):
    await upload(line, csv(3))
    asked = {"selection": replay_pb2.Selection(dataset=LAB), "targets": [on(1)], **fields}
    assert (await refused(line.CreateReplay(**asked))).kind == kind


async def test_a_data_set_of_which_no_row_fits_is_nothing_to_replay(line):
    content = b"defect_rate,temperature,product\nmuch,1,gear\n"
    assert (await upload(line, content)).dataset.rejected_rows == 1
    refusal = await refused(line.CreateReplay(selection=replay_pb2.Selection(dataset=LAB), targets=[on(1)]))
    assert refusal.kind == ("FAILED_PRECONDITION", "NOTHING_SELECTED")


async def test_an_upload_that_breaks_off_leaves_nothing(line, sql):
    """The caller goes away in the middle, and the place that the upload had is free again."""

    async def half():
        for message in list(messages(csv()))[:2]:
            yield message
        going.set()
        await asyncio.Event().wait()

    for _ in range(5):
        going = asyncio.Event()
        call = asyncio.create_task(line.upload(half()))
        await going.wait()
        call.cancel()
        with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
            await call
    assert await left(sql, line.tenant) == [0, 0, 0]

    async def is_free():
        try:
            return (await upload(line, csv())).dataset.rows == ROWS
        except grpc.aio.AioRpcError:
            return False

    await until(is_free, 20)


async def test_an_upload_that_ends_between_two_parts_leaves_nothing(line, service, sql, monkeypatch):
    """What a process does not commit is not there: its transaction goes with it."""
    insert = datasets.insert_part

    async def insert_once(connection, tenant, content, part):
        await insert(connection, tenant, content, part)
        raise asyncio.CancelledError

    receiving = Receiving(service.platform.database, Versions(service.platform.database))
    wanted = Upload(line.tenant, "lab", "line.weld", Manner(Format.CSV), "somebody")
    monkeypatch.setattr(datasets, "insert_part", insert_once)
    with pytest.raises(asyncio.CancelledError):
        await receiving.receive(wanted, pieces(csv()))
    assert await left(sql, line.tenant) == [0, 0, 0]
    monkeypatch.undo()
    assert (await receiving.receive(wanted, pieces(csv())))[1] is False
    assert await left(sql, line.tenant) == [1, 1, 1]


async def pieces(*content):
    for each in content:
        yield each


async def test_two_who_send_the_same_file_at_once_store_it_once(line, sql):
    await asyncio.gather(*(upload(line, csv(), name=f"datasets/lab-{number}") for number in range(3)))
    assert await left(sql, line.tenant) == [3, 1, 1]


async def test_an_upload_of_which_nothing_comes_is_given_up(line, service):
    receiving = Receiving(service.platform.database, Versions(service.platform.database), stall_seconds=0.05)

    async def silence():
        yield b"defect_rate"
        await asyncio.Event().wait()

    wanted = Upload(line.tenant, "lab", "line.weld", Manner(Format.CSV), "somebody")
    with pytest.raises(MillwrightError, match="Nothing of the file came"):
        await receiving.receive(wanted, silence())


async def test_a_file_is_not_larger_than_it_may_be(line, service, monkeypatch):
    monkeypatch.setattr("millwright_judgment.engine.datasets.receiving.MOST_BYTES", 100)
    refusal = await refused(upload(line, csv()))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_DATASET")


async def test_a_tenant_has_at_most_100_data_sets(line, monkeypatch):
    monkeypatch.setattr("millwright_judgment.engine.datasets.receiving.MOST_DATASETS", 1)
    await upload(line, csv())
    refusal = await refused(upload(line, csv(), name="datasets/other"))
    assert refusal.kind == ("RESOURCE_EXHAUSTED", "TOO_MANY_DATASETS")
    assert refusal.retry_info is None
    assert (await upload(line, csv())).known


async def test_a_child_that_is_ended_is_a_file_that_cannot_be_read(line, monkeypatch):
    monkeypatch.setattr(reading, "_WRITTEN_BYTES", 10)
    refusal = await refused(upload(line, csv()))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_DATASET")
