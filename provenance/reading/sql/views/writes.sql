-- Which job wrote which file; a reused job has the edges of its original.
SELECT DISTINCT run, job, file_source, file
FROM write_edges
