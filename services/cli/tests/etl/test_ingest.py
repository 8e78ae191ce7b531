"""`millwright etl ingest` against the service: whatever is in a file, the rows that can be landed are."""

import asyncio
import contextlib
import sys

import pytest
from etl_rows import MES, MES_MAPPING, SAP, SAP_MAPPING, csv_file, raw_row


async def test_confirmations_of_an_sap_system_are_landed_with_the_fields_of_the_pipeline(call, rows, made):
    result = await call("etl", "ingest", SAP, "--mapping", SAP_MAPPING)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("✔ 5 new, 0 changed, 0 unchanged, 0 outdated, 0 refused, in ")
    landed = await rows()
    assert list(landed) == [f"000010471{number}-0001" for number in (1, 2, 3, 4)]
    first = landed["0000104711-0001"]
    assert first["order_text"] == "하우징 조립"
    assert (first["total_qty"], first["good_qty"], first["scrap_qty"], first["shift"]) == (
        "1200.0",
        "1190.0",
        "10.0",
        "A",
    )
    assert (first["start_time"], first["line_code"]) == ("2025-11-14T06:00:00+09:00", "L01")
    assert landed["0000104714-0001"]["total_qty"] == "12,5,0"
    counts = (await made("2025-11-14")).counts
    assert (counts.rows_used, counts.rows_quarantined, counts.rows_superseded, counts.total_qty) == (3, 1, 1, 2000)
    again = await call("etl", "ingest", SAP, "--mapping", SAP_MAPPING, "--again")
    assert again.stdout.startswith("✔ 0 new, 0 changed, 5 unchanged, 0 outdated, 0 refused, in ")


async def test_results_of_a_small_mes_are_landed_with_the_fields_of_the_pipeline(call, rows, made):
    assert (await call("etl", "ingest", MES, "--mapping", MES_MAPPING)).exit_code == 0
    assert [row["shift"] for row in (await rows()).values()] == ["A", "A", "B", "C", "새벽"]
    counts = (await made("2025-11-14")).counts
    assert (counts.rows_used, counts.rows_quarantined, counts.total_qty) == (4, 1, 1330)


async def test_raw_rows_need_no_mapping(call, rows):
    result = await call("etl", "ingest", MES.replace("work-orders.csv", "equipment.ndjson"))
    assert result.exit_code == 0, result.stderr
    assert (await rows())["S-1"]["duration_seconds"] == 900


async def test_a_file_that_was_landed_is_not_sent_again_unless_asked_to(answer, call):
    await answer("etl", "ingest", MES, "--mapping", MES_MAPPING)
    again = await call("etl", "ingest", MES, "--mapping", MES_MAPPING)
    assert "5 new" in again.stdout
    assert "5 rows of these had been sent before" in again.stdout
    counts = (await answer("etl", "ingest", MES, "--mapping", MES_MAPPING, "--again"))["counts"]
    assert (counts["inserted"], counts["unchanged"]) == ("0", "5")


async def test_a_dry_run_shows_rows_and_lands_none(call, rows):
    result = await call("etl", "ingest", SAP, "--mapping", SAP_MAPPING, "--dry-run")
    assert '0000104711-0001  {"line_code": "L01"' in result.stdout
    assert await rows() == {}


async def test_a_file_in_cp949_that_says_so_nowhere_is_not_begun(call, rows, tmp_path):
    path = csv_file(tmp_path, "W-1,라인1,10", encoding="cp949")
    result = await call("etl", "ingest", path, "--mapping", f"{tmp_path}/mapping.toml")
    assert result.exit_code == 2
    assert "is not in utf-8, but in cp949" in result.stderr
    assert "--encoding" in result.stderr
    assert await rows() == {}
    result = await call("etl", "ingest", path, "--mapping", f"{tmp_path}/mapping.toml", "--encoding", "cp949")
    assert result.exit_code == 0, result.stderr
    assert (await rows())["W-1"]["line_code"] == "라인1"


async def test_a_broken_utf_8_byte_costs_its_own_row_alone(answer, rows, tmp_path):
    path = csv_file(tmp_path, "W-1,L1,10", b"W-2,L\xff,10", "W-3,라인3,10")
    told = await answer("etl", "ingest", path, "--mapping", f"{tmp_path}/mapping.toml", exit_code=5)
    (refused,) = told["refused"]
    assert (refused["offset"], refused["reason"]) == ("3", "BROKEN_TEXT")
    assert set(await rows()) == {"W-1", "W-3"}


async def test_a_payload_of_5_mb_costs_its_own_row_alone(answer, rows, tmp_path):
    path = csv_file(tmp_path, "W-1,L1,10", f"W-2,{'L' * 5_000_000},10", "W-3,L1,10")
    told = await answer("etl", "ingest", path, "--mapping", f"{tmp_path}/mapping.toml", exit_code=5)
    (refused,) = told["refused"]
    assert (refused["offset"], refused["reason"]) == ("3", "PAYLOAD_TOO_LARGE")
    assert set(await rows()) == {"W-1", "W-3"}


async def test_every_row_that_is_not_landed_is_told_by_its_line(answer, call, rows, tmp_path):
    lines = ["W-1,L1,10", "W-2,L1", '"W-3\nX",L1,10', "W-4,L1,10", ",L1,10"]
    path = csv_file(tmp_path, *lines, times={"W-4": "soon"})
    mapping = f"{tmp_path}/mapping.toml"
    told = await answer("etl", "ingest", path, "--mapping", mapping, exit_code=5)
    refused = {each["offset"]: (each["reason"], each["field"]) for each in told["refused"]}
    assert refused == {
        "3": ("NOT_A_ROW", ""),
        "6": ("INVALID_FIELD", "time"),
        "7": ("INVALID_FIELD", "external_id"),
    }
    assert (told["counts"]["inserted"], told["counts"]["refused"]) == ("2", "3")
    text = await call("etl", "ingest", path, "--mapping", mapping, "--again", "--lang", "ko")
    assert text.stdout.startswith("! 신규 0, 변경 0, 동일 2, 이전 버전 0, 거부 3")
    assert "'soon' is no time such as 2026-11-01T08:30:00" in text.stdout


async def test_lines_that_are_no_json_are_told_and_the_others_are_landed(answer, rows):
    lines = [raw_row("1"), "{", "[1]", raw_row("2"), '{"payload": "{}", "colour": 1}', raw_row("3", payload="no JSON")]
    told = await answer("etl", "ingest", "-", stdin="\n".join(lines), exit_code=5)
    refused = [(each["offset"], each["reason"]) for each in told["refused"]]
    assert refused == [("2", "NOT_A_ROW"), ("3", "NOT_A_ROW"), ("5", "NOT_A_ROW"), ("6", "PAYLOAD_NOT_JSON")]
    assert set(await rows()) == {"1", "2"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('external_id = "id"', "external_id: must be given"),
        ('source_type = "MES"', "source_type: must be given"),
        ('event_time = "time"', "event_time: must be given"),
    ],
)
async def test_a_mapping_that_is_none_says_where(call, tmp_path, change, told):
    path, mapping = csv_file(tmp_path, "W-1,L1,10"), tmp_path / "mapping.toml"
    mapping.write_text(mapping.read_text().replace(change, ""))
    result = await call("etl", "ingest", path, "--mapping", str(mapping))
    assert (result.exit_code, told in result.stderr) == (2, True)
    mapping.write_text("colour = 1")
    assert "colour: there is no such option" in (await call("etl", "ingest", path, "--mapping", str(mapping))).stderr


async def test_a_csv_file_needs_a_mapping(call, tmp_path):
    result = await call("etl", "ingest", csv_file(tmp_path, "W-1,L1,10"))
    assert (result.exit_code, "needs --mapping" in result.stderr) == (2, True)
    assert (await call("etl", "ingest", "nowhere.ndjson")).exit_code == 2


class Wire:
    """A way to the service that lets so many bytes through, and then is cut, or lets nothing through any more."""

    def __init__(self, target, cut_after, stalls=False):
        self._host, self._port = target.split(":")
        self._left = cut_after
        self._stalls = stalls
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_exception):
        self._server.close()
        self._cut()

    async def _connect(self, reader, writer):
        to_reader, to_writer = await asyncio.open_connection(self._host, int(self._port))
        self._writers |= {writer, to_writer}
        await asyncio.gather(self._pass(reader, to_writer, counted=True), self._pass(to_reader, writer, counted=False))

    async def _pass(self, reader, writer, *, counted):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
                self._left -= len(data) if counted else 0
                if counted and self._left < 0 and self._stalls:
                    await asyncio.Event().wait()
                if counted and self._left < 0:
                    self._left = 10**12
                    self._cut()
        writer.close()

    def _cut(self):
        for writer in self._writers:
            writer.transport.abort()


async def test_a_stream_that_is_cut_half_way_goes_on_and_lands_each_row_once(service, answer, rows):
    text = "\n".join(raw_row(str(number), payload={"note": "x" * 2000}) for number in range(4000))
    async with Wire(service, cut_after=4_000_000) as wire:
        told = await answer("etl", "ingest", "-", stdin=text, endpoint=wire)
    assert told["acknowledgedOffset"] == "4000"
    assert told["refused"] == []
    assert len(await rows()) == 4000
    again = await answer("etl", "ingest", "-", "--again", stdin=text)
    assert again["counts"]["unchanged"] == "4000"


def _with_bad_rows(count):
    """Lines of raw rows, of which every tenth is refused."""
    rows = [raw_row(str(number), payload={"note": "x" * 2000}) for number in range(count)]
    rows[::10] = [raw_row("0", payload="no JSON") for _ in rows[::10]]
    return "\n".join(rows)


async def test_a_file_that_is_sent_again_tells_what_was_refused_before(answer, call, tmp_path):
    path = csv_file(tmp_path, "W-1,L1,10", "W-2", "W-3,L1,10", times={"W-1": "2199-01-01T00:00:00"})
    command = ("etl", "ingest", path, "--mapping", f"{tmp_path}/mapping.toml")
    first = await answer(*command, exit_code=5)
    assert [each["offset"] for each in first["refused"]] == ["2", "3"]
    assert await answer(*command, exit_code=5) == first
    assert "EVENT_TIME_OUT_OF_RANGE" in (await call(*command)).stdout


async def test_a_client_that_is_killed_half_way_leaves_what_was_refused_to_the_next(
    service, answer, operator, rows, tmp_path
):
    path = tmp_path / "rows.ndjson"
    path.write_text(_with_bad_rows(4000))
    async with Wire(service, cut_after=4_000_000, stalls=True) as wire:
        command = [sys.executable, "-m", "millwright_cli", "etl", "ingest", str(path)]
        client = await asyncio.create_subprocess_exec(*command, "--endpoint", wire, "--token", operator)
        async with asyncio.timeout(20):
            while not await rows():
                pass
        client.kill()
        await client.wait()
    assert 0 < len(await rows()) < 3600
    told = await answer("etl", "ingest", str(path), exit_code=5)
    whole = await answer("etl", "ingest", str(path), "--again", exit_code=5)
    assert told["refused"] == whole["refused"]
    assert len(told["refused"]) == int(told["counts"]["refused"]) == 400
    assert told["counts"]["inserted"] == "3600"


async def test_so_many_refused_rows_are_counted_and_the_first_are_told(answer, call, tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_text("\n".join(raw_row("1", payload="no JSON") for _ in range(2300)))
    first = await answer("etl", "ingest", str(path), exit_code=5)
    assert (first["counts"]["refused"], len(first["refused"])) == ("2300", 1000)
    assert await answer("etl", "ingest", str(path), exit_code=5) == first
    assert "2280 more" in (await call("etl", "ingest", str(path))).stdout
