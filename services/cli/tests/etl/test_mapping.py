"""Mappings: how cells become fields, and which files are none."""

import json

import pytest
from millwright_cli.etl import mapping
from millwright_cli.etl.mapping import CellError, MappingError

HEAD = """
source_type = "MES"
source_system = "mes-1"
record_type = "WORK_ORDER"
external_id = "id"
event_time = "time"
"""
CELLS = {"id": "1", "time": "2025-11-14T12:00:00"}


def payload(fields, cells, head=""):
    """What the fields of a row become."""
    record = mapping.read(f"{HEAD}{head}[fields]\n{fields}").record({**CELLS, **cells})
    return json.loads(record.payload)


@pytest.mark.parametrize(
    ("head", "cell", "sent"),
    [
        ("", "12.5", "12.5"),
        ("", "12,5", "12,5"),
        ("", "-3", "-3"),
        ("", "NaN", "NaN"),
        ("", "1,234.5", "1,234.5"),
        ("", "１２", "１２"),
        ("", "", None),
        ('thousands = ","', "1,234.5", "1234.5"),
        ('decimal = ","', "12,5", "12.5"),
        ('decimal = ","', "1.234.567,5", "1234567.5"),
        ('decimal = ","', "12.5", "12.5"),
        ('decimal = ","', "12,5-", "-12.5"),
        ('decimal = ","', "12,5,0", "12,5,0"),
    ],
)
def test_numbers_are_sent_with_a_point_and_what_is_none_as_it_is(head, cell, sent):
    assert payload('n = { column = "x", kind = "number" }', {"x": cell}, f"{head}\n") == {"n": sent}


@pytest.mark.parametrize(
    ("cells", "sent"), [(("1", "2.5"), "3.5"), (("1", ""), "1"), (("", ""), None), (("1", "two"), "two")]
)
def test_a_sum_is_of_what_is_there_and_tells_what_is_no_number(cells, sent):
    fields = 'n = { columns = ["a", "b"], kind = "sum" }'
    assert payload(fields, dict(zip("ab", cells, strict=True))) == {"n": sent}


def test_values_that_are_named_are_replaced_and_others_stay():
    fields = 'shift = { column = "s", values = { "1" = "A" } }'
    assert [payload(fields, {"s": cell}) for cell in ("1", "7")] == [{"shift": "A"}, {"shift": "7"}]


def test_times_have_the_zone_of_the_mapping_unless_they_name_one():
    fields = 't = { column = "x", kind = "time" }\nd = { column = "y", kind = "date", format = "%d.%m.%Y" }'
    cells = {"x": "2025-11-14T10:00:00Z", "y": "14.11.2025"}
    assert payload(fields, cells) == {"t": "2025-11-14T10:00:00+00:00", "d": "2025-11-14"}
    zone = 'time_zone = "Europe/Berlin"\n'
    assert payload(fields, {"x": "2025-07-14 10:00", "y": "?"}, zone) == {"t": "2025-07-14T10:00:00+02:00", "d": "?"}
    record = mapping.read(f"{HEAD}{zone}").record(CELLS)
    assert record.event_time.ToJsonString() == "2025-11-14T11:00:00Z"


def test_json_keeps_its_values_and_dots_lead_into_objects():
    fields = 'a = "deep.value"\nb = { constant = 7 }\nc = "missing.at.all"'
    assert payload(fields, {"deep": {"value": [1, None]}}) == {"a": [1, None], "b": 7, "c": None}


def test_a_row_without_a_time_is_told_by_its_column():
    with pytest.raises(CellError, match="is no time") as told:
        mapping.read(HEAD).record({"id": "1", "time": "noon"})
    assert told.value.column == "time"


TIMES = """
[source_time]
columns = ["changed", "at"]
format = "%Y%m%d %H%M%S"
empty = ["00000000 000000", "00000000"]
"""
FALLBACK = 'otherwise = { column = "made", format = "%Y%m%d" }\n'


@pytest.mark.parametrize(
    ("fallback", "cells", "sent"),
    [
        ("", ("20251114", "093000", "20251101"), "2025-11-14T00:30:00Z"),
        ("", ("", "", "20251101"), None),
        ("", ("00000000", "000000", "20251101"), None),
        ("", ("00000000", "", "20251101"), None),
        (FALLBACK, ("20251114", "000000", "20251101"), "2025-11-13T15:00:00Z"),
        (FALLBACK, ("", "", "20251101"), "2025-10-31T15:00:00Z"),
        (FALLBACK, ("00000000", "000000", "20251101"), "2025-10-31T15:00:00Z"),
        (FALLBACK, ("", "", ""), None),
    ],
)
def test_a_row_that_was_never_changed_has_the_time_that_stands_in_for_it_or_none(fallback, cells, sent):
    cells = dict(zip(("changed", "at", "made"), cells, strict=True))
    record = mapping.read(HEAD + TIMES + fallback).record({**CELLS, **cells})
    assert (record.source_time.ToJsonString() if record.HasField("source_time") else None) == sent


def test_a_time_that_is_there_and_cannot_be_read_is_told():
    with pytest.raises(CellError, match="is no time") as told:
        mapping.read(HEAD + TIMES + FALLBACK).record({**CELLS, "changed": "14.11.2025", "made": "20251101"})
    assert told.value.column == "changed, at"


def test_what_stands_in_for_an_empty_cell_may_be_of_any_kind():
    fields = 'n = { column = "a", kind = "number", otherwise = { column = "b", otherwise = { constant = 0 } } }'
    assert [payload(fields, {"a": a, "b": b})["n"] for a, b in (("1", "2"), ("", "2"), ("", ""))] == ["1", "2", 0]


def test_a_row_of_columns_without_fields_is_sent_whole():
    assert json.loads(mapping.read(HEAD).record(CELLS).payload) == CELLS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("x = \n", "line 7"),
        ('decimal = ";"', "decimal: must be . or ,"),
        ('encoding = "klingon"', "encoding: 'klingon'"),
        ('time_zone = "Seoul"', "time_zone: 'Seoul'"),
        ("deleted = 7", "deleted: must be a column"),
        ("[fields]\nx = {}", "fields.x: must have column"),
        ('[fields]\nx = { column = "a", kind = "colour" }', "fields.x.kind: must be one of text"),
        (
            '[fields]\nx = { column = "a", otherwise = { size = 3 } }',
            "fields.x.otherwise.size: there is no such option",
        ),
        ('[fields]\nx = { column = "a", empty = "0" }', "fields.x.empty: must be a list of texts"),
        ('[fields]\nx = { column = "a", size = 3 }', "fields.x.size: there is no such option"),
        ("[fields]\nx = { column = 3 }", "fields.x: must be a list of texts"),
    ],
)
def test_a_mapping_that_is_none_says_where(change, told):
    with pytest.raises(MappingError) as error:
        mapping.read(HEAD + change)
    assert told in str(error.value)
