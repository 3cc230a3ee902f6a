-- One row for each file: what it is, where it came from, and whether it can be read.
SELECT f.source, f.file, f.name, f.origin, f.kind, f.size_bytes, f.sha256, coalesce(s.status, 'gone') AS status,
       coalesce(s.sites, []) AS sites, s.verified, f.created, w.run_id, w.name AS workflow, j.id AS job_id, f.attempt, f.commit_number
FROM files AS f
LEFT JOIN file_states AS s ON s.source = f.source AND s.file = f.file
LEFT JOIN workflows AS w ON w.run = f.source
LEFT JOIN jobs AS j ON j.run = f.source AND j.job = f.job
