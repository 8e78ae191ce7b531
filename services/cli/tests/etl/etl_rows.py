"""Files to land."""

import json
from pathlib import Path

EXAMPLES = Path(__file__).parents[4] / "examples" / "etl"
SAP, SAP_MAPPING = str(EXAMPLES / "sap" / "confirmations.csv"), str(EXAMPLES / "sap" / "mapping.toml")
MES, MES_MAPPING = str(EXAMPLES / "mes" / "work-orders.csv"), str(EXAMPLES / "mes" / "mapping.toml")
_MAPPING = """
source_type = "MES"
source_system = "mes-1"
record_type = "WORK_ORDER"
external_id = "id"
event_time = "time"

[fields]
line_code = "line"
total_qty = { column = "pieces", kind = "number" }
"""


def csv_file(directory, *lines, encoding="utf-8", times=None):
    """Write lines of id, line and pieces, and a mapping for them; give the path of the file."""
    (directory / "mapping.toml").write_text(_MAPPING)
    with (directory / "rows.csv").open("wb") as file:
        file.write(b"id,line,pieces,time\n")
        for line in lines:
            data = line if isinstance(line, bytes) else line.encode(encoding)
            name = data.split(b",")[0].decode()
            file.write(data + b"," + (times or {}).get(name, "2025-11-14T12:00:00").encode() + b"\n")
    return str(directory / "rows.csv")


def raw_row(external_id, payload=None):
    """A line of NDJSON that is a raw row."""
    return json.dumps(
        {
            "source_type": "SOURCE_TYPE_MES",
            "source_system": "mes-1",
            "record_type": "RECORD_TYPE_WORK_ORDER",
            "external_id": external_id,
            "event_time": "2025-11-14T03:00:00Z",
            "payload": payload or {"line_code": "L1"},
        }
    )
