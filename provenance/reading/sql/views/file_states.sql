-- One row for each file that ever had a copy: can it be read, and where.
SELECT source, file,
       CASE
           WHEN bool_or(state = 'ok') THEN 'ok'
           WHEN bool_or(state = 'retired') THEN 'retired'
           WHEN bool_or(state = 'quarantined') THEN 'damaged'
           ELSE 'gone'
       END AS status,
       coalesce(list_sort(list(DISTINCT site) FILTER (state = 'ok' AND site IS NOT NULL)), []) AS sites,
       max(verified) FILTER (state = 'ok') AS verified
FROM replica_states
GROUP BY source, file
