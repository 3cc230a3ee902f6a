-- One row for each copy of a file that was ever registered (url null: the file itself was retired, copy or no copy).
-- The last event decides. A verification says that the copy is there, which takes back `missing`, but never takes back
-- what was decided about it: quarantined, replaced, removed, retired. Bytes that were found bad stay bad until they are
-- read and found good: a registration that read nothing (it knows no inode) does not take that back, whatever was
-- decided in between, here or in another store. The stat is that of bytes that were read and found good: one of damaged
-- bytes would make them pass for unchanged. A path is one of this machine (`here`) if this store itself has said
-- something of it.
SELECT source, file, url,
       bool_or(NOT pulled OR url NOT LIKE 'file:%') AS here,
       arg_max(site, (commit_order, "at")) AS site,
       CASE
           WHEN arg_max(event, (commit_order, "at")) FILTER (event <> 'verified') IN ('registered', 'reinstated') THEN
               CASE
                   WHEN coalesce(
                       max((commit_order, "at")) FILTER (event = 'quarantined')
                           > max((commit_order, "at")) FILTER (event IN ('registered', 'reinstated') AND inode IS NOT NULL),
                       bool_or(event = 'quarantined')
                   ) THEN 'quarantined'
                   ELSE 'ok'
               END
           WHEN arg_max(event, (commit_order, "at")) FILTER (event <> 'verified') = 'missing'
               AND coalesce(max((commit_order, "at")) FILTER (event = 'verified')
                   > max((commit_order, "at")) FILTER (event <> 'verified'), false) THEN 'ok'
           ELSE arg_max(event, (commit_order, "at")) FILTER (event <> 'verified')
       END AS state,
       arg_max("at", (commit_order, "at")) FILTER (event <> 'verified') AS since,
       min("at") FILTER (event = 'registered') AS registered,
       max("at") FILTER (event = 'verified' OR (event IN ('registered', 'reinstated') AND inode IS NOT NULL)) AS verified,
       arg_max(size_bytes, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS size_bytes,
       arg_max(modified_ns, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS modified_ns,
       arg_max(changed_ns, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS changed_ns,
       arg_max(inode, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS inode,
       arg_max(device, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS device
FROM replicas_in_order
GROUP BY source, file, url
HAVING bool_or(event = 'registered') OR url IS NULL
