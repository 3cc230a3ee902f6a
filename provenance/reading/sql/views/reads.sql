-- Which job read which file; a reused job has the edges of its original.
SELECT DISTINCT file_source, file, run, job
FROM read_edges
