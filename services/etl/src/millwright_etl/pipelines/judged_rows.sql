-- The rows of one business day, each with whether it can be used. What the columns hold was read when the row was landed
-- (core.erp_mes_data), so that a cell that cannot be read is NULL here, and ends nothing.
judged AS MATERIALIZED (
    -- What is asked of every row comes first: the rest of a row that does not matter is not taken apart.
    SELECT NOT deleted AND NOT ignored AND (
               line <> '' AND product <> '' AND shift = ANY (:shift_codes::text[]) AND faults IS NULL
               AND CASE record_type
                   WHEN 'WORK_ORDER' THEN
                       -- Each number is looked at before some are added: of numbers of any size there may be no sum. The
                       -- least and the greatest pass over what is not given; the greatest of all is NaN.
                       CASE WHEN least(total_qty, good_qty, defect_qty, rework_qty, scrap_qty,
                                       runtime_seconds, cycle_seconds, ideal_cycle_seconds) >= 0
                                 AND greatest(total_qty, good_qty, defect_qty, rework_qty, scrap_qty) <= 1e12
                                 AND greatest(0, runtime_seconds, cycle_seconds, ideal_cycle_seconds) <= 1e7 THEN
                           good_qty + defect_qty + coalesce(scrap_qty, 0) <= total_qty END
                       AND (rework_qty IS NOT NULL OR payload ->> 'rework_qty' IS NULL)
                       AND (scrap_qty IS NOT NULL OR payload ->> 'scrap_qty' IS NULL)
                       AND (runtime_seconds IS NOT NULL OR payload ->> 'runtime_seconds' IS NULL)
                       AND (cycle_seconds IS NOT NULL OR payload ->> 'cycle_seconds' IS NULL)
                       AND (ideal_cycle_seconds IS NOT NULL OR payload ->> 'ideal_cycle_seconds' IS NULL)
                   WHEN 'PRODUCTION_ORDER' THEN
                       planned_qty BETWEEN 0 AND 1e12
                       AND (planned_seconds BETWEEN 0 AND 1e7
                            OR planned_seconds IS NULL AND payload ->> 'planned_seconds' IS NULL)
                   WHEN 'EQUIPMENT_STATUS' THEN
                       equipment <> '' AND status IN ('RUNNING', 'DOWN', 'SETUP', 'IDLE')
                       AND duration_seconds BETWEEN 0 AND 1e7
                   WHEN 'QUALITY' THEN defect_type <> '' AND defect_qty BETWEEN 0 AND 1e12
                   ELSE false
               END{rule_conditions}) IS TRUE AS is_good,
           deleted, ignored, is_order, is_plan, is_status, is_defect, event_time, source_system, total_qty, line, product,
           shift, good_qty, defect_qty, rework_qty, scrap_qty, runtime_seconds, cycle_seconds, ideal_cycle_seconds,
           planned_qty, planned_seconds, duration_seconds, status, equipment, defect_type, record_type, external_id,
           revision{rule_columns}
    FROM (
        SELECT source_system, record_type, external_id, revision, event_time, deleted,
               ignored, faults, record_type = 'WORK_ORDER' AS is_order,
               record_type = 'PRODUCTION_ORDER' AS is_plan, record_type = 'EQUIPMENT_STATUS' AS is_status,
               record_type = 'QUALITY' AS is_defect, coalesce(payload || corrections, payload) AS payload, line,
               CASE WHEN record_type = 'EQUIPMENT_STATUS'
                         AND coalesce(payload || corrections, payload) ->> 'product_code' IS NULL THEN '-'
                    ELSE product END AS product,
               -- A shift that is there and cannot be read is no missing one: it is not made up from the time.
               coalesce(shift, CASE WHEN event_time < :end_time
                                         AND coalesce(payload || corrections, payload) ->> 'shift' IS NULL THEN
                   (:shift_codes::text[])[width_bucket(event_time, :shift_begins::timestamptz[])] END) AS shift,
               equipment, status, defect_type, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty,
               planned_seconds, runtime_seconds, duration_seconds, cycle_seconds, ideal_cycle_seconds
        FROM core.erp_mes_data
        WHERE tenant = :tenant
          AND (stated_date = :date OR stated_date IS NULL AND event_time >= :begin_time AND event_time < :end_time)
    ) AS row
),
refused AS MATERIALIZED (
    SELECT judged.*, etl.reasons(one.raw, judged.shift, :shift_codes::text[]){rule_reasons} AS reasons
    FROM judged
    -- One by one, each by its key: joined in any other way, all rows of the plant could be read for the sake of a few.
    CROSS JOIN LATERAL (
        SELECT raw FROM core.erp_mes_data AS raw
        WHERE raw.tenant = :tenant AND raw.source_system = judged.source_system
          AND raw.record_type = judged.record_type AND raw.external_id = judged.external_id
        LIMIT 1
    ) AS one
    WHERE NOT judged.is_good AND NOT judged.deleted AND NOT judged.ignored
),
quarantined AS (
    INSERT INTO etl.quarantine AS kept
        (tenant, source_system, record_type, external_id, revision, date, reasons, state, run)
    SELECT :tenant, source_system, record_type, external_id, revision, :date, reasons, 'OPEN', :run FROM refused
    ON CONFLICT (tenant, source_system, record_type, external_id, revision) DO UPDATE
    SET reasons = excluded.reasons, date = excluded.date, run = excluded.run, state = 'OPEN',
        update_time = clock_timestamp()
    WHERE (kept.reasons, kept.date, kept.state) IS DISTINCT FROM (excluded.reasons, excluded.date, excluded.state)
    RETURNING 1
)
