"""docs/sql.md lists every view that `pirene sql` shows. Write it anew with `python tests/docs/test_sql_page.py`."""

from __future__ import annotations

from pathlib import Path

from provenance.answers.published_views import PUBLISHED, unit

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
HEAD = """# Asking in SQL

`pirene sql` takes one statement of [DuckDB's SQL](https://duckdb.org/docs/stable/sql/introduction) that reads, and shows
the newest state of the store:

```sh
pirene sql 'SELECT status, count(*) FROM job_overview GROUP BY status'
pirene sql 'SELECT workflow, sum(cpu_seconds) FROM job_overview WHERE ended > $since GROUP BY ALL' -p since=2026-01-01
pirene sql 'FROM file_overview WHERE NOT list_contains(sites, $site)' -p site=archive --format parquet > files.parquet
```

Nothing can be written, no other file read, nothing attached, set or installed. `$name` takes its value from `-p name=VALUE`: a
number, a time or a truth where it reads like one, else text; `'"42"'` is text, and a name given twice is a list. `pirene sql
--schema` prints what follows here, in any format. Columns may be added; what is here stays.

`files`, and what is made of it, shows what is known of a file now, as `query` does: a digest that was found when somebody first read
an archived file stands there too, and `file_digests` says since when. Decimal numbers keep all their digits in every format.
"""


def page() -> str:
    parts = [HEAD]
    for view in PUBLISHED:
        parts.append(
            f"\n## `{view.name}`\n\nOne row is {view.row}.\n\n| column | type | unit | meaning |\n|---|---|---|---|\n"
        )
        for column in view.columns:
            meaning = column.meaning.replace("|", "\\|")
            parts.append(f"| `{column.name}` | {column.kind.value} | {unit(column) or ''} | {meaning} |\n")
    return "".join(parts)


def test_the_page_is_what_there_is() -> None:
    assert PAGE.read_text("utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
