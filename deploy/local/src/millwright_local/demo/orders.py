"""Work orders as a plant's MES has them: of a line and a business day, in pieces."""

import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from millwright.etl.v1.record_pb2 import RECORD_TYPE_WORK_ORDER, SOURCE_TYPE_MES, Record

PLANT_TIME = ZoneInfo("Asia/Seoul")
DAY_BEGINS = timedelta(hours=6)


def yesterday() -> date:
    """Give the last business day that is over at the plant."""
    return (datetime.now(PLANT_TIME) - DAY_BEGINS).date() - timedelta(days=1)


def work_order(external_id: str, line: str, day: date, *, total: int | str, good: int, defect: int) -> Record:
    """Give a work order of the morning shift of a day, at noon."""
    quantities = {"total_qty": total, "good_qty": good, "defect_qty": defect}
    payload = {"line_code": line, "product_code": "P01", "shift": "A", **quantities}
    record = Record(
        source_type=SOURCE_TYPE_MES,
        source_system="mes-1",
        record_type=RECORD_TYPE_WORK_ORDER,
        external_id=external_id,
        payload=json.dumps(payload),
    )
    record.event_time.FromDatetime(datetime(day.year, day.month, day.day, 12, tzinfo=PLANT_TIME))
    return record
