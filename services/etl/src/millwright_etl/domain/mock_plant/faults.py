"""What can be wrong with a row: each fault spoils a payload so that the pipeline must set it aside for one reason.

The names are those of the pipeline's reasons, with the field where several fields can have the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from millwright_runtime.json import Json

from millwright_etl.domain.records import RecordType

Payload = dict[str, Json]


def _with(field: str, value: Json) -> Callable[[Payload], Payload]:
    return lambda payload: {**payload, field: value}


def _without(field: str) -> Callable[[Payload], Payload]:
    return lambda payload: {name: value for name, value in payload.items() if name != field}


_EVERYWHERE: Mapping[str, Callable[[Payload], Payload]] = {
    "MISSING line_code": _without("line_code"),
    "NOT_A_TEXT line_code": _with("line_code", ["L01"]),
    "TOO_LONG line_code": _with("line_code", "L" * 64),
    "UNKNOWN_SHIFT shift": _with("shift", "Z"),
    "NOT_A_TIME start_time": _with("start_time", "soon"),
    "NOT_A_DATE business_date": _with("business_date", "2025-02-30"),
    "OUT_OF_RANGE end_time": _with("end_time", "2199-01-01T00:00:00+09:00"),
    "OUT_OF_RANGE business_date": _with("business_date", "2199-01-01"),
    "END_BEFORE_START end_time": lambda payload: {
        **payload,
        "start_time": "2025-01-01T08:30:00+09:00",
        "end_time": "2025-01-01T08:29:59+09:00",
    },
}
_OF_A_KIND: Mapping[RecordType, Mapping[str, Callable[[Payload], Payload]]] = {
    RecordType.WORK_ORDER: {
        "MISSING product_code": _with("product_code", None),
        "NOT_A_NUMBER total_qty": _with("total_qty", "12,5"),
        "NOT_A_NUMBER good_qty": _with("good_qty", "NaN"),
        "NOT_A_NUMBER defect_qty": _with("defect_qty", "Infinity"),
        "NEGATIVE defect_qty": _with("defect_qty", -1),
        "OUT_OF_RANGE cycle_seconds": _with("cycle_seconds", 10_000_001),
        "SUM_EXCEEDS_TOTAL total_qty": _with("scrap_qty", 1_000_000),
    },
    RecordType.PRODUCTION_ORDER: {
        "NOT_A_NUMBER planned_qty": _with("planned_qty", "about 100"),
        "NEGATIVE planned_seconds": _with("planned_seconds", -60),
    },
    RecordType.EQUIPMENT_STATUS: {
        "MISSING equipment_code": _with("equipment_code", ""),
        "UNKNOWN_STATUS status": _with("status", "ON FIRE"),
        "MISSING duration_seconds": _without("duration_seconds"),
    },
    RecordType.QUALITY: {
        "MISSING defect_type": _with("defect_type", None),
        "NOT_A_NUMBER defect_qty": _with("defect_qty", "two"),
    },
}
_FAULTS = {kind: {**_EVERYWHERE, **faults} for kind, faults in _OF_A_KIND.items()}

KINDS: Mapping[RecordType, tuple[str, ...]] = {kind: tuple(faults) for kind, faults in _FAULTS.items()}
"""The names of the faults that rows of a kind can have."""


def spoilt(kind: RecordType, fault: str, payload: Payload) -> Payload:
    """Give `payload` with one of the faults of its kind."""
    return _FAULTS[kind][fault](payload)


def reason(fault: str) -> str:
    """Give the reason for which the pipeline must set such a row aside."""
    return fault.partition(" ")[0]


REASONS = frozenset(reason(fault) for faults in KINDS.values() for fault in faults)
"""Every reason that there is."""


def faults_for(kind: RecordType, why: str) -> tuple[str, ...]:
    """Give the faults for which rows of a kind are set aside for one reason; none, if they cannot be."""
    return tuple(fault for fault in KINDS[kind] if reason(fault) == why)
