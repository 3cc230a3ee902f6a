"""The DuckLake catalog of a store on PostgreSQL, for a team: `publish` makes it, and adds to it ever after.

Each store has a schema of the database to itself. All of a publish is one transaction; publishes into one schema wait
for each other, readers for nobody. A schema that holds anything of DuckLake that is not of this very store and its very
history is refused and stays as it is. Addresses are those of libpq, which also finds passwords (``~/.pgpass``,
PGPASSWORD); none is ever shown, or written down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, delete, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from provenance.ducklake import lake_tables
from provenance.ducklake.lake import absolute_data_path, statistics_named
from provenance.ducklake.lake_catalog import VERSION, build, extend, store_of
from provenance.ducklake.lake_growth import CannotExtendError, newest_snapshot
from provenance.errors import LakeError
from provenance.storable import storable

if TYPE_CHECKING:
    import psycopg

    from provenance.store import Store

_SCHEMES = ("postgresql", "postgres")
_PATIENCE = "60s"
"""How long to wait for another publish into the same schema: the first one of a store of years takes a while."""
_LONGEST_NAME = 63
"""Bytes: PostgreSQL cuts longer ones off."""
_ANOTHER_OR_NONE = "name another schema with --schema, or drop the tables ducklake_* in this one, then publish again"
_NONCE = re.compile("[0-9a-f]{16}")
_SHOWN = ("host", "port", "dbname")
"""What of an address is said to people: where the database is, never who asks or how they prove it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A schema of a database. ``parameters`` are libpq's, by keyword, a password among them: never print this."""

    parameters: Mapping[str, str]
    schema: str

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        place = " ".join(f"{key}={self.parameters[key]}" for key in _SHOWN if key in self.parameters)
        return f"{place or 'the default database'}, schema {self.schema}"


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did: the catalog has snapshots up to ``newest``, and had them up to ``before`` (None: it was made,
    or made anew).

    ``connection`` says where the database is, as libpq and DuckDB take it, without user and password.
    """

    address: Address
    connection: str
    before: int | None
    newest: int


def address(url: str, schema: str) -> Address:
    """The address that a URL like ``postgresql://user@host/database`` means. Raises LakeError."""
    _require_driver()
    import psycopg

    for what, given in (("the URL", url), ("--schema", schema)):
        if storable(given) != given:
            # Not shown: a password may be in it.
            raise LakeError(f"{what} holds bytes that are not UTF-8", hint="in a URL write each as % and two digits")
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES or not rest:
        raise LakeError("a catalog is published to postgresql://USER@HOST/DATABASE: the URL has another form")
    if rest.count("@") > 1 or "@" in rest.removeprefix(re.split("[/?#]", rest)[0]):
        # libpq would take a part of the password for the host, and name it in its message.
        raise LakeError(
            "the URL has an @ that does not end user and password",
            hint="write @ / : ? # % in a password as %40 %2F %3A %3F %23 %25, or put it into ~/.pgpass",
        )
    if not 1 <= len(schema.encode()) <= _LONGEST_NAME:
        raise LakeError(f"--schema: a name has 1 to {_LONGEST_NAME} bytes in PostgreSQL, not {len(schema.encode())}")
    try:
        parameters = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        # Of a wrong % libpq quotes what is around it, which may be a password; of wrong parameters it quotes the name.
        said = f": {_one_line(error)}" if "query parameter" in str(error) else ""
        raise LakeError(
            f"the URL is not one of a PostgreSQL database{said}", hint="write a % in a name or a password as %25"
        ) from None
    return Address({key: str(value) for key, value in parameters.items()}, schema)


def publish(store: Store, target: Address) -> Published:
    """Bring the catalog of a store in a PostgreSQL database up to the newest commit; it is made if there is none.

    Raises LakeError: the database cannot be reached or refuses, or something else is in the schema. Then nothing in it
    has changed.
    """
    with statistics_named(), connected(target) as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"pirene {target.schema}", 0))))
        before = _bring_up(connection, store, target)
        return Published(target, _place_of(connection), before, newest_snapshot(connection) or 0)


def owner_of(connection: Connection, target: Address) -> str | None:
    """The id of the store whose catalog the schema holds; None: there is nothing of DuckLake in it.

    Raises LakeError if what is there was not made by Pirene, or changed into what Pirene does not make.
    """
    inspector = inspect(connection)
    if not inspector.has_schema(target.schema):
        return None
    there = {name for name in inspector.get_table_names(schema=target.schema) if name.startswith("ducklake_")}
    if not there:
        return None
    metadata = lake_tables.CATALOG.name
    columns = inspector.get_columns(metadata, schema=target.schema) if metadata in there else ()
    try:
        owner = store_of(connection) if {"key", "value"} <= {column["name"] for column in columns} else None
    except ValueError as error:
        raise LakeError(f"{target}: {error}", hint=_ANOTHER_OR_NONE) from error
    if owner is None:
        raise LakeError(
            f"{target}: there is {min(there)}, which Pirene did not make", hint="name another schema with --schema"
        )
    keys = lake_tables.CATALOG.c
    version = connection.scalar(select(keys.value).where(keys.key == "version"))
    if version != VERSION or not lake_tables.METADATA.tables.keys() <= there:
        raise LakeError(
            f"{target}: another program made the catalog one of DuckLake {version} with {len(there)} tables",
            hint=_ANOTHER_OR_NONE,
        )
    return owner


@contextmanager
def connected(target: Address) -> Iterator[Connection]:
    """One transaction in the schema of ``target``. Whatever the database says against it is a LakeError of one line."""
    _require_driver()
    import psycopg

    parameters: dict[str, Any] = {"application_name": "pirene", "connect_timeout": "15", **target.parameters}
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(**parameters), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection.execution_options(schema_translate_map={None: target.schema})
    except DBAPIError as error:
        raise LakeError(f"{target}: {_said(error.orig, target)}") from None
    except psycopg.Error as error:
        raise LakeError(f"{target}: {_said(error, target)}") from None


def _bring_up(connection: Connection, store: Store, target: Address) -> int | None:
    """The newest snapshot that there was, if what there was could be added to."""
    owner = owner_of(connection, target)
    if owner not in (None, store.store_id):
        raise LakeError(
            f"{target}: there is the catalog of another store, {owner}", hint="name another schema with --schema"
        )
    data_path = absolute_data_path(store)
    if owner is None:
        if not inspect(connection).has_schema(target.schema):
            connection.execute(CreateSchema(target.schema))
        lake_tables.METADATA.create_all(connection)
    else:
        _keep_clients_from_writing(connection, target)
        try:
            with connection.begin_nested():
                return extend(connection, store, store.snapshot(), data_path)
        except (CannotExtendError, IntegrityError):
            _refuse_other_history(connection, store, target)
            for table in lake_tables.METADATA.sorted_tables:
                connection.execute(delete(table))  # a reader goes on with the rows that it began with
    build(connection, store, store.snapshot(), data_path)
    return None


def _keep_clients_from_writing(connection: Connection, target: Address) -> None:
    """DuckLake clients that would write now wait until the transaction ends; readers do not."""
    from psycopg.sql import SQL, Identifier

    snapshots = Identifier(target.schema, lake_tables.SNAPSHOT.name)
    _driver(connection).execute(SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(snapshots))


def _refuse_other_history(connection: Connection, store: Store, target: Address) -> None:
    """A copy of a store that is behind, or went another way, takes nothing away from what another copy published."""
    changes = lake_tables.SNAPSHOT_CHANGES.c
    said = connection.execute(select(changes.snapshot_id, changes.commit_extra_info).order_by(changes.snapshot_id))
    ours = {number: nonce for number, nonce in said if nonce and _NONCE.fullmatch(nonce)}
    newest = store.snapshot().number
    for commit in store.commits():
        if ours.get(commit.number, commit.nonce) != commit.nonce:
            raise LakeError(
                f"{target}: commit {commit.number} was published from a copy of this store that went another way",
                hint="publish from that copy, or into another schema with --schema",
            )
    if max(ours, default=0) > newest:
        raise LakeError(
            f"{target}: commits up to {max(ours)} are published, this copy of the store has {newest}",
            hint="publish from the copy that has them",
        )


def _place_of(connection: Connection) -> str:
    from psycopg.conninfo import make_conninfo

    info = _driver(connection).info
    return make_conninfo(host=info.host, port=info.port, dbname=info.dbname)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's own connection, in the same transaction."""
    driver: Any = connection.connection.driver_connection
    assert driver is not None, "a connection in use has one of the driver's"
    return driver  # type: ignore[no-any-return]


def _require_driver() -> None:
    """Raises LakeError where there is no psycopg, or no libpq for it."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise LakeError(
            f"publishing to PostgreSQL needs psycopg: {_one_line(error)}", hint="pip install 'pirene[postgres]'"
        ) from None


def _said(error: BaseException | None, target: Address) -> str:
    """What the database said, without the name of who asked: in whatever quotes its language has."""
    user = re.escape(target.parameters.get("user") or os.environ.get("PGUSER") or "")
    return re.sub(rf"""(["'«„“]\s?){user}(\s?["'»“”])""", r"\1...\2", _one_line(error)) if user else _one_line(error)


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())
