-- One row for each run that has a state. A run that was taken up again has ended when it ended last.
SELECT run,
       arg_max(state, (commit_order, "at")) AS status,
       min("at") FILTER (state = 'running') AS started,
       CASE
           WHEN arg_max(state, (commit_order, "at")) IN ('succeeded', 'failed', 'incomplete')
           THEN arg_max("at", (commit_order, "at"))
       END AS ended
FROM workflow_states_in_order
GROUP BY run
