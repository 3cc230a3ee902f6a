-- How many jobs a run has, and how many of them have failed.
SELECT run,
       count(*) AS jobs,
       count(*) FILTER (status IN ('failed', 'integrity_failed')) AS failed
FROM job_statuses
GROUP BY run
