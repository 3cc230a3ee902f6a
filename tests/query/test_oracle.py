"""The second opinion: a plain evaluator over Python rows, against the SQL, on generated stores and generated queries.

It shares the parser and nothing else: names, forms, missing values, arithmetic, walks and order are done again here,
as the language's description says, row by row.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import math
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from query import tree
from query.compile import compile_query, without_each
from query.errors import QueryMeaningError
from query.parse import parse

UTC = dt.UTC
DAY = dt.datetime(2026, 5, 1, tzinfo=UTC)

# ---- the store ------------------------------------------------------------------------------------------------------

# Written, integer form, float form, bool form, time form.
POOL: list[tuple[str | None, int | None, float | None, bool | None, dt.datetime | None]] = [
    ("raw", None, None, None, None),
    ("flat", None, None, None, None),
    ("", None, None, None, None),
    ("Größe_1", None, None, None, None),
    ("a%b", None, None, None, None),
    ("10", 10, 10.0, None, None),
    ("9", 9, 9.0, None, None),
    ("010", 10, 10.0, None, None),
    ("-7", -7, -7.0, None, None),
    ("0", 0, 0.0, None, None),
    ("1.10", None, 1.1, None, None),
    ("10.0", None, 10.0, None, None),
    ("-3.5", None, -3.5, None, None),
    ("1e3", None, 1000.0, None, None),
    ("nan", None, math.nan, None, None),
    ("inf", None, math.inf, None, None),
    ("9007199254740993", 9007199254740993, 9007199254740992.0, None, None),
    ("9007199254740992.0", None, 9007199254740992.0, None, None),
    ("9223372036854775807", 9223372036854775807, 9223372036854775808.0, None, None),
    ("9223372036854775808.0", None, 9223372036854775808.0, None, None),
    ("true", None, None, True, None),
    ("false", None, None, False, None),
    ("2026-05-01", None, None, None, DAY),
    ("2026-05-31T23:59:59Z", None, None, None, dt.datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC)),
    ("2026-04", None, None, None, dt.datetime(2026, 4, 1, tzinfo=UTC)),
    (None, None, None, None, None),
]
NUMBERS = [value for value in POOL if value[2] is not None]
TIMES = [value for value in POOL if value[4] is not None]
BOOLS = [value for value in POOL if value[3] is not None]
KEYS = {"mixed": POOL, "other": POOL, "n": NUMBERS, "n2": NUMBERS, "t": TIMES, "flag": BOOLS + POOL[:2]}
JOB_KEYS = {"mixed": POOL, "n": NUMBERS}


def metadata_row(entity: str, source: int, number: int, key: str, value: Any, position: int | None) -> dict[str, Any]:
    text, integer, double, boolean, time = value
    return {
        "entity": entity, "source": source, "number": number, "key": key, "position": position, "written": text,
        "written_type": "null" if text is None else "untyped", "text_form": text, "integer_form": integer,
        "float_form": double, "boolean_form": boolean, "time_form": time,
    }  # fmt: skip


@st.composite
def stores(draw: st.DrawFn) -> dict[str, Any]:
    """Up to 7 files and 4 jobs of 2 runs, with any edges between them, cycles included."""
    jobs = [
        {
            "run": 1 + number % 2, "job": number, "id": f"j{number}",
            "transformation": draw(st.sampled_from(["isr", "align", None])),
            "status": draw(st.sampled_from(["succeeded", "failed"])),
            "attempts": draw(st.sampled_from([None, 0, 1, 2, 9223372036854775807])),
            "exit_code": draw(st.sampled_from([None, 0, 1])),
            "ended": draw(st.sampled_from([None, DAY, DAY + dt.timedelta(hours=30)])),
            "duration": draw(st.sampled_from([None, 0.5, 3600.0, 7200.0])),
            "max_rss": draw(st.sampled_from([None, 0, 1024, 2000])),
            "retried": draw(st.sampled_from([None, True, False])),
            "load": draw(st.sampled_from([None, 0.5, 1.0, math.nan, -2.0])),
        }
        for number in range(1, draw(st.integers(1, 4)) + 1)
    ]  # fmt: skip
    files, metadata = [], []
    for number in range(1, draw(st.integers(1, 7)) + 1):
        producer = draw(st.sampled_from([None, *jobs]))
        files.append({
            "source": 5, "file": number, "run": producer and producer["run"], "job": producer and producer["job"],
            "id": f"f{number}", "name": draw(st.sampled_from(["a.fits", "b.fits", "B.txt", "x[1].fits", "100%_done"])),
            "size": draw(st.sampled_from([None, 0, 10, 1024, 9007199254740993])),
            "sha256": draw(st.sampled_from([None, b"\x01" * 32, b"\xab" * 32])),
            "created": draw(st.sampled_from([DAY, DAY - dt.timedelta(days=3), DAY + dt.timedelta(hours=23)])),
            "origin": "raw" if producer is None else "produced",
            "status": draw(st.sampled_from(["ok", "gone"])),
            "sites": draw(st.sampled_from([None, [], ["tape"], ["tape", "disk"]])),
        })  # fmt: skip
        for key, pool in KEYS.items():
            if draw(st.booleans()):
                metadata.append(metadata_row("file", 5, number, key, draw(st.sampled_from(pool)), None))
        items = draw(st.none() | st.lists(st.sampled_from(POOL), max_size=3) | st.sampled_from(POOL))
        if isinstance(items, tuple):
            metadata.append(metadata_row("file", 5, number, "tags", items, None))
        elif items is not None:
            for position, item in enumerate(items):
                metadata.append(metadata_row("file", 5, number, "tags", item, position))
            if not items:
                metadata.append(metadata_row("file", 5, number, "tags", POOL[-1], -1))
    for job in jobs:
        for key, pool in JOB_KEYS.items():
            if draw(st.booleans()):
                metadata.append(metadata_row("job", job["run"], job["job"], key, draw(st.sampled_from(pool)), None))
    pairs = [(file["source"], file["file"], job["run"], job["job"]) for file in files for job in jobs]
    workflows = [{"run": run, "id": f"w{run}", "name": "coadd", "status": "failed", "started": DAY} for run in (1, 2)]
    return {
        "files": files, "jobs": jobs, "workflows": workflows, "metadata": metadata,
        "reads": draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)),
        "writes": draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)),
    }  # fmt: skip


# ---- the queries ----------------------------------------------------------------------------------------------------

NUMBER_TEXTS = ["9", "10", "1.1", "-3.5", "0", "1000", "9007199254740992", "9007199254740993", "9223372036854775807",
                "9223372036854775808", "1e300", "10.0", "-7", "0.1"]  # fmt: skip
TEXT_TEXTS = ['"raw"', '"10"', '""', '"Größe_1"', '"1.10"', '"true"', '"a%b"', '"succeeded"', '"a.fits"', '"tape"']
TIME_TEXTS = ["2026-05-01", "2026-05", "2026-05-01T00:00:00Z", "now", "2026-04", "2026-05-01T12:00:00+02:00"]
BOOL_TEXTS = ["true", "false"]
GLOBS = ['"*"', '"r*"', '"?.fits"', '"[ab]*"', '"*[!a]"', '"100%_*"', '"x[[]1].fits"', '"*ö*"', '""', '"??"']
REGEXES = [r"/^r/", r"/\d+/", r"/[A-Z]/", r"/1\.1|raw/", r"/^$/"]
COMPARISONS = ["=", "!=", "<", "<=", ">", ">="]
FILE_META = ["mixed", "other", "n", "n2", "t", "flag"]


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


def pick(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


ops = st.sampled_from(COMPARISONS)
optional_not = st.sampled_from(["", "not"])
numeric = pick("n", "n2", "mixed", "size", "job.attempts", "job.duration", "job.load", "job.max_rss", "job.meta.n")
any_literal = st.sampled_from(NUMBER_TEXTS + TEXT_TEXTS + TIME_TEXTS + BOOL_TEXTS)
meta_field = st.sampled_from([*FILE_META, "job.meta.mixed"])
arithmetic = st.recursive(
    numeric | st.sampled_from(["2", "3", "0.5", "-4", "0", "9007199254740993"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=4,
)
lists = st.lists(any_literal, min_size=1, max_size=4).map(lambda items: f"({', '.join(items)})")
number_lists = st.lists(st.sampled_from(NUMBER_TEXTS), min_size=1, max_size=4).map(
    lambda items: f"({', '.join(items)})"
)
text_lists = st.lists(st.sampled_from(TEXT_TEXTS), min_size=1, max_size=3).map(lambda items: f"({', '.join(items)})")

leaves = st.one_of(
    joined(meta_field, ops, any_literal),
    joined(any_literal, ops, meta_field),
    joined(meta_field, ops, meta_field),
    joined(numeric, ops, st.sampled_from(NUMBER_TEXTS)),
    joined(arithmetic, ops, arithmetic),
    joined(pick("t", "created", "job.ended"), ops, st.sampled_from(TIME_TEXTS)),
    joined(pick("created", "job.ended"), ops, pick("t", "created", "now - 40 days", "created + 1 day", "t - 1 h")),
    joined(pick("created - t", "job.ended - created", "now - t"), ops, pick("1 day", "0 s", "30 h", "job.duration")),
    joined(pick("name", "status", "job.status", "job.transformation"), ops, pick('"a.fits"', '"ok"', "other", "name")),
    joined(pick("sha256"), pick("=", "!="), pick('"' + "ab" * 32 + '"', '"' + "01" * 32 + '"')),
    joined(meta_field, optional_not, pick("in"), lists),
    joined(numeric, optional_not, pick("in"), number_lists),
    joined(pick("name", "job.status", "mixed"), optional_not, pick("in"), text_lists),
    joined(numeric, optional_not, pick("in"), pick("0..10", "-3.5..1000", "9..9223372036854775807")),
    joined(pick("t", "created"), optional_not, pick("in"), pick("2026-05", "2026-04..2026-05", "2026-05-01..now")),
    joined(numeric, optional_not, pick("between"), arithmetic, pick("and"), arithmetic),
    joined(pick("mixed", "name", "other", "job.transformation"), optional_not, pick("like"), st.sampled_from(GLOBS)),
    joined(pick("mixed", "name", "other"), optional_not, pick("matches"), st.sampled_from(REGEXES)),
    joined(
        pick("mixed", "tags", "n", "size", "sites", "job.meta.n", "job.attempts", "n + n2", "created - t", "nowhere"),
        pick("is missing", "is present", "is not missing"),
    ),
    joined(pick("tags", "mixed"), optional_not, pick("has"), any_literal),
    joined(pick("tags"), optional_not, pick("has any", "has all"), lists),
    joined(pick("sites"), optional_not, pick("has", "has any", "has all"), pick('"tape"', '("tape", "disk")')),
    pick("flag", "job.retried", "mixed", "job.retried = flag", "nowhere = 1", 'nowhere != "x"'),
)
job_leaves = st.one_of(
    joined(pick("attempts", "n", "mixed", "duration"), ops, st.sampled_from(NUMBER_TEXTS)),
    joined(pick("status"), ops, pick('"failed"')),
    pick("retried", 'workflow.id = "w1"', 'part of (workflows where id = "w2")'),
)
steps = pick("", "within 1 step", "within 2..3 steps", "within 3 steps")
file_sets = joined(pick("(files where"), leaves, pick(")"))
job_sets = joined(pick("(jobs where"), job_leaves, pick(")"))
relations = st.one_of(
    joined(pick("upstream of", "downstream of"), file_sets | job_sets, steps),
    joined(pick("produced by", "consumed by", "inputs of", "outputs of"), job_sets),
    joined(pick("with the content of"), file_sets),
    pick('produced by (workflows where id = "w1")', "produced by (jobs where consuming (files where size > 5))"),
)


def connected(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " and ".join(parts) + ")"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " or ".join(parts) + ")"),
        inner.map(lambda part: f"not ({part})"),
    )


conditions = st.recursive(leaves | relations, connected, max_leaves=4)
orders = st.lists(
    joined(pick("size", "n", "t", "mixed", "created", "n + 1", "job.load", "name"), pick("asc", "desc")),
    min_size=1,
    max_size=2,
).map(lambda parts: "order by " + ", ".join(parts))
clauses = st.lists(
    st.one_of(
        orders,
        pick("limit 1", "limit 2", "limit 3"),
        joined(
            pick("latest 1 per", "latest 2 per"),
            pick("name", "status, name", "n", "job.status"),
            pick("by created", "by n"),
        ),
        joined(pick("limit 4 where", "order by size where"), leaves),
    ),
    max_size=3,
).map(" ".join)
file_operands = joined(pick("files where"), conditions)
queries = st.one_of(
    joined(file_operands, clauses),
    joined(pick("jobs where"), job_leaves, pick("", "order by duration desc limit 2")),
    joined(
        pick("jobs where"),
        pick("consuming", "producing", "upstream of", "downstream of"),
        file_sets,
        pick("", "limit 1"),
    ),
    joined(pick("workflows containing (files where"), leaves, pick(")")),
    joined(pick("workflows where producing (files where"), leaves, pick(")")),
    joined(file_operands, pick("union", "intersect", "minus"), file_operands),
    joined(pick("("), file_operands, clauses, pick(") where"), leaves),
)

# ---- the evaluator --------------------------------------------------------------------------------------------------

Forms = dict[str, Any]


class Oracle:
    """Answers a tree from plain rows."""

    def __init__(self, store: dict[str, Any], now: dt.datetime, fields: dict[str, dict[str, Any]]) -> None:
        self.store = store
        self.now = now
        self.fields = fields

    # ---- sets --------------------------------------------------------------------------------------------------------

    def answer(self, query: tree.Query) -> list[tuple[int, ...]]:
        return [self.key(entity, row) for entity, row in self.query(query)[0]]

    def query(self, query: tree.Query) -> tuple[list[tuple[str, Any]], list[tree.Sort]]:
        rows, sorts = self.rows(query.rows)
        for clause in query.clauses:
            match clause:
                case tree.Where():
                    rows = [row for row in rows if self.holds(clause.condition, row)]
                case tree.Order():
                    sorts = [*clause.sorts, *sorts]
                    rows = self.sorted(rows, sorts)
                case tree.Limit():
                    assert isinstance(clause.count, int)
                    rows = rows[: clause.count]
                case tree.Latest():
                    rows = self.latest(rows, clause)
        return rows, sorts

    def rows(self, node: Any) -> tuple[list[tuple[str, Any]], list[tree.Sort]]:
        if isinstance(node, tree.Operand):
            sorts: list[tree.Sort] = []
            if isinstance(node.source, tree.Nested):
                rows, sorts = self.query(node.source.query)
            else:
                name = node.source.name
                rows = self.sorted([(name, row) for row in self.store[name]], [])
                if node.source.relation is not None:
                    rows = [row for row in rows if self.holds(node.source.relation, row)]
            return [row for row in rows if node.where is None or self.holds(node.where, row)], sorts
        sets = [self.rows(operand)[0] for operand in node.operands]
        found = sets[0]
        for other in sets[1:]:
            keys = {self.key(*row) for row in other}
            if node.operator == "union":
                found = found + [row for row in other if self.key(*row) not in {self.key(*each) for each in found}]
            else:
                found = [row for row in found if (self.key(*row) in keys) == (node.operator == "intersect")]
        return self.sorted(found, []), []

    def key(self, entity: str, row: Any) -> tuple[int, ...]:
        names = {"files": ("source", "file"), "jobs": ("run", "job"), "workflows": ("run",)}[entity]
        return tuple(row[name] for name in names)

    def sorted(self, rows: list[Any], sorts: list[tree.Sort]) -> list[Any]:
        rows = sorted(rows, key=lambda row: self.key(*row))
        for sort in reversed(sorts):
            keyed = [(self.order_key(sort.operand, row, rows), row) for row in rows]
            present = [pair for pair in keyed if pair[0] is not None]
            present.sort(key=lambda pair: pair[0], reverse=bool(sort.descending))
            rows = [row for _, row in present] + [row for key, row in keyed if key is None]
        return rows

    def order_key(self, node: Any, row: Any, rows: list[Any]) -> Any:
        forms = self.value(node, row)
        if isinstance(node, tree.Name) and node.parts[-1].text in KEYS:
            form = self.sorting_form(node.parts[-1].text)
        else:
            form = next((each for each in ("number", "time", "text") if each in forms), None)
        value = forms.get(form) if form else None
        return None if isinstance(value, float) and math.isnan(value) else value

    def sorting_form(self, key: str) -> str:
        values = [value for value in self.store["metadata"]
                  if value["entity"] == "file" and value["key"] == key and value["text_form"] is not None]  # fmt: skip
        if values and all(value["float_form"] is not None for value in values):
            return "number"
        return "time" if values and all(value["time_form"] is not None for value in values) else "text"

    def latest(self, rows: list[Any], clause: tree.Latest) -> list[Any]:
        groups: dict[Any, list[Any]] = {}
        for row in rows:
            key = []
            for name in clause.per:
                forms = self.value(name, row)
                meta = name.parts[-1].text in KEYS
                key.append(forms.get("text") if meta or "text" in forms else next(iter(forms.values()), None))
            if None not in key:
                groups.setdefault(tuple(key), []).append(row)
        chosen = []
        for group in groups.values():
            # Newest first, ties by the greater id: sort ascending by id, reverse, then stably by value.
            group.sort(key=lambda row: self.key(*row), reverse=True)
            keyed = [(self.order_key(clause.by, row, rows), row) for row in group]
            present = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=True)
            ordered = [row for _, row in present] + [row for key, row in keyed if key is None]
            chosen += ordered[: clause.count or 1]
        keys = {self.key(*row) for row in chosen}
        return [row for row in rows if self.key(*row) in keys]

    # ---- conditions --------------------------------------------------------------------------------------------------

    def holds(self, node: Any, row: Any) -> bool:
        match node:
            case tree.And():
                return all(self.holds(operand, row) for operand in node.operands)
            case tree.Or():
                return any(self.holds(operand, row) for operand in node.operands)
            case tree.Not():
                return not self.holds(node.operand, row)
            case tree.Compare():
                return self.compare(node.operator, node.left, node.right, row)
            case tree.Between():
                return self.ranged(node.operand, node.low, node.high, node.negated, row)
            case tree.In(choices=tree.Range(low=low, high=high)):
                return self.ranged(node.operand, low, high, node.negated, row)
            case tree.In():
                bounds = node.choices.bounds if isinstance(node.choices, tree.Choices) else [node.choices]
                if node.negated:
                    return all(self.compare("!=", node.operand, bound, row) for bound in bounds)
                return any(self.compare("=", node.operand, bound, row) for bound in bounds)
            case tree.Like() | tree.Matches():
                text = self.value(node.operand, row).get("text")
                if text is None:
                    return False
                if isinstance(node, tree.Like):
                    return fnmatch.fnmatchcase(text, node.pattern.value) != node.negated
                return (re.search(node.pattern.source, text) is not None) != node.negated
            case tree.Is():
                return self.missing(node.operand, row) == node.missing
            case tree.Has():
                return self.has(node, row)
            case tree.Relation():
                return self.key(*row) in self.related(row[0], node)
            case _:
                return self.value(node, row).get("bool") is True

    def ranged(self, operand: Any, low: Any, high: Any, negated: bool, row: Any) -> bool:
        if negated:
            return self.compare("<", operand, low, row) or self.compare(">", operand, high, row)
        return self.compare(">=", operand, low, row) and self.compare("<=", operand, high, row)

    def compare(self, operator: str, left: Any, right: Any, row: Any) -> bool:
        one, other = self.value(left, row), self.value(right, row)
        for form in ("number", "time", "bool", "text", "digest"):
            if form in one and form in other:
                return self.ordered(operator, form, one, other)
        return False

    def ordered(self, operator: str, form: str, one: Forms, other: Forms) -> bool:
        left, right = one[form], other[form]
        if form == "time" and "end" in other:
            start, end = right, other["end"]
            return {"=": start <= left < end, "!=": not start <= left < end, "<": left < start, ">=": left >= start,
                    "<=": left < end, ">": left >= end}[operator]  # fmt: skip
        if form == "time" and "end" in one:
            flipped = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}[operator]
            return self.ordered(flipped, form, other, one)
        return {"=": left == right, "!=": left != right, "<": left < right, "<=": left <= right, ">": left > right,
                ">=": left >= right}[operator]  # fmt: skip

    def missing(self, node: Any, row: Any) -> bool:
        if isinstance(node, tree.Name):
            values = self.list_of(node, row)
            return values is None
        return not self.value(node, row)

    def has(self, node: tree.Has, row: Any) -> bool:
        values = self.list_of(node.operand, row)
        if values is None:
            return False
        bounds = node.choices.bounds if isinstance(node.choices, tree.Choices) else [node.choices]
        found = []
        for bound in bounds:
            wanted = self.value(bound, row)
            form = next(each for each in ("number", "time", "bool", "text") if each in wanted)
            found.append(any(form in value and self.ordered("=", form, value, wanted) for value in values))
        return (all(found) if node.quantifier == "all" else any(found)) != node.negated

    # ---- values ------------------------------------------------------------------------------------------------------

    def value(self, node: Any, row: Any) -> Forms:
        """The forms of a value; empty: missing (or a list)."""
        match node:
            case tree.Quantity():
                units = {None: 1, "s": 1, "h": 3600, "day": 86400, "days": 86400}
                number = float(node.number) if set(node.number) & set(".e") else int(node.number)
                return {"number": number * units[node.unit]}
            case tree.Text():
                return {"text": node.value, "digest": node.value}
            case tree.Boolean():
                return {"bool": node.value}
            case tree.Now():
                return {"time": self.now}
            case tree.Time():
                return self.time(node.written)
            case tree.Sign():
                return self.arithmetic(node.operator, {"number": 0}, self.value(node.operand, row))
            case tree.Arithmetic():
                return self.arithmetic(node.operator, self.value(node.left, row), self.value(node.right, row))
            case tree.Name():
                values = self.list_of(node, row)
                return values[0] if isinstance(values, tuple) else {}
            case _:
                raise AssertionError(node)

    def time(self, written: str) -> Forms:
        if len(written) == 7:
            year, month = int(written[:4]), int(written[5:])
            return {"time": dt.datetime(year, month, 1, tzinfo=UTC), "end": dt.datetime(year, month + 1, 1, tzinfo=UTC)}
        if len(written) == 10:
            start = dt.datetime.fromisoformat(written).replace(tzinfo=UTC)
            return {"time": start, "end": start + dt.timedelta(days=1)}
        return {"time": dt.datetime.fromisoformat(written)}

    def arithmetic(self, operator: str, one: Forms, other: Forms) -> Forms:
        if "time" in one and "time" in other:
            return {"number": (one["time"] - other["time"]).total_seconds()}
        if "time" in one and "number" in other:
            try:
                moved = dt.timedelta(seconds=other["number"])
            except OverflowError:
                return {}  # further than 64 bits of microseconds reach
            return {"time": one["time"] + moved if operator == "+" else one["time"] - moved}
        if "number" not in one or "number" not in other:
            return {}
        result = self.calculated(operator, one["number"], other["number"])
        return {} if result is None else {"number": result}

    def calculated(self, operator: str, left: Any, right: Any) -> Any:
        try:
            if operator == "/":
                result: Any = float(left) / float(right)
            elif isinstance(left, int) and isinstance(right, int):
                result = {"+": left + right, "-": left - right, "*": left * right}.get(operator)
                result = left % right if result is None else result
                return result if -(1 << 63) <= result < 1 << 63 else None
            else:
                left, right = float(left), float(right)
                result = {"+": left + right, "-": left - right, "*": left * right}.get(operator)
                result = left % right if result is None else result
        except ZeroDivisionError:
            return None
        return result if math.isfinite(result) else None

    def list_of(self, name: tree.Name, row: Any) -> tuple[Forms] | list[Forms] | None:
        """None: missing. A tuple: one value. A list: several."""
        entity, data = row
        words = [part.text for part in name.parts]
        while words[0] in ("job", "workflow") and len(words) > 1:
            target = {"job": "jobs", "workflow": "workflows"}[words[0]]
            keys = ("run", "job") if target == "jobs" else ("run",)
            found = [each for each in self.store[target] if all(each[key] == data[key] for key in keys)]
            if not found:
                return None
            entity, data, words = target, found[0], words[1:]
        if words[0] != "meta" and words[0] in self.fields[entity]:
            return self.built_in(self.fields[entity][words[0]].value, data[words[0]])
        word = {"files": "file", "jobs": "job", "workflows": "workflow"}[entity]
        number = {"files": "file", "jobs": "job"}.get(entity)
        key = words[-1]
        values = [value for value in self.store["metadata"] if value["entity"] == word and value["key"] == key
                  and value["source"] == data["source" if entity == "files" else "run"]
                  and value["number"] == (data[number] if number else 0)]  # fmt: skip
        if not values or (values[0]["position"] is None and values[0]["text_form"] is None):
            return None
        forms = [self.forms(value) for value in values if value["position"] != -1]
        return (forms[0],) if values[0]["position"] is None else forms

    def forms(self, value: Any) -> Forms:
        number = value["float_form"] if value["integer_form"] is None else value["integer_form"]
        found = {
            "text": value["text_form"],
            "number": number,
            "bool": value["boolean_form"],
            "time": value["time_form"],
        }
        return {form: each for form, each in found.items() if each is not None}

    def built_in(self, kind: str, value: Any) -> tuple[Forms] | list[Forms] | None:
        if kind == "list of text":
            return [{"text": each} for each in value] if value else None
        if value is None:
            return None
        form = {"text": "text", "boolean": "bool", "time": "time", "digest": "digest"}.get(kind, "number")
        return ({form: value.hex() if kind == "digest" else value},)

    # ---- relations ---------------------------------------------------------------------------------------------------

    def related(self, subject: str, node: tree.Relation) -> set[tuple[int, ...]]:
        inner, _ = self.query(node.query)
        given = inner[0][0] if inner else self.entity(node.query)
        keys = {self.key(*row) for row in inner}
        reads = [((source, file), (run, job)) for source, file, run, job in self.store["reads"]]
        writes = [((source, file), (run, job)) for source, file, run, job in self.store["writes"]]
        if node.word in ("upstream of", "downstream of"):
            return self.walk(subject, given, keys, node, reads, writes)
        if node.word in ("inputs of", "consumed by", "consuming"):
            return self.edge(subject, given, keys, reads)
        if node.word in ("outputs of", "produced by", "producing"):
            return self.edge(subject, given, keys, writes)
        if node.word == "with the content of":
            digests = {row["sha256"] for _, row in inner} - {None}
            return {self.key("files", row) for row in self.store["files"] if row["sha256"] in digests}
        if node.word == "part of":
            return {self.key(subject, row) for row in self.store[subject] if (row["run"],) in keys}
        assert node.word == "containing", node.word
        return {(row["run"],) for _, row in inner if row["run"] is not None}

    def entity(self, query: tree.Query) -> str:
        rows = query.rows
        while not isinstance(rows, tree.Operand):
            rows = rows.operands[0]
        return rows.source.name if isinstance(rows.source, tree.Entity) else self.entity(rows.source.query)

    def edge(self, subject: str, given: str, keys: set[Any], edges: list[Any]) -> set[Any]:
        found = set()
        for file, job in edges:
            ends = {"files": file, "jobs": job, "workflows": job[:1]}
            if ends[given] in keys:
                found.add(ends[subject])
        return found

    def walk(self, subject: str, given: str, keys: set[Any], node: tree.Relation, reads: Any, writes: Any) -> set[Any]:
        """Level by level over half steps; without a bound, as many levels as there can be different ones."""
        up = node.word == "upstream of"
        from_file, from_job = (writes, reads) if up else (reads, writes)
        low, high = (1, 20) if node.within is None else (node.within.low or 1, node.within.high)
        level, kind, found = keys, given, set()
        for half in range(1, 2 * high + 1):
            if kind == "files":
                level = {job for file, job in from_file if file in level}
            else:
                level = {file for file, job in from_job if job in level}
            kind = "jobs" if kind == "files" else "files"
            if kind == subject and low <= (half + 1) // 2 <= high:
                found |= level
        return found - keys if subject == given else found


# ---- the tests ------------------------------------------------------------------------------------------------------

FAST = settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@pytest.fixture(scope="session")
def ask(connection: Any, load: Any, plain: Any, now: dt.datetime) -> Any:
    """Compiles and runs a query on a store; None if it is refused. Every statement that comes with it must run, too."""

    def asked(store: dict[str, Any], text: str) -> Any:
        vocabulary = load(plain(**store))
        try:
            compiled = compile_query(text, vocabulary, {}, now, unknown_keys="no match", keys=True)
        except QueryMeaningError as error:
            event(f"refused: {re.sub(r'[0-9]+', '#', str(error))[:30]}")
            return None
        event("answered")
        rows = connection.execute(compiled.sql, list(compiled.parameters)).fetchall()
        for count in compiled.counts:
            assert connection.execute(count.sql, list(count.parameters)).fetchone()[0] >= 0
        for condition in without_each(text, vocabulary, {}, now, unknown_keys="no match"):
            assert connection.execute(condition.sql, list(condition.parameters)).fetchone()[0] >= 0
        return [row[: compiled.key_columns] for row in rows]

    return asked


@FAST
@given(store=stores(), text=queries)
def test_sql_and_plain_evaluator_agree(store: dict[str, Any], text: str, ask: Any, now: Any, field_types: Any) -> None:
    found = ask(store, text)
    if found is not None:
        assert found == Oracle(store, now, field_types).answer(parse(text).query)


@FAST
@given(store=stores(), text=leaves | arithmetic.map(lambda side: f"{side} = n"))
def test_each_predicate_and_its_complement(
    store: dict[str, Any], text: str, ask: Any, now: Any, field_types: Any
) -> None:
    found, complement = ask(store, f"files where {text}"), ask(store, f"files where not ({text})")
    if found is not None:
        assert found == Oracle(store, now, field_types).answer(parse(f"files where {text}").query)
        assert sorted(found + complement) == [(file["source"], file["file"]) for file in store["files"]]


def test_most_generated_queries_are_answered(ask: Any) -> None:
    """The comparisons above mean nothing if all that is generated is refused."""
    answered: list[bool] = []

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(store=stores(), text=queries)
    def collect(store: dict[str, Any], text: str) -> None:
        answered.append(ask(store, text) is not None)

    collect()
    assert sum(answered) > len(answered) // 3
