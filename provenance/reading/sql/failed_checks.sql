-- Checks that failed while jobs ran or files were staged, oldest first; of one run if $1 is not null. One that a later
-- success of the same job has made good, of a file that has no copy to look at any more, is left out. What was wrong
-- stays true of a run; of the data as they are now (no run), a copy that was given up since is wrong no more, nor is a
-- place of no known file (an executable) at which what was expected later was found. What was allowed to be missing (no
-- finding class) did not fail.
SELECT c.file_source, c.file, c.url, c.name, c.stage, coalesce(c.finding, 'content-mismatch') AS finding, c.expected_sha256,
       c.actual_sha256, c.expected_size_bytes, c.actual_size_bytes, c."at", c.run
FROM checks_in_order AS c
LEFT JOIN last_attempts AS a ON a.run = c.run AND a.job = c.job
WHERE c.verdict <> 'ok'
  AND NOT (c.verdict = 'missing' AND c.finding IS NULL)
  AND c.stage IN ('stage-in', 'pre-exec', 'post-exec', 'stage-out')
  AND ($1::BIGINT IS NULL OR c.run = $1)
  AND NOT (c.url IS NULL AND coalesce(a.status = 'succeeded', false))
  AND NOT EXISTS (
      FROM checks_in_order AS later
      WHERE later.url = c.url AND later.verdict = 'ok' AND later.commit_order > c.commit_order
        AND (later.file_source = c.file_source AND later.file = c.file
             OR $1::BIGINT IS NULL AND later.file_source IS NULL AND c.file_source IS NULL)
  )
  AND ($1::BIGINT IS NOT NULL OR NOT EXISTS (
      FROM replica_rows AS r
      WHERE r.source = c.file_source AND r.file = c.file AND r.url = c.url
        AND r.state IN ('replaced', 'removed', 'retired')
  ))
ORDER BY c."at", c.source, c.number
