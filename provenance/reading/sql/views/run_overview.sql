-- One row for each run: where it is, when it was, how many jobs it has.
SELECT w.run, w.run_id, w.name AS workflow, w.kind, w.user_name, w.host, w.engine,
       coalesce(s.status, 'planned') AS status, w.planned, s.started, s.ended,
       coalesce(c.jobs, 0) AS jobs, coalesce(c.failed, 0) AS failed, w.submit_dir, w.output_dir, w.commit_number
FROM workflows AS w
LEFT JOIN workflow_statuses AS s ON s.run = w.run
LEFT JOIN job_counts AS c ON c.run = w.run
