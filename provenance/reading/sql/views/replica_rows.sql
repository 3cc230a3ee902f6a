-- Copies of files with what is known of their content.
SELECT r.source, r.file, r.url, r.site, r.state, r.since, r.registered, r.verified, r.size_bytes AS seen_bytes, r.modified_ns,
       r.changed_ns, r.inode, r.device, f.name, f.sha256, f.size_bytes, f.origin, f.job, f.attempt, f.digest_origin,
       f.checksums, f.kind, r.here
FROM replica_states AS r
JOIN files AS f ON f.source = r.source AND f.file = r.file
WHERE r.url IS NOT NULL
