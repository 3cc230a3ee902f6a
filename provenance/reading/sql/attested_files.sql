-- What the jobs of a run read and wrote, each in its last attempt that succeeded; a reused job's is that of the job it
-- was reused from. One row a name, content, direction and role.
WITH made AS (
    SELECT DISTINCT coalesce(reused_run, run) AS run, coalesce(reused_job, job) AS job FROM jobs WHERE run = $1
),
attempts AS (
    SELECT run, job, max(attempt) AS attempt
    FROM invocations SEMI JOIN made USING (run, job)
    WHERE status = 'succeeded'
    GROUP BY run, job
)
SELECT DISTINCT uses.direction, uses.role, uses.name, uses.sha256, uses.size_bytes, files.kind
FROM uses
JOIN attempts USING (run, job, attempt)
LEFT JOIN files ON files.source = uses.source AND files.file = uses.file
WHERE uses.sha256 IS NOT NULL
ORDER BY ALL
