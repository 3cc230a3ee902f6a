-- The table `files` with what came to be known of their content later: the first sha256 counts, checksums add up.
-- {files} and {file_digests} are the rows of the tables.
SELECT f.* REPLACE (
    coalesce(f.sha256, d.sha256) AS sha256,
    coalesce(f.size_bytes, d.size_bytes) AS size_bytes,
    coalesce(f.digest_origin, d.digest_origin) AS digest_origin,
    coalesce(f.checksum_seconds, d.checksum_seconds) AS checksum_seconds,
    list_sort(list_distinct(list_concat(f.checksums, d.checksums))) AS checksums
)
FROM {files} AS f
LEFT JOIN (
    SELECT source, file,
           arg_min(sha256, (commit_order, "at")) AS sha256,
           arg_min(size_bytes, (commit_order, "at")) AS size_bytes,
           arg_min(digest_origin, (commit_order, "at")) AS digest_origin,
           arg_min(checksum_seconds, (commit_order, "at")) AS checksum_seconds,
           flatten(list(checksums) FILTER (checksums IS NOT NULL)) AS checksums
    FROM {file_digests}
    GROUP BY source, file
) AS d ON d.source = f.source AND d.file = f.file
