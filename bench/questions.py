"""Questions about files and their metadata, each in five languages, with keys and values taken from the data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import duckdb
from fact_peers import Laid


class Aim(Enum):
    """What a question has to reach."""

    AHEAD = "at least 5 times ahead"
    QUICK = "at most 30 ms"


@dataclass(frozen=True, slots=True)
class Question:
    """``ours`` is a query; ``by_hand`` SQL of DuckDB over the wide table; ``documents`` of PostgreSQL over JSONB;
    ``pairs`` of both peers over key-value pairs. The first column of a list is what all of them are compared by.
    """

    name: str
    aim: Aim
    ours: str
    by_hand: str
    documents: str
    pairs: str

    @property
    def lists(self) -> bool:
        """Whether it lists files, instead of counting them."""
        return "summarize" not in self.ours


@dataclass(frozen=True, slots=True)
class Is:
    """One condition: a key, how it is compared, with what."""

    key: str
    operator: str
    value: str | float

    def ours(self) -> str:
        """As the query language has it."""
        return f"{self.key} {self.operator} " + (
            f'"{self.value}"' if isinstance(self.value, str) else f"{self.value!r}"
        )

    def by_hand(self, files: Laid) -> str:
        """Over the columns of the wide table."""
        form = "text_form" if isinstance(self.value, str) else "float_form"
        return f"{files.columns[self.key]}_{form} {self.operator} {self.value!r}"

    def documents(self) -> str:
        """Containment where GIN finds it, else a comparison of what the document holds."""
        if self.operator == "=":
            value = f'"{self.value}"' if isinstance(self.value, str) else f"{self.value!r}"
            return f"content @> '{{\"{self.key}\": {value}}}'"
        return f"(content ->> '{self.key}')::DOUBLE PRECISION {self.operator} {self.value!r}"

    def pairs(self, files: Laid, alias: str) -> str:
        """On one alias of the table of pairs."""
        column = "text" if isinstance(self.value, str) else "number"
        return f"{alias}.key = {files.number_of(self.key)} AND {alias}.{column} {self.operator} {self.value!r}"


class Questions:
    """All questions about ``files``; values are those of one file, and quantiles."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Laid) -> None:
        self.files = files
        self._connection = connection
        wanted = ", ".join(
            f"{files.columns[key]}_{'float' if key in _NUMBERS else 'text'}_form" for key in (*_NUMBERS, *_TEXTS)
        )
        there = " AND ".join(f"{column}_text_form IS NOT NULL" for column in files.columns.values())
        found = self._one(
            f"SELECT name, lower(hex(sha256)), {wanted} FROM {files.relation} WHERE {there} ORDER BY hash(name) LIMIT 1"
        )
        self.name, self.digest = found[:2]
        self.of: dict[str, Any] = dict(zip((*_NUMBERS, *_TEXTS), found[2:], strict=True))

    def all(self) -> list[Question]:
        """The questions in the order of the report."""
        of, median = self.of, self._quantile("exposure", 0.5)
        site, pi = Is("site", "=", of["site"]), Is("pi", "=", of["pi"])
        low, high = self._quantile("quality", 0.6), self._quantile("quality", 0.6005)
        return [
            self._listed("3 predicates, selective: two texts and a range", pi, Is("night", "=", of["night"]),
                         Is("exposure", ">=", of["exposure"])),
            self._listed("3 predicates, selective: one text, two ranges", pi, Is("exposure", ">", median),
                         Is("quality", ">", self._quantile("quality", 0.99))),
            self._counted("3 predicates, broad: one text, two ranges", site, Is("quality", ">", low),
                          Is("exposure", ">", median)),
            self._counted("3 predicates, broad: two texts, a range", site, Is("instrument", "=", of["instrument"]),
                          Is("quality", ">", low)),
            self._counted("range, 1 in 2 000", Is("quality", ">=", low), Is("quality", "<", high)),
            self._counted("range, half of all", Is("exposure", ">", median)),
            self._missing("missing key and one text", "pi", site),
            self._grouped("group by, 12 groups", "site"),
            self._grouped("group by, 3 650 groups", "night"),
            self._averaged("average by two keys, 60 groups", "quality", "site", "instrument"),
            self._listed("one selective key", Is("serial", "=", of["serial"]), aim=Aim.QUICK),
            self._found("look-up by name", "name", self.name),
            self._found("look-up by digest", "sha256", self.digest),
            self._first("first page, by time", "created", None),
            self._first("first page, by a key", None, "quality"),
            self._first("first page, by a key, of one site", None, "exposure", site),
        ]  # fmt: skip

    def _one(self, sql: str) -> tuple[Any, ...]:
        found = self._connection.execute(sql).fetchone()
        assert found is not None
        return found

    def _quantile(self, key: str, share: float) -> float:
        column = f"{self.files.columns[key]}_float_form"
        return float(self._one(f"SELECT quantile_disc({column}, {share}) FROM {self.files.relation}")[0])

    def _listed(self, name: str, *conditions: Is, aim: Aim = Aim.AHEAD) -> Question:
        hand, documents = self._where(conditions)
        return Question(
            name,
            aim,
            f"files where {' and '.join(each.ours() for each in conditions)}",
            f"SELECT {_SHOWN_BY_HAND} FROM {self.files.relation} WHERE {hand} ORDER BY source, file",
            f"SELECT {_SHOWN} FROM document WHERE {documents} ORDER BY id",
            f"SELECT {_OF_FILE} {self._joined(conditions)} ORDER BY f.id",
        )

    def _counted(self, name: str, *conditions: Is) -> Question:
        hand, documents = self._where(conditions)
        return Question(
            name,
            Aim.AHEAD,
            f"files where {' and '.join(each.ours() for each in conditions)} summarize count(*)",
            f"SELECT count(*) FROM {self.files.relation} WHERE {hand}",
            f"SELECT count(*) FROM document WHERE {documents}",
            f"SELECT count(*) {self._pairs(conditions)}",
        )

    def _missing(self, name: str, key: str, condition: Is) -> Question:
        column = self.files.columns[key]
        absent = f"SELECT 1 FROM pair p WHERE p.id = p0.id AND p.key = {self.files.number_of(key)}"
        return Question(
            name,
            Aim.AHEAD,
            f"files where {key} is missing and {condition.ours()} summarize count(*)",
            f"SELECT count(*) FROM {self.files.relation} "
            f"WHERE {column}_text_form IS NULL AND {condition.by_hand(self.files)}",
            f"SELECT count(*) FROM document WHERE NOT content ? '{key}' AND {condition.documents()}",
            f"SELECT count(*) {self._pairs([condition])} AND NOT EXISTS ({absent})",
        )

    def _grouped(self, name: str, key: str) -> Question:
        column = self.files.columns[key]
        return Question(
            name,
            Aim.AHEAD,
            f"files where {key} is present summarize count(*) by {key}",
            f"SELECT {column}_text_form, count(*) FROM {self.files.relation} WHERE {column}_text_form IS NOT NULL "
            "GROUP BY 1 ORDER BY 1",
            f"SELECT content ->> '{key}', count(*) FROM document WHERE content ->> '{key}' IS NOT NULL "
            "GROUP BY 1 ORDER BY 1",
            f"SELECT text, count(*) FROM pair WHERE key = {self.files.number_of(key)} GROUP BY 1 ORDER BY 1",
        )

    def _averaged(self, name: str, key: str, one: str, other: str) -> Question:
        value, first, second = (self.files.columns[each] for each in (key, one, other))
        a, b, c = (self.files.number_of(each) for each in (one, other, key))
        return Question(
            name,
            Aim.AHEAD,
            f"files summarize avg({key}) by {one}, {other}",
            f"SELECT {first}_text_form, {second}_text_form, avg({value}_float_form) FROM {self.files.relation} "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            f"SELECT content ->> '{one}', content ->> '{other}', avg((content ->> '{key}')::DOUBLE PRECISION) "
            "FROM document GROUP BY 1, 2 ORDER BY 1, 2",
            "SELECT a.text, b.text, avg(c.number) FROM pair a JOIN pair b ON b.id = a.id JOIN pair c ON c.id = a.id "
            f"WHERE a.key = {a} AND b.key = {b} AND c.key = {c} GROUP BY 1, 2 ORDER BY 1, 2",
        )

    def _found(self, name: str, field: str, value: str) -> Question:
        by_hand = f"unhex('{value}')" if field == "sha256" else f"'{value}'"
        return Question(
            name,
            Aim.QUICK,
            f'files where {field} = "{value}"',
            f"SELECT {_SHOWN_BY_HAND} FROM {self.files.relation} WHERE {field} = {by_hand} ORDER BY source, file",
            f"SELECT {_SHOWN} FROM document WHERE {field} = '{value}' ORDER BY id",
            f"SELECT {_SHOWN} FROM file WHERE {field} = '{value}' ORDER BY id",
        )

    def _first(self, name: str, field: str | None, key: str | None, *conditions: Is) -> Question:
        """The 20 greatest; where a key is missing it is not among them."""
        hand, documents = self._where(conditions)
        sort = field or f"{self.files.columns[key or '']}_float_form"
        order, limit = f"{sort} DESC NULLS LAST, source, file", "LIMIT 20"
        if key is None:
            pairs = f"SELECT {_SHOWN} FROM file ORDER BY {field} DESC, id {limit}"
        else:
            sorted_by = f"JOIN pair s ON s.id = p0.id AND s.key = {self.files.number_of(key)}"
            joined = f"{self._pairs(conditions)} ORDER BY s.number DESC, s.id {limit}"
            inner = f"SELECT s.id, s.number {joined}".replace(" WHERE", f" {sorted_by} WHERE", 1)
            if not conditions:
                inner = (
                    f"SELECT s.id, s.number FROM pair s WHERE s.key = {self.files.number_of(key)} "
                    f"AND s.number IS NOT NULL ORDER BY s.number DESC, s.id {limit}"
                )
            pairs = f"SELECT {_OF_FILE} FROM ({inner}) s JOIN file f ON f.id = s.id ORDER BY s.number DESC, s.id"
        by_document = field or f"(content ->> '{key}')::DOUBLE PRECISION"
        condition = f" where {' and '.join(each.ours() for each in conditions)}" if conditions else ""
        return Question(
            name,
            Aim.QUICK,
            f"files{condition} order by {field or key} desc limit 20",
            f"SELECT {_SHOWN_BY_HAND} FROM {self.files.relation} WHERE {hand} ORDER BY {order} {limit}",
            f"SELECT {_SHOWN} FROM document WHERE {documents} ORDER BY {by_document} DESC NULLS LAST, id {limit}",
            pairs,
        )

    def _where(self, conditions: tuple[Is, ...]) -> tuple[str, str]:
        by_hand = " AND ".join(each.by_hand(self.files) for each in conditions) or "true"
        return by_hand, " AND ".join(each.documents() for each in conditions) or "true"

    def _pairs(self, conditions: tuple[Is, ...] | list[Is]) -> str:
        """Two conditions on one key are one range."""
        aliases: dict[str, str] = {}
        for each in conditions:
            aliases.setdefault(each.key, f"p{len(aliases)}")
        tables = [f"pair {alias}" if alias == "p0" else f"JOIN pair {alias} ON {alias}.id = p0.id"
                  for alias in aliases.values()]  # fmt: skip
        where = " AND ".join(each.pairs(self.files, aliases[each.key]) for each in conditions)
        return f"FROM {' '.join(tables)} WHERE {where}"

    def _joined(self, conditions: tuple[Is, ...]) -> str:
        return self._pairs(conditions).replace(" WHERE", " JOIN file f ON f.id = p0.id WHERE", 1)


_NUMBERS, _TEXTS = ("exposure", "quality", "serial"), ("site", "instrument", "pi", "night")
_SHOWN = "name, size_bytes, sha256, created"
_OF_FILE = "f.name, f.size_bytes, f.sha256, f.created"
_SHOWN_BY_HAND = "name, size_bytes, sha256, created, origin, field_status"
