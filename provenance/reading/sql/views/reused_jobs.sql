-- Jobs that did not run, and the ones that they were reused from.
SELECT run, job, reused_run, reused_job
FROM jobs
WHERE reused_run IS NOT NULL
  AND decision = 'reuse'
  AND NOT EXISTS (FROM invocations AS i WHERE i.run = jobs.run AND i.job = jobs.job)
