"""Planner passes, a module each: every pass takes a plan and returns a new one."""
