-- The last attempt of each job of which there is a record.
SELECT * EXCLUDE (commit_order, pulled)
FROM invocations_in_order
QUALIFY row_number() OVER (PARTITION BY run, job ORDER BY attempt DESC, commit_order DESC) = 1
