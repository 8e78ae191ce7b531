-- The rows of one business day that cannot be used are set aside, and nothing else happens: for a day that is not
-- published, so that people see why.
WITH {judged_rows}
SELECT count(*) AS rows_refused FROM refused
