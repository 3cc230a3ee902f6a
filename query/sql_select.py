"""One SELECT with its parts."""

from __future__ import annotations

from collections.abc import Sequence

from query.frozen import Frozen, frozen
from query.sql_scope import Scope


@frozen
class Select(Frozen):
    """``where`` is complete, and all expressions over ``scope`` are made, before `sql` is asked."""

    scope: Scope
    where: list[str]

    def sql(self, columns: Sequence[str], tail: str = "") -> str:
        """The whole SELECT of ``columns``; ``tail`` is what comes after WHERE."""
        where = f" WHERE {' AND '.join(self.where)}" if self.where else ""
        return f"SELECT {', '.join(columns)} {self.scope.sql()}{where}{tail}"
