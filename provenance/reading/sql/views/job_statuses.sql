-- One row for each job: what became of it, and how often it was tried. An attempt that has ended decides, unless a later one
-- is under way; a job that was to be reused and was started after all counts as one that runs. The engine can say of an attempt
-- that it failed: when there is no record that does, or not all that the record says could be made true; it adds that nothing can be
-- done where that was because what it was to start from did not arrive as it was sent. What befalls jobs on a
-- pool is no verdict on them, and may become known later than one.
WITH last_states AS (
    SELECT run, job,
           arg_max(state, (commit_order, "at")) AS state,
           arg_max(state, (commit_order, "at")) FILTER (state NOT IN ('held', 'released', 'evicted', 'removed')) AS verdict,
           coalesce(max(attempt) FILTER (state IN ('submitted', 'started')), 0) AS started_attempt,
           coalesce(max(attempt) FILTER (state = 'failed'), 0) AS failed_attempt
    FROM job_states_in_order
    GROUP BY run, job
)
SELECT j.run, j.job,
       CASE
           WHEN s.verdict = 'failed' AND s.failed_attempt >= coalesce(i.attempt, 0) THEN 'failed'
           WHEN s.verdict = 'unrecoverable' AND s.failed_attempt > coalesce(i.attempt, 0) THEN 'integrity_failed'
           WHEN s.started_attempt > coalesce(i.attempt, 0) THEN 'running'
           WHEN i.status IS NOT NULL THEN i.status
           WHEN s.state IN ('not_run', 'removed') THEN 'not_run'
           WHEN s.state IS NOT NULL THEN 'running'
           WHEN j.decision = 'reuse' THEN 'reused'
           ELSE 'planned'
       END AS status,
       greatest(coalesce(i.attempt, 0), coalesce(s.failed_attempt, 0)) AS attempts
FROM jobs AS j
LEFT JOIN last_attempts AS i ON i.run = j.run AND i.job = j.job
LEFT JOIN last_states AS s ON s.run = j.run AND s.job = j.job
