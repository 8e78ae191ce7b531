-- The facts of one business day, made anew from all rows of that day: one statement, one snapshot, one tenant.
-- Run twice, it writes nothing the second time. Every measure has one kind of row that it comes from:
--   WORK_ORDER        pieces, running time, cycle times, the number of orders
--   PRODUCTION_ORDER  planned pieces and planned time; for a line without any of the day, the calendar tells the time
--   EQUIPMENT_STATUS  down time and setup time
--   QUALITY           defects by type (bi.fact_daily_defect)
WITH {judged_rows},
-- What was open of this day and can be used now, was taken back by its source, or has a newer revision.
released AS (
    UPDATE etl.quarantine
    SET state = CASE WHEN (source_system, record_type, external_id, revision) IN (
            SELECT source_system, record_type, external_id, revision FROM judged WHERE is_good
        ) THEN 'FIXED' ELSE 'SUPERSEDED' END,
        update_time = clock_timestamp()
    WHERE tenant = :tenant AND date = :date AND state = 'OPEN'
      AND (source_system, record_type, external_id, revision) NOT IN (
          SELECT source_system, record_type, external_id, revision FROM judged WHERE NOT is_good AND NOT deleted
      )
    RETURNING 1
),
summed AS (
    SELECT line, product, shift,
           coalesce(sum(total_qty) FILTER (WHERE is_order), 0) AS total_qty,
           coalesce(sum(good_qty) FILTER (WHERE is_order), 0) AS good_qty,
           coalesce(sum(defect_qty) FILTER (WHERE is_order), 0) AS defect_qty,
           coalesce(sum(rework_qty) FILTER (WHERE is_order), 0) AS rework_qty,
           coalesce(sum(scrap_qty) FILTER (WHERE is_order), 0) AS scrap_qty,
           coalesce(sum(planned_qty) FILTER (WHERE is_plan), 0) AS planned_qty,
           coalesce(sum(runtime_seconds) FILTER (WHERE is_order), 0) AS runtime_seconds,
           coalesce(sum(duration_seconds) FILTER (WHERE is_status AND status = 'DOWN'), 0)
               AS downtime_seconds,
           coalesce(sum(duration_seconds) FILTER (WHERE is_status AND status = 'SETUP'), 0)
               AS setup_seconds,
           coalesce(sum(planned_seconds) FILTER (WHERE is_plan), 0) AS planned_seconds,
           coalesce(sum(total_qty * cycle_seconds) FILTER (WHERE is_order), 0) AS cycle_seconds_sum,
           coalesce(sum(total_qty * ideal_cycle_seconds) FILTER (WHERE is_order), 0)
               AS ideal_seconds_sum,
           count(*) FILTER (WHERE is_order) AS work_orders,
           count(*) AS rows
    FROM judged WHERE is_good AND NOT is_defect GROUP BY line, product, shift
),
-- A line of which no order tells planned time has what the calendar plans of each shift in which it ran: once, spread over
-- its products as its running time is, in whole seconds that add up.
aggregated AS MATERIALIZED (
    SELECT line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty, runtime_seconds,
           downtime_seconds, setup_seconds,
           CASE WHEN is_planned OR run_in_all = 0 THEN planned_seconds
                ELSE round(shift_seconds * run_with / run_in_all)
                     - round(shift_seconds * (run_with - runtime_seconds) / run_in_all)
           END AS planned_seconds,
           cycle_seconds_sum, ideal_seconds_sum, work_orders, rows
    FROM (
        SELECT *, sum(planned_seconds) OVER (PARTITION BY line) > 0 AS is_planned,
               sum(runtime_seconds) OVER (PARTITION BY line, shift) AS run_in_all,
               sum(runtime_seconds) OVER (PARTITION BY line, shift ORDER BY product COLLATE "C") AS run_with,
               (:shift_planned_seconds::integer[])[array_position(:shift_codes::text[], shift)] AS shift_seconds
        FROM summed
    ) AS spread
),
-- Where the facts of the day are not what they should be. A full join, which is always one by hashes: whatever the planner
-- believes of a day that it has not seen yet, it does not compare each fact with each.
changed AS MATERIALIZED (
    SELECT made.*, known.line IS NULL AS is_new, made.line IS NULL AS is_gone
    FROM aggregated AS made FULL JOIN (
        SELECT line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty,
               runtime_seconds, downtime_seconds, setup_seconds, planned_seconds, cycle_seconds_sum, ideal_seconds_sum,
               work_orders
        FROM bi.fact_daily_production WHERE tenant = :tenant AND date = :date
    ) AS known USING (line, product, shift)
    WHERE (made.total_qty, made.good_qty, made.defect_qty, made.rework_qty, made.scrap_qty, made.planned_qty,
           made.runtime_seconds, made.downtime_seconds, made.setup_seconds, made.planned_seconds,
           made.cycle_seconds_sum, made.ideal_seconds_sum, made.work_orders)
          IS DISTINCT FROM
          (known.total_qty, known.good_qty, known.defect_qty, known.rework_qty, known.scrap_qty, known.planned_qty,
           known.runtime_seconds, known.downtime_seconds, known.setup_seconds, known.planned_seconds,
           known.cycle_seconds_sum, known.ideal_seconds_sum, known.work_orders)
),
inserted AS (
    INSERT INTO bi.fact_daily_production
        (tenant, date, line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty,
         runtime_seconds, downtime_seconds, setup_seconds, planned_seconds, cycle_seconds_sum, ideal_seconds_sum,
         work_orders, run)
    SELECT :tenant, :date, line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty,
           runtime_seconds, downtime_seconds, setup_seconds, planned_seconds, cycle_seconds_sum, ideal_seconds_sum,
           work_orders, :run
    FROM changed WHERE is_new
    RETURNING 1
),
updated AS (
    INSERT INTO bi.fact_daily_production AS fact
        (tenant, date, line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty,
         runtime_seconds, downtime_seconds, setup_seconds, planned_seconds, cycle_seconds_sum, ideal_seconds_sum,
         work_orders, run)
    SELECT :tenant, :date, line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, planned_qty,
           runtime_seconds, downtime_seconds, setup_seconds, planned_seconds, cycle_seconds_sum, ideal_seconds_sum,
           work_orders, :run
    FROM changed WHERE NOT is_new AND NOT is_gone
    ON CONFLICT (tenant, date, line, product, shift) DO UPDATE
    SET total_qty = excluded.total_qty, good_qty = excluded.good_qty, defect_qty = excluded.defect_qty,
        rework_qty = excluded.rework_qty, scrap_qty = excluded.scrap_qty, planned_qty = excluded.planned_qty,
        runtime_seconds = excluded.runtime_seconds, downtime_seconds = excluded.downtime_seconds,
        setup_seconds = excluded.setup_seconds, planned_seconds = excluded.planned_seconds,
        cycle_seconds_sum = excluded.cycle_seconds_sum, ideal_seconds_sum = excluded.ideal_seconds_sum,
        work_orders = excluded.work_orders, run = excluded.run, update_time = clock_timestamp()
    RETURNING 1
),
removed AS (
    DELETE FROM bi.fact_daily_production AS fact
    WHERE tenant = :tenant AND date = :date
      AND (line, product, shift) NOT IN (SELECT line, product, shift FROM aggregated)
    RETURNING 1
),
defects AS MATERIALIZED (
    SELECT line, product, shift, defect_type, sum(defect_qty) AS defect_qty, count(*) AS rows
    FROM judged WHERE is_good AND is_defect GROUP BY line, product, shift, defect_type
),
written_defects AS (
    INSERT INTO bi.fact_daily_defect AS fact (tenant, date, line, product, shift, defect_type, defect_qty, run)
    SELECT :tenant, :date, line, product, shift, defect_type, defect_qty, :run FROM defects
    ON CONFLICT (tenant, date, line, product, shift, defect_type) DO UPDATE
    SET defect_qty = excluded.defect_qty, run = excluded.run, update_time = clock_timestamp()
    WHERE fact.defect_qty IS DISTINCT FROM excluded.defect_qty
),
removed_defects AS (
    DELETE FROM bi.fact_daily_defect
    WHERE tenant = :tenant AND date = :date
      AND (line, product, shift, defect_type) NOT IN (SELECT line, product, shift, defect_type FROM defects)
),
keys AS MATERIALIZED (
    SELECT line, product, shift FROM aggregated UNION SELECT line, product, shift FROM defects
),
known_date AS (
    INSERT INTO bi.dim_date
    VALUES (:date, extract(year FROM :date::date), extract(quarter FROM :date::date), to_char(:date::date, 'YYYY-MM'),
            to_char(:date::date, 'IYYY-"W"IW'), extract(isodow FROM :date::date))
    ON CONFLICT DO NOTHING
),
known_lines AS (
    INSERT INTO bi.dim_line (tenant, line, inferred)
    SELECT :tenant, line, true FROM keys GROUP BY line ORDER BY line ON CONFLICT DO NOTHING
),
-- Every key of a fact has its member, also '-', which rows of equipment have: a join loses no measure.
known_products AS (
    INSERT INTO bi.dim_product (tenant, product, names, inferred)
    SELECT :tenant, product,
           CASE product WHEN '-' THEN '{"en": "no product", "ko": "제품 없음"}'::jsonb ELSE '{}' END, true
    FROM keys GROUP BY product ORDER BY product ON CONFLICT DO NOTHING
),
known_shifts AS (
    INSERT INTO bi.dim_shift (tenant, shift, inferred)
    SELECT :tenant, shift, true FROM keys GROUP BY shift ORDER BY shift ON CONFLICT DO NOTHING
),
-- Equipment is on the line of its newest row, whichever day is made last and whoever named it first.
known_equipment AS (
    INSERT INTO bi.dim_equipment AS known (tenant, equipment, line, line_time, inferred)
    SELECT :tenant, equipment, newest.line, newest.event_time, true
    FROM (
        SELECT DISTINCT ON (equipment) equipment, line, event_time FROM judged WHERE is_good AND is_status
        ORDER BY equipment, event_time DESC, source_system, external_id
    ) AS newest
    LEFT JOIN (SELECT equipment, line, line_time FROM bi.dim_equipment WHERE tenant = :tenant) AS noted USING (equipment)
    WHERE noted.line_time IS NULL OR noted.line_time < newest.event_time
          OR noted.line_time = newest.event_time AND noted.line <> newest.line
    ORDER BY equipment
    ON CONFLICT (tenant, equipment) DO UPDATE SET line = excluded.line, line_time = excluded.line_time
    WHERE known.line_time IS NULL OR known.line_time <= excluded.line_time
),
counted AS MATERIALIZED (
    SELECT source_system, count(*) AS rows, count(*) FILTER (WHERE deleted) AS deleted_rows,
           count(*) FILTER (WHERE ignored AND NOT deleted) AS ignored_rows,
           count(*) FILTER (WHERE is_good AND is_order) AS work_orders,
           coalesce(sum(total_qty) FILTER (WHERE is_good AND is_order), 0) AS total_qty,
           max(event_time) AS newest_time{rule_counts}
    FROM judged GROUP BY source_system
)
-- What is read is counted over the rows, what is used over the facts, and what is quarantined where it is set aside.
SELECT coalesce(sum(rows), 0)::bigint AS rows_read,
       (SELECT coalesce(sum(rows), 0) FROM aggregated)::bigint + (SELECT coalesce(sum(rows), 0) FROM defects)::bigint
           AS rows_used,
       (SELECT count(*) FROM refused) + coalesce(sum(ignored_rows), 0)::bigint AS rows_quarantined,
       coalesce(sum(deleted_rows), 0)::bigint AS rows_superseded,
       coalesce(sum(work_orders), 0)::bigint AS work_orders,
       coalesce(sum(total_qty), 0) AS total_qty,
       (SELECT count(*) FROM aggregated) AS facts,
       (SELECT count(*) FROM inserted) AS facts_inserted,
       (SELECT count(*) FROM updated) AS facts_updated,
       (SELECT count(*) FROM removed) AS facts_deleted,
       (SELECT ARRAY[sum(total_qty), sum(good_qty), sum(defect_qty), sum(rework_qty), sum(scrap_qty), sum(planned_qty),
                     sum(runtime_seconds), sum(downtime_seconds), sum(setup_seconds), sum(planned_seconds),
                     sum(cycle_seconds_sum), sum(ideal_seconds_sum)] FROM aggregated) AS measures,
       (SELECT count(*) FROM defects) AS defect_facts,
       (SELECT sum(defect_qty) FROM defects) AS defects,
       coalesce(jsonb_object_agg(source_system, extract(epoch FROM newest_time)) FILTER (WHERE source_system <> ''), '{}')
           AS sources{rule_totals}
FROM counted
