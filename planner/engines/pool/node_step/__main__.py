"""Starts a step from the archive in a run folder: ``python3 -I -S node_step.pyz pre JOB | post JOB RETURN``."""

import os
import sys

if __name__ == "__main__":
    HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder that the archive is in
    sys.path.append(os.path.join(HERE, "kickstart.pyz"))  # the wrapper's modules, as they are on workers
    from planner.engines.pool.node_step.command_line import main

    sys.exit(main(sys.argv[1:], os.fsencode(HERE)))
