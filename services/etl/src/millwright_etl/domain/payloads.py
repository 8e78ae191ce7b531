"""Fields of payloads that the pipeline knows, by kind of row. What else is in a payload is the plant's own."""

from __future__ import annotations

from millwright_etl.domain.records import RecordType

_TEXTS = frozenset(("line_code", "product_code", "shift", "business_date", "start_time", "end_time"))
"""Of every kind."""
_TEXTS_OF = {
    RecordType.EQUIPMENT_STATUS: frozenset(("equipment_code", "status")),
    RecordType.QUALITY: frozenset(("defect_type",)),
}
_NUMBERS_OF = {
    RecordType.WORK_ORDER: frozenset(
        (
            "total_qty",
            "good_qty",
            "defect_qty",
            "rework_qty",
            "scrap_qty",
            "runtime_seconds",
            "cycle_seconds",
            "ideal_cycle_seconds",
        )
    ),
    RecordType.PRODUCTION_ORDER: frozenset(("planned_qty", "planned_seconds")),
    RecordType.EQUIPMENT_STATUS: frozenset(("duration_seconds",)),
    RecordType.QUALITY: frozenset(("defect_qty",)),
}
TEXTS = _TEXTS.union(*_TEXTS_OF.values())
NUMBERS = frozenset[str]().union(*_NUMBERS_OF.values())


def kinds_with(field: str) -> list[RecordType]:
    """Give the kinds of rows that have a field: all of them have one that the pipeline does not know."""
    if field not in TEXTS | NUMBERS:
        return list(RecordType)
    return [kind for kind in RecordType if field in _TEXTS | _TEXTS_OF.get(kind, frozenset()) | _NUMBERS_OF[kind]]
