-- What leads to the files ($1, $2), and what follows from them. Walks on ids with UNION, so that no path is walked twice
-- and cycles end. Jobs that were reused made nothing: the edges are those of the jobs that really ran.
WITH RECURSIVE
    r AS MATERIALIZED (
        SELECT DISTINCT source, file, run, job FROM uses
        WHERE direction = 'read' AND role IN ('input', 'inout', 'checkpoint') AND source IS NOT NULL AND file IS NOT NULL
    ),
    w AS MATERIALIZED (SELECT source AS run, job, file FROM files WHERE job IS NOT NULL),
    seeds AS (SELECT unnest($1::BIGINT[]) AS source, unnest($2::BIGINT[]) AS file),
    up(source, file) AS (
        SELECT source, file FROM seeds
        UNION
        SELECT r.source, r.file
        FROM up
        JOIN w ON w.run = up.source AND w.file = up.file
        JOIN r ON r.run = w.run AND r.job = w.job
    ),
    down(source, file) AS (
        SELECT source, file FROM seeds
        UNION
        SELECT w.run, w.file
        FROM down
        JOIN r ON r.source = down.source AND r.file = down.file
        JOIN w ON w.run = r.run AND w.job = r.job
    ),
    makers AS (SELECT DISTINCT w.run, w.job FROM w JOIN up ON w.run = up.source AND w.file = up.file),
    readers AS (SELECT DISTINCT r.run, r.job FROM r JOIN down ON r.source = down.source AND r.file = down.file)
SELECT 'read' AS edge, source, file, run, job FROM r SEMI JOIN up USING (source, file) SEMI JOIN makers USING (run, job)
UNION
SELECT 'write', run, file, run, job FROM w SEMI JOIN (SELECT source AS run, file FROM up) AS u USING (run, file)
UNION
SELECT 'read', source, file, run, job FROM r SEMI JOIN down USING (source, file)
UNION
SELECT 'write', run, file, run, job
FROM w SEMI JOIN (SELECT source AS run, file FROM down) AS d USING (run, file) SEMI JOIN readers USING (run, job)
