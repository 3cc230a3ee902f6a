"""The command line of a step: `pre JOB` or `post JOB RETURN`."""

import os
import sys

from planner.engines.pool.node_step.pool import Pool
from planner.engines.pool.node_step.refused import NEVER


def main(arguments: "list[str]", root: bytes) -> int:
    """One step in the folder ``root``; its exit code."""
    if [arguments[:1], len(arguments)] not in ([["pre"], 2], [["post"], 3]):
        sys.stderr.write("usage: node_step.pyz pre JOB | post JOB RETURN\n")
        return NEVER
    pool, job = Pool(root), int(arguments[1])
    descriptor = pool.lock(job)
    try:
        # Each step imports its own half: a Python of another version has to compile all that it imports.
        if arguments[0] == "pre":
            from planner.engines.pool.node_step.pre import pre

            return pre(pool, job)
        from planner.engines.pool.node_step.post import post

        return post(pool, job, int(arguments[2]))
    finally:
        os.close(descriptor)
