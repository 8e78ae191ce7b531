"""Files of rows: what fits the schema is kept, what does not is counted by its reason; what is no file is refused."""

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from judgment_samples.documents import FIELDS, ruleset, weld
from millwright_judgment.domain.datasets.dataset import Encoding, Format, Manner, UnreadableFile
from millwright_judgment.engine.datasets.files import CsvFile, ParquetFile
from millwright_judgment.engine.datasets.fitting import Fitting
from millwright_judgment.store import dataset_parts, parquet

HEADER = "defect_rate,temperature,product,line"
CSV = Manner(Format.CSV)


def fit(content, manner=CSV, fields=FIELDS):
    """Read a file; give the fitting, and the rows that were kept with their numbers."""
    octets = content.encode(manner.encoding) if isinstance(content, str) else content
    file = io.BytesIO(octets)
    opened = CsvFile(file, manner.encoding) if manner.format is Format.CSV else ParquetFile(file)
    fitting = Fitting(opened, ruleset(weld(inputs=fields)), manner)
    parts = list(dataset_parts.parts(fitting.tables()))
    pages = [dataset_parts.to_page(parquet.decode(dataset_parts.encode(part))) for part in parts]
    rows = {int(number): page.inputs.at(row) for page in pages for row, number in enumerate(page.numbers)}
    assert len(rows) == fitting.rows
    return fitting, rows


def faults(fitting):
    return {(fault.column, fault.code): (fault.rows, list(fault.examples)) for fault in fitting.faults}


def test_rows_are_read_as_the_schema_says():
    fitting, rows = fit(f"\ufeff{HEADER}\n0.05,80,widget,L1\n\n +1e-2 ,-5,gear,\n")
    assert rows == {
        1: {"defect_rate": 0.05, "temperature": 80.0, "product": "widget"},
        2: {"defect_rate": 0.01, "temperature": -5.0, "product": "gear"},
    }
    assert (fitting.rejected_rows, fitting.faults, fitting.ignored_columns) == (0, (), ())


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("0.05,80", "", "CELL_COUNT"),
        ("0.05,80,widget,L1,more", "", "CELL_COUNT"),
        (",80,widget,L1", "defect_rate", "MISSING"),
        ("much,80,widget,L1", "defect_rate", "WRONG_TYPE"),
        ('"0,05",80,widget,L1', "defect_rate", "WRONG_TYPE"),
        ("NaN,80,widget,L1", "defect_rate", "NOT_FINITE"),
        ("-inf,80,widget,L1", "defect_rate", "NOT_FINITE"),
        ("1e999,80,widget,L1", "defect_rate", "NOT_FINITE"),
        ("1.5,80,widget,L1", "defect_rate", "OUT_OF_RANGE"),
        ("0.05,1e300,widget,L1", "temperature", "OUT_OF_RANGE"),
        ("0.05,80,wheel,L1", "product", "UNKNOWN_VALUE"),
        (f"0.05,80,{'x' * 1_048_576},L1", "product", "TEXT_TOO_LONG"),
        (f"{'x' * 1_048_576},80,widget,L1", "defect_rate", "WRONG_TYPE"),
        (f"0.05,80,widget,{'x' * 64}", "line", "TEXT_TOO_LONG"),
        ("0.05,80,widget,a\0b", "line", "UNSTORABLE_TEXT"),
    ],
)
def test_a_row_that_does_not_fit_is_counted_and_stops_no_other(row, column, code):
    fitting, rows = fit(f"{HEADER}\n0.01,80,widget,L1\n{row}\n0.03,80,gear,L2\n{row}\n")
    assert list(rows) == [1, 3]
    assert faults(fitting) == {(column, code): (2, [2, 4])}
    assert fitting.rejected_rows == 2


def test_bytes_that_are_no_text_take_their_row_alone():
    lines = [
        HEADER.encode(),
        b"0.01,80,gear,L1",
        b"0.02,80,gear,\xff\xfe",
        b"0.03,80,\xb0\xa1,L1",
        b"\xff,\xfe",
        b"1,1,gear,",
    ]
    fitting, rows = fit(b"\n".join(lines))
    assert list(rows) == [1, 5]
    assert faults(fitting) == {
        ("line", "UNREADABLE_TEXT"): (1, [2]),
        ("product", "UNREADABLE_TEXT"): (1, [3]),
        ("", "CELL_COUNT"): (1, [4]),
    }


def test_korean_windows_writes_cp949():
    fields = [*FIELDS[:2], {"field": "product", "type": "string"}]
    text = '불량,defect_rate,temperature,product,line\nx,0.05,80,"기어, 큰 것",용접\n불량,0.05\n'
    fitting, rows = fit(text, Manner(Format.CSV, Encoding.CP949), fields)
    assert rows[1]["product"] == "기어, 큰 것"
    assert (fitting.ignored_columns, faults(fitting)) == (("불량",), {("", "CELL_COUNT"): (1, [2])})
    with pytest.raises(UnreadableFile, match="header"):
        fit(text.encode("cp949"), CSV, fields)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "CSV"),
        ("\n\n", "CSV"),
        ("a,b\n1,2\n", "no column defect_rate"),
        ("defect_rate,temperature,line\n1,2,3\n", "no column product"),
        (f"{HEADER},line\n", "Two of its columns are called 'line'"),
        (f"{HEADER},{','.join(map(str, range(1_000)))}\n", "1,000 columns"),
        (f'{HEADER}\n0.05,80,"{"x" * 20_000_000}', "CSV"),
        (b"PK\x03\x04" + bytes(range(256)) * 40, "header|CSV|Two|column"),
    ],
)
def test_what_is_no_file_of_rows_is_refused(content, why):
    with pytest.raises(UnreadableFile, match=why):
        fit(content)


def test_a_column_that_is_named_must_be_there():
    for manner in (Manner(Format.CSV, expected="truth"), Manner(Format.CSV, segments={"line": "press"})):
        with pytest.raises(UnreadableFile, match=r"no column (truth|press)"):
            fit(f"{HEADER}\n", manner)


def test_segments_and_what_is_expected_come_from_columns_named_or_standing():
    content = "defect_rate,temperature,product,_line,line,press,truth\n0.01,1,gear,A,B,C,normal\n0.01,1,gear,A,B,C,\n"
    for named, line in (({}, "A"), ({"line": "press"}, "C")):
        manner = Manner(Format.CSV, segments=named, expected="truth")
        fitting = Fitting(CsvFile(io.BytesIO(content.encode()), Encoding.UTF8), ruleset(weld()), manner)
        page = dataset_parts.to_page(*dataset_parts.parts(fitting.tables()))
        assert "truth" not in fitting.ignored_columns
        assert page.segments["line"].texts == (line,)
        assert page.segments["product"].texts == ("gear",)
        assert [page.expected.codes[0] >= 0, page.expected.codes[1] >= 0] == [True, False]
    fitting, rows = fit(content.replace("normal", "fine"), Manner(Format.CSV, expected="truth"))
    assert list(rows) == [2]
    assert faults(fitting) == {("truth", "UNKNOWN_OUTCOME"): (1, [1])}


def test_a_file_of_many_blocks_keeps_the_numbers_of_its_rows():
    count, note = 60_000, "x" * 300
    lines = [f"0.01,{number % 100},gear,L,{note}" if number % 1_000 else "short" for number in range(1, count + 1)]
    octets = "\n".join([f"{HEADER},note", *lines]).encode()
    fitting = Fitting(CsvFile(io.BytesIO(octets), Encoding.UTF8), ruleset(weld()), CSV)
    whole = pa.concat_tables(dataset_parts.parts(fitting.tables()))
    numbers, temperatures = whole.column("row").to_numpy(), whole.column("number.temperature").to_numpy()
    assert len(octets) > 16 * 1024 * 1024
    assert numbers.tolist() == [number for number in range(1, count + 1) if number % 1_000]
    assert (temperatures == numbers % 100).all()
    assert faults(fitting) == {("", "CELL_COUNT"): (60, [1_000, 2_000, 3_000, 4_000, 5_000])}


def written(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def columns(count=3, **more):
    return pa.table({"defect_rate": [0.05] * count, "temperature": [80] * count, "product": ["gear"] * count, **more})


PARQUET = Manner(Format.PARQUET)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_parquet_is_read_by_its_types(compression):
    table = columns(3, line=pa.array([1, 2, None], pa.int32()), when=pa.array([0, 1, 2], pa.timestamp("ms")))
    fitting, rows = fit(written(table, compression=compression), PARQUET)
    assert rows == {number: {"defect_rate": 0.05, "temperature": 80.0, "product": "gear"} for number in (1, 2, 3)}
    assert fitting.ignored_columns == ("when",)


def test_nan_and_null_in_parquet_are_two_things():
    table = pa.table(
        {"defect_rate": [math.nan, None, math.inf, 0.01], "temperature": ["1", "2", "3", "4"], "product": ["gear"] * 4}
    )
    fitting, rows = fit(written(table), PARQUET)
    assert list(rows) == [4]
    assert faults(fitting) == {("defect_rate", "NOT_FINITE"): (2, [1, 3]), ("defect_rate", "MISSING"): (1, [2])}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_part_of_a_parquet_file_is_refused(share):
    whole = written(columns(10_000, noise=np.random.default_rng(1).random(10_000)))
    with pytest.raises(UnreadableFile, match="Parquet"):
        fit(whole[: int(len(whole) * share)], PARQUET)


def test_a_parquet_file_whose_middle_is_damaged_is_refused():
    whole = bytearray(written(columns(10_000, line=[f"L{n}" for n in range(10_000)]), compression="zstd"))
    whole[4:400] = bytes(396)
    with pytest.raises(UnreadableFile, match="Parquet"):
        fit(bytes(whole), PARQUET)


def test_a_column_of_another_type_is_refused():
    table = columns(2).set_column(1, "temperature", pa.array([[1.0], [2.0]]))
    with pytest.raises(UnreadableFile, match="temperature holds list"):
        fit(written(table), PARQUET)


def test_one_long_text_in_every_row_is_one_text():
    """A file of a few kilobytes that unpacks to gigabytes, if each row gets its own."""
    line = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), pa.array(["x" * 1_000_000]))
    content = written(columns(100_000, line=line))
    assert len(content) < 2_000_000
    fitting, rows = fit(content, PARQUET)
    assert rows == {}
    assert faults(fitting) == {("line", "TEXT_TOO_LONG"): (100_000, [1, 2, 3, 4, 5])}
