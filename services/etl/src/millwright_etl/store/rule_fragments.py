"""Rules of rows as pieces of the pipeline's statement: a rule that nobody has costs nothing.

Only field names, which the domain has checked, and numbers of rules become SQL; everything else is a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from millwright_etl.domain.payloads import NUMBERS
from millwright_etl.domain.quality import Check, Rule, fault_text
from millwright_etl.domain.records import RecordType

PLACES = ("rule_columns", "rule_conditions", "rule_reasons", "rule_counts", "rule_totals")
"""Where the pieces join the statement."""

_TEXT_COLUMNS = {
    "line_code": "line",
    "product_code": "nullif(product, '-')",  # a state of equipment that names no product has this one
    "equipment_code": "equipment",
    "shift": "shift",
    "status": "status",
    "defect_type": "defect_type",
}
_DIMENSIONS = {"line_code": "line", "product_code": "product", "shift": "shift", "equipment_code": "equipment"}
_CODES = {
    Check.NOT_NULL: "MISSING",
    Check.RANGE: "OUT_OF_RANGE",
    Check.UNIQUE: "NOT_UNIQUE",
    Check.REFERENCE: "UNKNOWN_VALUE",
}


class Shape(NamedTuple):
    """What of a rule is SQL: rules of one shape share one prepared statement."""

    check: Check
    record_type: RecordType
    field: str
    has_min: bool
    has_max: bool
    sets_aside: bool


def shape(rule: Rule) -> Shape:
    """Give what of a rule is SQL."""
    has_min, has_max = rule.min is not None, rule.max is not None
    return Shape(rule.check, rule.record_type, rule.field, has_min, has_max, rule.sets_aside)


def checked_rows(kind: RecordType) -> str:
    """Give the column that says at how many rows of a kind rules looked."""
    return f"checked_{kind.lower()}"


def fragments(shapes: Sequence[Shape]) -> dict[str, str]:
    """Give what stands in each of PLACES."""
    broken = [_broken(place, each) for place, each in enumerate(shapes)]
    places = range(len(shapes))
    strict = [place for place in places if shapes[place].sets_aside]
    columns = [f"{broken[place]} AS rule_{place}" for place in places]
    counts = [f"count(*) FILTER (WHERE rule_{place}) AS rule_{place}" for place in places]
    kinds = sorted({each.record_type for each in shapes})
    counts += [f"count(*) FILTER (WHERE {_checked(kind)}) AS {checked_rows(kind)}" for kind in kinds]
    names = [*(f"rule_{place}" for place in places), *map(checked_rows, kinds)]
    totals = [f"coalesce(sum({name}), 0)::bigint AS {name}" for name in names]
    return {
        "rule_columns": _more(columns),
        "rule_conditions": "".join(f"\n               AND NOT {broken[place]}" for place in strict),
        "rule_reasons": "".join(_reason(place, shapes[place]) for place in strict),
        "rule_counts": _more(counts),
        "rule_totals": _more([*totals, "(SELECT count(*) FROM refused) AS rows_refused"]),
    }


def parameters(rules: Sequence[Rule]) -> dict[str, Any]:
    """Give the values of the parameters that the pieces name."""
    values: dict[str, Any] = {}
    for place, rule in enumerate(rules):
        values[f"rule_min_{place}"] = None if rule.min is None else Decimal(repr(rule.min))
        values[f"rule_max_{place}"] = None if rule.max is None else Decimal(repr(rule.max))
        values[f"rule_name_{place}"] = rule.name
        values[f"rule_fault_{place}"] = fault_text(rule)
    return values


def _broken(place: int, rule: Shape) -> str:
    """Give SQL that tells whether a row of `judged` breaks a rule; never NULL."""
    value, number, checked = _value(rule.field), _number(rule.field), _checked(rule.record_type)
    match rule.check:
        case Check.NOT_NULL:
            breaks = f"{value} IS NULL"
        case Check.RANGE:
            bounds = [f"{number} < :rule_min_{place}::numeric"] * rule.has_min
            bounds += [f"{number} > :rule_max_{place}::numeric"] * rule.has_max
            breaks = f"({' OR '.join(bounds)})"
        case Check.UNIQUE:
            breaks = f"{value} IS NOT NULL AND count(*) FILTER (WHERE {checked}) OVER (PARTITION BY {value}) > 1"
        case _:
            known = _DIMENSIONS[rule.field]
            named = f"SELECT {known} FROM bi.dim_{known} WHERE tenant = :tenant AND NOT inferred"
            breaks = f"{value} IS NOT NULL AND {value} NOT IN ({named})"
    return f"(({checked} AND {breaks}) IS TRUE)"


def _checked(kind: RecordType) -> str:
    return f"record_type = '{kind}' AND NOT deleted AND NOT ignored"


def _value(field: str) -> str:
    if field in NUMBERS:  # compared as it is: as text, a number of few characters may have 130,000 of them
        return field
    return f"nullif({_TEXT_COLUMNS.get(field, f'(payload ->> {_quoted(field)})')}, '')"


def _number(field: str) -> str:
    if field in NUMBERS:
        return field
    return f"json_value(payload, '$.{field}' RETURNING numeric NULL ON ERROR)"


def _reason(place: int, rule: Shape) -> str:
    payload = "coalesce((one.raw).payload || (one.raw).corrections, (one.raw).payload)"
    value = f"coalesce(left({payload} ->> {_quoted(rule.field)}, 200), '')"
    return f""" || CASE WHEN judged.rule_{place} THEN jsonb_build_array(jsonb_build_object(
               'code', '{_CODES[rule.check]}', 'field', {_quoted(rule.field)}, 'value', {value},
               'rule', :rule_name_{place}::text, 'message', :rule_fault_{place}::text)) ELSE '[]' END"""


def _more(columns: Sequence[str]) -> str:
    return "".join(f",\n           {column}" for column in columns)


def _quoted(field: str) -> str:
    return f"'{field}'"
