"""Where along the pipeline bytes can go bad, and who has to notice it there."""

from __future__ import annotations

from enum import StrEnum

from planner.job_choices import PROTECTION


class Point(StrEnum):
    """When a fault happens."""

    REPLICA = "replica"  # to the copy that a job is to read, before its attempt begins
    AFTER_STAGE_IN = "after-stage-in"  # once the input is in the work folder, before it is verified
    BEFORE_EXEC = "before-exec"  # after the input was verified, before the command starts
    BETWEEN_JOBS = "between-jobs"  # to an intermediate, after the job that made it and before the one that reads it
    DURING_JOB = "during-job"  # to an input, while the command reads it
    BEFORE_STAGE_OUT = "before-stage-out"  # to an output, after it was hashed and before it is moved to its place
    STAGED_OUT = "staged-out"  # to an output in its place, before the next job reads it there
    AT_REST = "at-rest"  # to a file that nobody uses, until an audit reads it

    @property
    def levels(self) -> tuple[str, ...]:
        """The protection levels that make a difference there: those of the attempt that then reads the file."""
        return ("guard",) if self in (Point.BEFORE_STAGE_OUT, Point.AT_REST) else PROTECTION

    @property
    def is_of_outputs(self) -> bool:
        """Whether the file is one that a job made."""
        return self in (Point.BETWEEN_JOBS, Point.BEFORE_STAGE_OUT, Point.STAGED_OUT)
