-- One row for each copy of a file: where it is, and whether it can be read.
SELECT source, file, name, url, site, state, since, registered, verified, size_bytes, sha256
FROM replica_rows
