-- One row for each copy of a file that was ever registered (url null: the file itself was retired, copy or no copy).
-- The last event decides. A verification says that the copy is there, which takes back `missing`, but never takes back
-- what was decided about it: quarantined, replaced, removed, retired. The stat is that of bytes that were read and found
-- good: one of damaged bytes would make them pass for unchanged. A path is one of this machine (`here`) if this store itself
-- has said something of it.
SELECT source, file, url,
       bool_or(NOT pulled OR url NOT LIKE 'file:%') AS here,
       arg_max(site, (commit_order, "at")) AS site,
       CASE
           WHEN arg_max(event, (commit_order, "at")) FILTER (event <> 'verified') IN ('registered', 'reinstated') THEN 'ok'
           WHEN arg_max(event, (commit_order, "at")) FILTER (event <> 'verified') = 'missing'
               AND coalesce(max((commit_order, "at")) FILTER (event = 'verified')
                   > max((commit_order, "at")) FILTER (event <> 'verified'), false) THEN 'ok'
           ELSE arg_max(event, (commit_order, "at")) FILTER (event <> 'verified')
       END AS state,
       arg_max("at", (commit_order, "at")) FILTER (event <> 'verified') AS since,
       min("at") FILTER (event = 'registered') AS registered,
       -- A registration that read the bytes knows the inode that it read.
       max("at") FILTER (event IN ('verified', 'reinstated') OR (event = 'registered' AND inode IS NOT NULL)) AS verified,
       arg_max(size_bytes, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS size_bytes,
       arg_max(modified_ns, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS modified_ns,
       arg_max(changed_ns, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS changed_ns,
       arg_max(inode, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS inode,
       arg_max(device, (commit_order, "at")) FILTER (inode IS NOT NULL AND event <> 'quarantined') AS device
FROM replicas_in_order
GROUP BY source, file, url
HAVING bool_or(event = 'registered') OR url IS NULL
