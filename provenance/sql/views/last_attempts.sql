-- The last attempt of each job that has one, and how many there were.
SELECT *, count(*) OVER (PARTITION BY run, job) AS attempts
FROM invocations
QUALIFY row_number() OVER (PARTITION BY run, job ORDER BY attempt DESC, commit_number DESC) = 1
