-- One row for each job: what became of it, with its last attempt of which there is a record.
SELECT j.run, j.job, w.run_id, w.name AS workflow, j.id AS job_id, j.name AS transformation, s.status, s.attempts, j.decision,
       j.reason, i.host, i.started, i.ended, i.duration_seconds, i.cpu_seconds, i.max_rss_bytes, i.exit_code, i.signal, i.failure,
       j.commit_number
FROM jobs AS j
LEFT JOIN workflows AS w ON w.run = j.run
LEFT JOIN job_statuses AS s ON s.run = j.run AND s.job = j.job
LEFT JOIN last_attempts AS i ON i.run = j.run AND i.job = j.job
