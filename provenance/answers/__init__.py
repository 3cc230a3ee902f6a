"""Questions to a store and what is answered: queries, SQL, lineage, facts of one thing, the state of runs."""
