"""What a step says to DAGMan, and why an attempt does not count."""

YES = 0
NO = 1
NEVER = 2


class RefusedError(Exception):
    """The attempt does not count; ``code`` is NO or NEVER. ``altered``: the file of ours that did not reach the worker
    as it was sent; it did not start, and the engine has it sent again.
    """

    def __init__(self, message: str, code: int = NO, altered: "str | None" = None) -> None:
        super().__init__(message)
        self.code = code
        self.altered = altered
