"""Raw rows of ERP and MES systems, as they are landed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from millwright_runtime.json import Json


class SourceType(StrEnum):
    """What a row comes from."""

    ERP = "ERP"
    MES = "MES"


class RecordType(StrEnum):
    """What a row is about."""

    WORK_ORDER = "WORK_ORDER"
    PRODUCTION_ORDER = "PRODUCTION_ORDER"
    EQUIPMENT_STATUS = "EQUIPMENT_STATUS"
    QUALITY = "QUALITY"


@dataclass(frozen=True, slots=True)
class Record:
    """One raw row; source system, record type and external id are its natural key."""

    source_type: SourceType
    source_system: str
    record_type: RecordType
    external_id: str
    payload: dict[str, Json]
    event_time: datetime
    source_time: datetime
    deleted: bool = False
