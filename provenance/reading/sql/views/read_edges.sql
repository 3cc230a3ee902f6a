-- Which job read which file, once for each time that one of its attempts did; a reused job has the edges of its original.
SELECT source AS file_source, file, run, job
FROM uses
WHERE direction = 'read' AND role IN ('input', 'inout', 'checkpoint') AND source IS NOT NULL AND file IS NOT NULL
UNION ALL
SELECT u.source, u.file, r.run, r.job
FROM reused_jobs AS r
JOIN uses AS u ON u.run = r.reused_run AND u.job = r.reused_job
WHERE u.direction = 'read' AND u.role IN ('input', 'inout', 'checkpoint') AND u.source IS NOT NULL AND u.file IS NOT NULL
