"""What keeps an attempt from being made or from succeeding, and the exit statuses that say so."""

EXIT_SUCCEEDED = 0
EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTEGRITY = 3
EXIT_UNRECORDED = 4
CODE_NOT_RUNNABLE = 126  # as shells have it: found, but it cannot be run
CODE_NOT_FOUND = 127


class UnusableError(Exception):
    """The job description cannot be used; the message names the key."""


class UnrecordedError(Exception):
    """No record can be written: there is one, another wrapper is at work on it, or the disk refuses."""


class UnreadableError(Exception):
    """A file's bytes could not be read whole, or moved while they were read; never the ground for a digest."""


class StoppedError(Exception):
    """The wrapper was told to stop, and its patience is over."""


class OverranError(StoppedError):
    """The job's time was over."""


class UnpreparedError(Exception):
    """The command could not be started; ``exit_code`` is what a shell would have said, or None."""

    def __init__(self, message: str, exit_code: "int | None" = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
