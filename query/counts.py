"""What has to be counted before it can be said: rows that a `not` keeps, that `latest` leaves out or only the id
decides.
"""

from __future__ import annotations

from typing import Literal

from query.context import amount
from query.frozen import Frozen, frozen


@frozen
class Saying(Frozen):
    """A sentence for the asker with a number of ``noun`` (plural) in it, between ``before`` and ``after``."""

    before: str
    noun: str
    after: str
    severity: Literal["note", "warning"]

    def said(self, number: int) -> str:
        """The sentence, for a ``number`` that is not 0."""
        return f"{self.before}{amount(number, self.noun)}{self.after}"


@frozen
class Count(Frozen):
    """A statement whose single number ``saying`` says, unless it is 0."""

    sql: str
    parameters: tuple[object, ...]
    saying: Saying
