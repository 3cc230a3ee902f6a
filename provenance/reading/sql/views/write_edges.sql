-- Which job wrote which file, maybe more than once; a reused job has the edges of its original.
SELECT source AS run, job, source AS file_source, file
FROM files
WHERE job IS NOT NULL
UNION ALL
SELECT r.run, r.job, f.source, f.file
FROM reused_jobs AS r
JOIN files AS f ON f.source = r.reused_run AND f.job = r.reused_job
