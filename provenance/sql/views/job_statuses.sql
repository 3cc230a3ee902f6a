-- One row for each job: what became of it. An attempt that has ended decides, unless a later one is under way; a job that
-- was to be reused and was started after all counts as one that runs.
WITH last_states AS (
    SELECT run, job,
           arg_max(state, (commit_number, "at")) AS state,
           coalesce(max(attempt) FILTER (state IN ('submitted', 'started')), 0) AS started_attempt
    FROM job_states
    GROUP BY run, job
)
SELECT j.run, j.job,
       CASE
           WHEN s.started_attempt > coalesce(i.attempt, 0) THEN 'running'
           WHEN i.status IS NOT NULL THEN i.status
           WHEN s.state IN ('not_run', 'removed') THEN 'not_run'
           WHEN s.state IS NOT NULL THEN 'running'
           WHEN j.decision = 'reuse' THEN 'reused'
           ELSE 'planned'
       END AS status
FROM jobs AS j
LEFT JOIN last_attempts AS i ON i.run = j.run AND i.job = j.job
LEFT JOIN last_states AS s ON s.run = j.run AND s.job = j.job
