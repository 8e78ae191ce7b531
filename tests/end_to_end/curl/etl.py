"""The etl service's cases: one day of a plant, with four work orders, of which two cannot be used."""

import json

from tests.end_to_end.curl.cases import Call, audited, refused

DAY = "2025-06-02"
NOON = f"{DAY}T03:00:00Z"
FACTS = {"filter": {"fromDate": DAY, "toDate": DAY}}


def row(external_id: str, record_type: str, **fields: object) -> dict:
    """Give a row of the MES."""
    payload = {"line_code": "L1", "product_code": "P1", "shift": "A", **fields}
    return {
        "sourceType": "SOURCE_TYPE_MES",
        "sourceSystem": "curl",
        "recordType": f"RECORD_TYPE_{record_type}",
        "externalId": external_id,
        "payload": json.dumps(payload),
        "eventTime": NOON,
    }


def order(external_id: str, total_qty: object) -> dict:
    """Give a row of a work order."""
    return row(external_id, "WORK_ORDER", total_qty=total_qty, good_qty=5, defect_qty=0)


SCRATCHES = row("scratches", "QUALITY", defect_type="scratch", defect_qty=2)
LANDING = (
    Call("IngestService/IngestBatch", {"records": [order("1", 10), order("2", "12,5"), SCRATCHES]}, '"inserted": "3"'),
    Call(
        "IngestService/IngestRecords",
        ({"streamId": "curl", "records": [order("3", "ten")]}, {"offset": 1, "records": [order("4", 5)]}),
        '"acknowledgedOffset": "2"',
    ),
    Call("IngestService/GetIngestOffset", {"streamId": "curl"}, '"acknowledgedOffset": "2"'),
    Call("IngestService/GenerateRecords", {"seed": 1, "fromDate": DAY, "days": 1, "dryRun": True}, '"expected"'),
    refused("IngestService/GetIngestOffset", {"streamId": "none"}, "STREAM_NOT_FOUND"),
)
RUNS = (
    Call("PipelineService/RunPipeline", {"dates": [DAY]}, f'"date": "{DAY}"'),
    Call("PipelineService/WatchRun", {"name": "$runs", "fromSequence": 0}, "STATE_COMPLETED"),
    Call("PipelineService/GetRun", {"name": "$runs"}, "STATE_COMPLETED"),
    Call("PipelineService/ListRuns", {}, "STATE_COMPLETED"),
    Call("PipelineService/ListWindows", {"run": "$runs"}, "STATE_PUBLISHED"),
    Call("PipelineService/ListRunEvents", {"name": "$runs"}, "STATE_RUNNING"),
    Call("PipelineService/CancelRun", {"name": "$runs"}, "STATE_COMPLETED"),
    Call("PipelineService/Backfill", {"fromDate": DAY, "toDate": DAY, "redo": "REDO_ALL"}, '"windowsTotal": 1'),
    Call("PipelineService/WatchRun", {"name": "$runs", "fromSequence": 0}, "STATE_COMPLETED"),
    audited("Backfill", "runs/"),
    refused("PipelineService/RunPipeline", {"pipeline": "none"}, "PIPELINE_NOT_FOUND"),
)
RULES = (
    Call("PipelineService/ListQualityRules", {}, '"builtIn": true'),
    Call(
        "PipelineService/SaveQualityRule",
        {
            "rule": {
                "name": "qualityRules/curl",
                "check": "CHECK_RANGE",
                "field": "total_qty",
                "min": 1,
                "severity": "SEVERITY_INFO",
            }
        },
        "qualityRules/curl",
    ),
)
QUARANTINE = (
    Call("QuarantineService/ListQuarantinedRecords", {}, "NOT_A_NUMBER"),
    Call(
        "QuarantineService/IgnoreRecords",
        {"names": ["$quarantinedRecords"], "note": "a test"},
        '"state": "STATE_IGNORED"',
    ),
    Call("QuarantineService/ListQuarantinedRecords", {}, "NOT_A_NUMBER"),
    Call(
        "QuarantineService/RedriveRecords",
        {"redrives": [{"name": "$quarantinedRecords", "corrections": {"total_qty": 9}}]},
        '"name": "runs/',
    ),
    Call("PipelineService/WatchRun", {"name": "$runs", "fromSequence": 0}, "STATE_COMPLETED"),
)
PRODUCTION = (
    Call("ProductionService/QueryProduction", {**FACTS, "measures": ["MEASURE_TOTAL_QTY"]}, '"value": 24'),
    Call("ProductionService/ListProduction", {**FACTS, "groupBy": ["DIMENSION_LINE"]}, "L1"),
    Call("ProductionService/GetFreshness", {}, f'"completeDate": "{DAY}"'),
    Call("ProductionService/ListDimension", {"dimension": "DIMENSION_LINE"}, '"inferred": true'),
    Call(
        "ProductionService/SaveDimensionMember",
        {"dimension": "DIMENSION_LINE", "member": {"code": "L1", "names": {"en": "Line one"}}},
        "Line one",
    ),
    Call("ProductionService/ListDefects", FACTS, '"defectType": "scratch"'),
    Call("ProductionService/GetPlantCalendar", {}, "Asia/Seoul"),
    Call(
        "ProductionService/SavePlantCalendar",
        {
            "calendar": {
                "timeZone": "Asia/Seoul",
                "dayStart": "06:00",
                "shifts": [{"code": "A", "start": "06:00", "end": "06:00"}],
                "validFrom": "2025-07-01",
            }
        },
        '"dayStart": "06:00"',
    ),
)
CALLS = (*LANDING, *RUNS, *RULES, *QUARANTINE, *PRODUCTION)
