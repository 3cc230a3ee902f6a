-- Checks that failed while jobs ran or files were staged, oldest first; of one run if $1 is not null. One that a later
-- success of the same job has made good, of a file that has no copy to look at any more, is left out.
SELECT c.file_source, c.file, c.url, c.name, c.stage, coalesce(c.finding, 'content-mismatch') AS finding, c.expected_sha256,
       c.actual_sha256, c.expected_size_bytes, c.actual_size_bytes, c."at", c.run
FROM checks AS c
LEFT JOIN last_attempts AS a ON a.run = c.run AND a.job = c.job
WHERE c.verdict <> 'ok'
  AND c.stage IN ('stage-in', 'pre-exec', 'post-exec', 'stage-out')
  AND ($1::BIGINT IS NULL OR c.run = $1)
  AND NOT (c.url IS NULL AND coalesce(a.status = 'succeeded', false))
  AND NOT EXISTS (
      FROM checks AS later
      WHERE later.file_source = c.file_source AND later.file = c.file AND later.url = c.url
        AND later.verdict = 'ok' AND later.commit_number > c.commit_number
  )
ORDER BY c."at", c.source, c.number
