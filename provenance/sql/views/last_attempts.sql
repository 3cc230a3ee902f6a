-- The last attempt of each job of which there is a record.
SELECT *
FROM invocations
QUALIFY row_number() OVER (PARTITION BY run, job ORDER BY attempt DESC, commit_number DESC) = 1
