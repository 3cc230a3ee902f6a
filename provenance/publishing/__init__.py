"""How rows become a commit, whoever else writes; and how small segments become one."""
