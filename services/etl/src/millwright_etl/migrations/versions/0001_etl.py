"""Landed rows, dimensions and facts, runs with their windows, quarantine, quality rules and calendars.

Revision ID: 0001
"""

from __future__ import annotations

from millwright_runtime.postgres import tables
from millwright_runtime.postgres.migrations import execute, service_role

revision = "0001"
down_revision = None

FIELDS = {
    "line": ("line_code", "varchar(63)"),
    "product": ("product_code", "varchar(63)"),
    "shift": ("shift", "text"),
    "equipment": ("equipment_code", "varchar(63)"),
    "status": ("status", "text"),
    "defect_type": ("defect_type", "varchar(63)"),
    "total_qty": ("total_qty", "numeric"),
    "good_qty": ("good_qty", "numeric"),
    "defect_qty": ("defect_qty", "numeric"),
    "rework_qty": ("rework_qty", "numeric"),
    "scrap_qty": ("scrap_qty", "numeric"),
    "planned_qty": ("planned_qty", "numeric"),
    "planned_seconds": ("planned_seconds", "numeric"),
    "runtime_seconds": ("runtime_seconds", "numeric"),
    "duration_seconds": ("duration_seconds", "numeric"),
    "cycle_seconds": ("cycle_seconds", "numeric"),
    "ideal_cycle_seconds": ("ideal_cycle_seconds", "numeric"),
}
"""By column: the field of the payload that it holds, and as what; a scale of numbers would pad them with zeros."""


def _read_once(column: str, field: str, kind: str) -> str:
    """Give a column that holds a field of the payload, read when the row is landed; NULL if it does not fit."""
    payload = "coalesce(payload || corrections, payload)"
    read = f"json_value({payload}, '$.{field}' RETURNING {kind} NULL ON ERROR)"
    return f"{column} {kind} GENERATED ALWAYS AS ({read}) STORED"


COLUMNS = ",\n    ".join(_read_once(column, *field) for column, field in FIELDS.items())

LANDING = f"""
CREATE SCHEMA IF NOT EXISTS core;
CREATE TABLE core.erp_mes_data (
    tenant text NOT NULL,
    source_system text NOT NULL,
    record_type text NOT NULL,
    external_id text NOT NULL,
    source_type text NOT NULL,
    payload jsonb NOT NULL,
    payload_hash bytea NOT NULL,
    event_time timestamptz NOT NULL,
    stated_date date,
    faults jsonb,
    source_time timestamptz NOT NULL,
    deleted boolean NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    corrections jsonb,
    ignored boolean NOT NULL DEFAULT false,
    ingest_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    {COLUMNS},
    PRIMARY KEY (tenant, source_system, record_type, external_id)
);
CREATE INDEX erp_mes_data_event_time ON core.erp_mes_data (tenant, event_time);
CREATE INDEX erp_mes_data_stated_date ON core.erp_mes_data (tenant, stated_date) WHERE stated_date IS NOT NULL;
COMMENT ON TABLE core.erp_mes_data IS 'Rows of ERP and MES systems as they are: the newest of each natural key';
COMMENT ON COLUMN core.erp_mes_data.stated_date IS 'the business day that the payload itself names, if it does';
COMMENT ON COLUMN core.erp_mes_data.faults IS 'what is wrong with dates, times and endless numbers, found at landing';
COMMENT ON COLUMN core.erp_mes_data.corrections IS 'what people have mended of this revision: laid over the payload';
COMMENT ON COLUMN core.erp_mes_data.ignored IS 'people have left this revision out for good';

CREATE TABLE core.erp_mes_data_history (
    tenant text NOT NULL,
    source_system text NOT NULL,
    record_type text NOT NULL,
    external_id text NOT NULL,
    revision integer NOT NULL,
    payload jsonb NOT NULL,
    event_time timestamptz NOT NULL,
    source_time timestamptz NOT NULL,
    deleted boolean NOT NULL,
    ingest_time timestamptz NOT NULL,
    replace_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, source_system, record_type, external_id, revision)
);
COMMENT ON TABLE core.erp_mes_data_history IS 'What rows said before they were corrected';

CREATE TABLE core.ingest_stream (
    tenant text NOT NULL,
    stream_id text NOT NULL,
    acknowledged_offset bigint NOT NULL,
    owner uuid NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, stream_id)
);
CREATE INDEX ingest_stream_update_time ON core.ingest_stream (update_time);

CREATE TABLE core.ingest_report (
    tenant text NOT NULL,
    stream_id text NOT NULL,
    inserted bigint NOT NULL,
    updated bigint NOT NULL,
    unchanged bigint NOT NULL,
    outdated bigint NOT NULL,
    refused bigint NOT NULL,
    refusals jsonb NOT NULL,
    PRIMARY KEY (tenant, stream_id),
    FOREIGN KEY (tenant, stream_id) REFERENCES core.ingest_stream ON DELETE CASCADE
);
COMMENT ON TABLE core.ingest_report IS 'What became of the rows of a stream, whichever connection they came over';
COMMENT ON COLUMN core.ingest_report.refusals IS 'the first rows that were refused, and why';
"""

MEASURES = (
    "total_qty",
    "good_qty",
    "defect_qty",
    "rework_qty",
    "scrap_qty",
    "planned_qty",
    "runtime_seconds",
    "downtime_seconds",
    "setup_seconds",
    "planned_seconds",
    "cycle_seconds_sum",
    "ideal_seconds_sum",
)

BI = f"""
CREATE SCHEMA IF NOT EXISTS bi;
CREATE SCHEMA IF NOT EXISTS bi_parts;
COMMENT ON SCHEMA bi IS 'What BI tools read: facts, dimensions, and views of ratios';
COMMENT ON SCHEMA bi_parts IS 'The partitions of facts by month, so that schema bi has only what is read';
CREATE TABLE bi.dim_date (
    date date PRIMARY KEY,
    year integer NOT NULL,
    quarter integer NOT NULL,
    month text NOT NULL,
    week text NOT NULL,
    weekday integer NOT NULL
);
COMMENT ON COLUMN bi.dim_date.week IS 'ISO 8601, such as 2026-W45';
CREATE TABLE bi.dim_line (
    tenant text, line text, names jsonb NOT NULL DEFAULT '{{}}', inferred boolean NOT NULL, PRIMARY KEY (tenant, line)
);
CREATE TABLE bi.dim_product (
    tenant text, product text, names jsonb NOT NULL DEFAULT '{{}}', inferred boolean NOT NULL,
    PRIMARY KEY (tenant, product)
);
CREATE TABLE bi.dim_shift (
    tenant text, shift text, names jsonb NOT NULL DEFAULT '{{}}', inferred boolean NOT NULL, PRIMARY KEY (tenant, shift)
);
CREATE TABLE bi.dim_equipment (
    tenant text, equipment text, line text, line_time timestamptz, names jsonb NOT NULL DEFAULT '{{}}',
    inferred boolean NOT NULL, PRIMARY KEY (tenant, equipment)
);
COMMENT ON COLUMN bi.dim_equipment.line IS 'by its newest row; NULL if it was named and none has come yet';
COMMENT ON COLUMN bi.dim_equipment.line_time IS 'when that row happened';

CREATE TABLE bi.fact_daily_production (
    tenant text NOT NULL,
    date date NOT NULL,
    line text NOT NULL,
    product text NOT NULL,
    shift text NOT NULL,
    {", ".join(f"{measure} numeric NOT NULL" for measure in MEASURES)},
    work_orders bigint NOT NULL,
    run uuid NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, date, line, product, shift),
    FOREIGN KEY (date) REFERENCES bi.dim_date NOT ENFORCED,
    FOREIGN KEY (tenant, line) REFERENCES bi.dim_line NOT ENFORCED,
    FOREIGN KEY (tenant, product) REFERENCES bi.dim_product NOT ENFORCED,
    FOREIGN KEY (tenant, shift) REFERENCES bi.dim_shift NOT ENFORCED
) PARTITION BY RANGE (date);
COMMENT ON TABLE bi.fact_daily_production IS 'A row a day, line, product and shift: additive measures alone';
COMMENT ON COLUMN bi.fact_daily_production.run IS 'the run that wrote the row as it is';

CREATE TABLE bi.fact_daily_defect (
    tenant text NOT NULL,
    date date NOT NULL,
    line text NOT NULL,
    product text NOT NULL,
    shift text NOT NULL,
    defect_type text NOT NULL,
    defect_qty numeric NOT NULL,
    run uuid NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, date, line, product, shift, defect_type),
    FOREIGN KEY (date) REFERENCES bi.dim_date NOT ENFORCED,
    FOREIGN KEY (tenant, line) REFERENCES bi.dim_line NOT ENFORCED,
    FOREIGN KEY (tenant, product) REFERENCES bi.dim_product NOT ENFORCED,
    FOREIGN KEY (tenant, shift) REFERENCES bi.dim_shift NOT ENFORCED
) PARTITION BY RANGE (date);
"""


def _ratio_view(name: str, period: str) -> str:
    """Give a view of ratios by line and shift: each the ratio of sums over the period (ISO 22400-2)."""
    return f"""
CREATE VIEW bi.{name} WITH (security_invoker = true) AS
SELECT tenant, {period} AS period, line, shift,
       sum(total_qty) AS total_qty, sum(good_qty) AS good_qty, sum(defect_qty) AS defect_qty,
       sum(good_qty) / nullif(sum(total_qty), 0) AS yield,
       sum(defect_qty) / nullif(sum(total_qty), 0) AS defect_rate,
       sum(cycle_seconds_sum) / nullif(sum(total_qty), 0) AS cycle_seconds,
       sum(runtime_seconds) / nullif(sum(planned_seconds), 0) AS availability,
       sum(ideal_seconds_sum) / nullif(sum(runtime_seconds), 0) AS performance,
       sum(good_qty) / nullif(sum(total_qty), 0) AS quality,
       sum(runtime_seconds) / nullif(sum(planned_seconds), 0)
         * sum(ideal_seconds_sum) / nullif(sum(runtime_seconds), 0)
         * sum(good_qty) / nullif(sum(total_qty), 0) AS oee
FROM bi.fact_daily_production JOIN bi.dim_date USING (date) GROUP BY tenant, {period}, line, shift;
"""


VIEWS = (
    _ratio_view("daily_oee", "date")
    + _ratio_view("weekly_oee", "dim_date.week")
    + _ratio_view("monthly_oee", "dim_date.month")
)

RUNS = """
CREATE TABLE etl.dirty (
    tenant text,
    date date,
    id bigint GENERATED ALWAYS AS IDENTITY,
    mark_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, date, id)
);
COMMENT ON TABLE etl.dirty IS 'Business days that changed since their facts were made: landing adds, runs remove';

CREATE TABLE etl.day (
    tenant text NOT NULL,
    pipeline text NOT NULL,
    date date NOT NULL,
    state text NOT NULL,
    run uuid NOT NULL,
    rows_read bigint NOT NULL DEFAULT 0,
    sources jsonb NOT NULL DEFAULT '{}',
    publish_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, pipeline, date)
);
CREATE INDEX day_run ON etl.day (tenant, run);
COMMENT ON TABLE etl.day IS 'How the last run of each business day ended: PUBLISHED or FAILED';
COMMENT ON COLUMN etl.day.sources IS 'the newest event of each source system in the day, in seconds since 1970';
COMMENT ON COLUMN etl.day.publish_time IS 'when its facts were made; NULL if it was never published';

CREATE TABLE etl.run (
    tenant text NOT NULL,
    run uuid NOT NULL,
    pipeline text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    parallel integer NOT NULL,
    code_version text NOT NULL,
    sql_hash text NOT NULL,
    requester text NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    from_date date,
    to_date date,
    windows_total integer NOT NULL,
    windows_done integer NOT NULL DEFAULT 0,
    windows_failed integer NOT NULL DEFAULT 0,
    windows_cancelled integer NOT NULL DEFAULT 0,
    counts text NOT NULL DEFAULT '{}',
    sequence bigint NOT NULL,
    error text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    cancel_time timestamptz,
    PRIMARY KEY (tenant, run)
);
CREATE INDEX run_open ON etl.run (create_time) WHERE state IN ('PENDING', 'RUNNING');
CREATE INDEX run_create_time ON etl.run (tenant, create_time, run);
CREATE INDEX run_end_time ON etl.run (end_time);
COMMENT ON COLUMN etl.run.counts IS 'of all its windows together, JSON';

CREATE TABLE etl.run_window (
    tenant text NOT NULL,
    run uuid NOT NULL,
    pipeline text NOT NULL,
    date date NOT NULL,
    place integer NOT NULL,
    cause text NOT NULL,
    state text NOT NULL DEFAULT 'PENDING',
    counts text NOT NULL DEFAULT '{}',
    quality text NOT NULL DEFAULT '[]',
    reason text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    duration_ms bigint NOT NULL DEFAULT 0,
    owner uuid,
    lease_time timestamptz,
    end_time timestamptz,
    PRIMARY KEY (tenant, run, date),
    FOREIGN KEY (tenant, run) REFERENCES etl.run ON DELETE CASCADE
);
CREATE INDEX run_window_open ON etl.run_window (tenant, run, place) WHERE state IN ('PENDING', 'RUNNING');
CREATE INDEX run_window_date ON etl.run_window (tenant, date) WHERE state IN ('PENDING', 'RUNNING');
CREATE INDEX run_window_end_time ON etl.run_window (tenant, run, end_time);
COMMENT ON COLUMN etl.run_window.lease_time IS 'until when its owner may work on it, on the clock of the database';
"""

QUALITY = """
CREATE TABLE etl.quarantine (
    tenant text NOT NULL,
    quarantined uuid NOT NULL DEFAULT uuidv7(),
    source_system text NOT NULL,
    record_type text NOT NULL,
    external_id text NOT NULL,
    revision integer NOT NULL,
    date date,
    reasons jsonb NOT NULL,
    state text NOT NULL DEFAULT 'OPEN',
    corrections jsonb,
    note text NOT NULL DEFAULT '',
    actor text NOT NULL DEFAULT '',
    run uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, quarantined),
    UNIQUE (tenant, source_system, record_type, external_id, revision)
);
CREATE INDEX quarantine_state ON etl.quarantine (tenant, state, quarantined);
CREATE INDEX quarantine_date ON etl.quarantine (tenant, date);
COMMENT ON TABLE etl.quarantine IS 'Rows that could not be used, by the revision that could not';

CREATE TABLE etl.quality_rule (
    tenant text NOT NULL,
    rule text NOT NULL,
    check_kind text NOT NULL,
    field text NOT NULL DEFAULT '',
    record_type text NOT NULL DEFAULT 'WORK_ORDER',
    min double precision,
    max double precision,
    tolerated_share double precision NOT NULL DEFAULT 0,
    severity text NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    revision bigint NOT NULL DEFAULT 1,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, rule)
);
COMMENT ON TABLE etl.quality_rule IS 'Rules of plants; those that come with the service are here once they are changed';

CREATE TABLE etl.calendar (
    tenant text NOT NULL,
    valid_from date NOT NULL,
    time_zone text NOT NULL,
    day_start time NOT NULL,
    shifts jsonb NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, valid_from)
);
COMMENT ON COLUMN etl.calendar.valid_from IS '-infinity for the calendar that holds from the beginning';
"""

FUNCTIONS = """
CREATE FUNCTION etl.reasons(raw core.erp_mes_data, shift text, shift_codes text[]) RETURNS jsonb
STABLE LANGUAGE sql AS $$
    WITH row AS (SELECT coalesce(raw.payload || raw.corrections, raw.payload) AS payload, raw.record_type AS kind),
    codes (field, kinds) AS (
        VALUES ('line_code', NULL), ('product_code', NULL), ('equipment_code', 'EQUIPMENT_STATUS'),
               ('defect_type', 'QUALITY')
    ),
    numbers (field, kinds, required, most) AS (
        VALUES ('total_qty', 'WORK_ORDER', true, 1e12), ('good_qty', 'WORK_ORDER', true, 1e12),
               ('defect_qty', 'WORK_ORDER', true, 1e12), ('rework_qty', 'WORK_ORDER', false, 1e12),
               ('scrap_qty', 'WORK_ORDER', false, 1e12), ('runtime_seconds', 'WORK_ORDER', false, 1e7),
               ('cycle_seconds', 'WORK_ORDER', false, 1e7), ('ideal_cycle_seconds', 'WORK_ORDER', false, 1e7),
               ('planned_qty', 'PRODUCTION_ORDER', true, 1e12), ('planned_seconds', 'PRODUCTION_ORDER', false, 1e7),
               ('duration_seconds', 'EQUIPMENT_STATUS', true, 1e7), ('defect_qty', 'QUALITY', true, 1e12)
    ),
    found (place, code, field, message) AS (
        SELECT 1, CASE WHEN payload ->> field IS NULL OR text = '' THEN 'MISSING'
                       WHEN text IS NULL THEN 'NOT_A_TEXT' ELSE 'TOO_LONG' END, field,
               field || CASE WHEN length(text) > 63 THEN ' must have at most 63 characters' ELSE ' must be given' END
        FROM row, codes, json_value(payload -> field, '$' RETURNING text NULL ON ERROR) AS text
        WHERE (kinds IS NULL OR kinds = kind) AND (length(text) BETWEEN 1 AND 63) IS NOT TRUE
          -- What equipment does may be about no product.
          AND NOT (kind = 'EQUIPMENT_STATUS' AND field = 'product_code' AND payload ->> field IS NULL)
        UNION ALL
        SELECT 2, CASE WHEN payload ->> 'shift' IS NULL THEN 'MISSING'
                       WHEN jsonb_typeof(payload -> 'shift') IN ('object', 'array') THEN 'NOT_A_TEXT'
                       ELSE 'UNKNOWN_SHIFT' END, 'shift',
               'shift must be one of ' || array_to_string(shift_codes, ', ')
        FROM row WHERE shift IS NULL OR shift <> ALL (shift_codes)
        UNION ALL
        SELECT 3, fault ->> 'code', fault ->> 'field', fault ->> 'message'
        FROM jsonb_array_elements(raw.faults) AS fault
        UNION ALL
        SELECT 4, CASE WHEN payload ->> field IS NULL THEN 'MISSING'
                       WHEN number IS NULL OR number IN ('NaN', 'Infinity', '-Infinity') THEN 'NOT_A_NUMBER'
                       WHEN number < 0 THEN 'NEGATIVE' ELSE 'OUT_OF_RANGE' END, field,
               field || ' must be a number from 0 to ' || most::bigint
        FROM row, numbers, json_value(payload -> field, '$' RETURNING numeric NULL ON ERROR) AS number
        WHERE kinds = kind AND (number BETWEEN 0 AND most) IS NOT TRUE
          AND (required OR payload ->> field IS NOT NULL)
        UNION ALL
        SELECT 5, 'SUM_EXCEEDS_TOTAL', 'total_qty',
               'good_qty, defect_qty and scrap_qty must not exceed total_qty together'
        FROM row
        WHERE kind = 'WORK_ORDER'
          AND CASE WHEN least(raw.total_qty, raw.good_qty, raw.defect_qty, raw.scrap_qty) >= 0
                        AND greatest(raw.total_qty, raw.good_qty, raw.defect_qty, raw.scrap_qty) <= 1e12 THEN
              raw.good_qty + raw.defect_qty + coalesce(raw.scrap_qty, 0) > raw.total_qty END
        UNION ALL
        SELECT 6, 'UNKNOWN_STATUS', 'status', 'status must be RUNNING, DOWN, SETUP or IDLE'
        FROM row
        WHERE kind = 'EQUIPMENT_STATUS' AND coalesce(raw.status, '') NOT IN ('RUNNING', 'DOWN', 'SETUP', 'IDLE')
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'code', code, 'field', field, 'value', coalesce(left(payload ->> field, 200), ''), 'rule', '',
        'message', message
    ) ORDER BY place, field), '[]')
    FROM row, found
$$;
COMMENT ON FUNCTION etl.reasons IS 'Everything that is wrong with a row, for those that the pipeline cannot use';

CREATE FUNCTION bi.ensure_month(day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    month date := date_trunc('month', day);
    fact text;
    part text;
    made integer := 0;
BEGIN
    IF day IS NULL OR day < '1990-01-01' OR day > '2199-12-31' THEN
        RAISE EXCEPTION 'no month of facts: %', day;
    END IF;
    FOREACH fact IN ARRAY ARRAY['fact_daily_production', 'fact_daily_defect'] LOOP
        part := fact || to_char(month, '_YYYYMM');
        CONTINUE WHEN to_regclass(format('bi_parts.%I', part)) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtextextended('etl:months', 0));
        -- A look at the rows: to_regclass still has what it found before it waited.
        CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE (relnamespace, relname) = ('bi_parts'::regnamespace, part));
        -- To attach a table waits for no reader, and no reader waits for it; PARTITION OF would lock everybody out. The
        -- table is empty, so that no constraint is needed for its rows to be known to fit.
        EXECUTE format('CREATE TABLE bi_parts.%I (LIKE bi.%I INCLUDING ALL)', part, fact);
        EXECUTE format('ALTER TABLE bi.%I ATTACH PARTITION bi_parts.%I FOR VALUES FROM (%L) TO (%L)',
                       fact, part, month, month + interval '1 month');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION bi.ensure_month IS 'Makes the partitions of facts of a month that are missing; gives how many';
REVOKE ALL ON FUNCTION bi.ensure_month FROM PUBLIC;
"""

TENANTED = (
    "core.erp_mes_data",
    "core.erp_mes_data_history",
    "core.ingest_stream",
    "core.ingest_report",
    "bi.dim_line",
    "bi.dim_product",
    "bi.dim_shift",
    "bi.dim_equipment",
    "bi.fact_daily_production",
    "bi.fact_daily_defect",
    "etl.dirty",
    "etl.day",
    "etl.run",
    "etl.run_window",
    "etl.quarantine",
    "etl.quality_rule",
    "etl.calendar",
)

# The setting that names the transaction's tenant is the service's. Readers for BI have a policy each, made when they
# are granted (store/bi_readers.py); whatever they set shows them nothing.
SERVICE_ALONE = """
ALTER POLICY tenant ON {table} TO {role}, CURRENT_USER;
"""

GRANTS = """
GRANT USAGE ON SCHEMA core, bi TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA core, bi, etl TO {role};
GRANT EXECUTE ON FUNCTION bi.ensure_month TO {role};
GRANT INSERT, UPDATE ON core.erp_mes_data, core.ingest_stream, core.ingest_report TO {role};
GRANT DELETE ON core.ingest_stream TO {role};
GRANT INSERT ON core.erp_mes_data_history, bi.dim_date TO {role};
GRANT INSERT, UPDATE ON bi.dim_line, bi.dim_product, bi.dim_shift, bi.dim_equipment TO {role};
GRANT INSERT, UPDATE, DELETE ON bi.fact_daily_production, bi.fact_daily_defect TO {role};
GRANT INSERT, DELETE ON etl.dirty TO {role};
GRANT INSERT, UPDATE ON etl.day, etl.run, etl.run_window, etl.quarantine, etl.quality_rule, etl.calendar TO {role};
GRANT DELETE ON etl.run, etl.run_window TO {role};
"""


def upgrade() -> None:
    """Make everything, and let the service's role do no more than it needs."""
    role = service_role()
    for part in (LANDING, BI, VIEWS, RUNS, QUALITY, FUNCTIONS):
        execute(part)
    execute(tables.partitions("etl", role, tables.events_needed("etl")))
    for runtime_tables in (tables.events, tables.requests, tables.audit):
        execute(runtime_tables("etl", role))
    for table in TENANTED:
        execute(tables.tenant_policy(table))
        if table.startswith("bi."):
            execute(SERVICE_ALONE.format(table=table, role=role))
    execute(GRANTS.format(role=role))
