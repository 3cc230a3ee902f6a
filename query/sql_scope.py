"""FROM: the rows of an entity under the alias ``e``, and the joins that the expressions about them turn out to need.

No join multiplies rows: metadata is joined one key at a time (scalars only; lists are asked with IN), and a many-to-one
path is a sub-select of the other entity, which exports the columns that are used.
"""

from __future__ import annotations

from collections.abc import Callable

from query.sql_binder import Binder
from query.vocabulary import Entity, EntityTable, Field, Vocabulary

METADATA_STRUCT = (
    "{'key': key, 'position': position, 'written': written, 'written_type': written_type, 'text_form': text_form}"
)


class Scope:
    """The FROM clause of one SELECT about ``entity``."""

    def __init__(self, vocabulary: Vocabulary, binder: Binder, entity: Entity) -> None:
        self.vocabulary = vocabulary
        self.binder = binder
        self.entity = entity
        self.table: EntityTable = vocabulary.table(entity)
        self._joins: set[str] = set()
        self._metadata: dict[str, str] = {}
        self._shown: dict[str | None, str] = {}
        self._paths: dict[str, tuple[str, Scope, dict[str, str]]] = {}

    def key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return tuple(f"e.{column}" for column in self.table.key)

    def along(self, path: tuple[str, ...], expression: Callable[[Scope], str]) -> str:
        """``expression`` of the row that ``path`` leads to; null where it leads to none."""
        if not path:
            return expression(self)
        alias, child, exports = self._path(path[0])
        sql = child.along(path[1:], expression)
        column = exports.setdefault(sql, f"c{len(exports) + 1}")
        return f"{alias}.{column}"

    def field(self, name: str) -> str:
        """A built-in field."""
        found: Field = self.table.fields[name]
        self._joins.update(found.joins)
        return f"({found.sql})"

    def whole(self, name: str) -> str | None:
        """The integer that a built-in field is, null where it is none; None: it never is one."""
        found: Field = self.table.fields[name]
        self._joins.update(found.joins)
        return f"({found.whole})" if found.whole else None

    def metadata(self, key: str) -> str:
        """What stands before the name of a form of the scalar value of a metadata key: an alias and a point, or the
        alias of the row and the first part of a column's name.
        """
        if key in self.table.columns:
            return self._column(key)
        if key not in self._metadata:
            self._metadata[key] = self.binder.name("m")
        return f"{self._metadata[key]}."

    def shown_metadata(self, key: str | None) -> str:
        """The metadata of the row as a list of structs: of one key, or, for None, of all."""
        if key is not None and key in self.table.columns:
            return self._shown_column(key)
        if key not in self._shown:
            self._shown[key] = self.binder.name("v")
        return f"{self._shown[key]}.content"

    def metadata_rows(self, key: str, condition: Callable[[str], str]) -> str:
        """A condition on the row: one of the values of ``key`` fulfils ``condition``, which is given what stands before
        the name of a form.
        """
        if key in self.table.columns:
            return f"coalesce({condition(self._column(key))}, FALSE)"
        one, two = self._metadata_key()
        return f"(({one}, {two}) IN (SELECT m.source, m.number FROM {self._values(key)} AND {condition('m.')}))"

    def has_value(self, key: str) -> str:
        """A condition on the row: it has a value of ``key``, or a list of them, which may be empty."""
        if key in self.table.columns:
            return f"({self._column(key)}text_form IS NOT NULL)"
        return self.metadata_rows(
            key, lambda before: f"({before}text_form IS NOT NULL OR {before}position IS NOT NULL)"
        )

    def path_key(self, name: str) -> tuple[str, ...]:
        """The key of the thing that the many-to-one path ``name`` leads to, null where there is none."""
        self._joins.update(self.table.path_joins.get(name, ()))
        return self.table.paths[name][1]

    def in_order(self) -> bool:
        """Whether rows come in the order of their keys: joined to nothing, as they are found. After all expressions."""
        joined = self._joins or self._metadata or self._shown or self._paths
        return self.table.in_order and not self.table.order and not joined

    def sql(self) -> str:
        """The FROM clause: call it after all expressions have been made."""
        own = [text for name, text in self.table.joins.items() if name in self._joins]
        return " ".join([f"FROM {self.table.sql} AS e", *own, *self._metadata_joins(), *self._path_joins()])

    def _path(self, name: str) -> tuple[str, Scope, dict[str, str]]:
        if name not in self._paths:
            self.path_key(name)
            child = Scope(self.vocabulary, self.binder, self.table.paths[name][0])
            self._paths[name] = (self.binder.name("p"), child, {})
        return self._paths[name]

    def _column(self, key: str) -> str:
        return f"e.{self.table.columns[key]}_"

    def _shown_column(self, key: str) -> str:
        column = self._column(key)
        # What was written is the text form, unless it was a null, which is shown as one.
        return (
            f"CASE WHEN {column}values > 0 THEN [{{'key': {self.binder.bind(key, 'VARCHAR')}, "
            f"'position': NULL::BIGINT, 'written': {column}text_form, 'written_type': {column}written_type, "
            f"'text_form': {column}text_form}}] END"
        )

    def _metadata_key(self) -> tuple[str, str]:
        assert self.table.metadata_key is not None, f"{self.entity.value} have no metadata"
        return self.table.metadata_key

    def _values(self, key: str | None) -> str:
        entity = self.binder.bind(self.table.metadata, "VARCHAR")
        rows = f"{self.vocabulary.metadata_sql()} AS m WHERE m.entity = {entity}"
        return rows if key is None else f"{rows} AND m.key = {self.binder.bind(key, 'VARCHAR')}"

    def _metadata_joins(self) -> list[str]:
        joins = []
        forms = "m.text_form, m.integer_form, m.float_form, m.boolean_form, m.time_form, m.written_type"
        for key, alias in self._metadata.items():
            select = f"SELECT m.source, m.number, {forms} FROM {self._values(key)} AND m.position IS NULL"
            joins.append(self._left_join(select, alias))
        for shown, alias in self._shown.items():
            content = f"list({METADATA_STRUCT} ORDER BY key, position) AS content"
            select = f"SELECT m.source, m.number, {content} FROM {self._values(shown)} GROUP BY m.source, m.number"
            joins.append(self._left_join(select, alias))
        return joins

    def _left_join(self, select: str, alias: str) -> str:
        one, two = self._metadata_key()
        return f"LEFT JOIN ({select}) AS {alias} ON {alias}.source = {one} AND {alias}.number = {two}"

    def _path_joins(self) -> list[str]:
        joins = []
        for name, (alias, child, exports) in self._paths.items():
            key = [f"{column} AS k{number}" for number, column in enumerate(child.key())]
            columns = [f"{sql} AS {column}" for sql, column in exports.items()]
            on = " AND ".join(f"{alias}.k{number} = {sql}" for number, sql in enumerate(self.path_key(name)))
            joins.append(f"LEFT JOIN (SELECT {', '.join([*key, *columns])} {child.sql()}) AS {alias} ON {on}")
        return joins
