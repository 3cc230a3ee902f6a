"""The options of `pirene files add`: what is said of the files that it registers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provenance.commands.context import format_option
from provenance.commands.option_group import option_group

if TYPE_CHECKING:
    from provenance.registration.metadata_table import Declared


@dataclass(frozen=True, slots=True)
class AddOptions:
    """What the user asked for on the command line."""

    table: Path | None
    metadata: tuple[str, ...]
    path_metadata: str | None
    name: str | None
    site: str
    trees: bool
    checksum: str | None
    md5: str | None
    adler32: str | None
    crc32c: str | None
    size: int | None
    keep_going: bool
    output_format: str

    def digest(self) -> bytes | None:
        """The sha256 that is to be checked; None: none is. Raises click's usage error."""
        if self.checksum is None:
            return None
        return bytes.fromhex(_parsed("--checksum", self.checksum, "sha256").removeprefix("sha256:"))

    def declared(self) -> Declared | None:
        """What is said of the one file without its being read; None: nothing is. Raises click's usage error."""
        from provenance.registration.metadata_table import Declared

        checksums = {"md5": self.md5, "adler32": self.adler32, "crc32c": self.crc32c}
        given = [_parsed(f"--{name}", text, name) for name, text in checksums.items() if text is not None]
        return Declared(tuple(given), self.size) if given or self.size is not None else None


def _parsed(option: str, text: str, algorithm: str) -> str:
    from integrity.checksum import ChecksumError, parse_checksum

    try:
        return parse_checksum(text, algorithm)
    except ChecksumError as error:
        raise click.UsageError(f"{option}: {error}") from error


add_options = option_group(
    AddOptions,
    [
        click.option(
            "--table",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="CSV, JSON lines or Parquet; column `path` (relative to its folder), the others are metadata keys.",
        ),
        click.option(
            "-m", "--metadata", multiple=True, metavar="KEY=VALUE", help="Metadata of all these files; again: a list."
        ),
        click.option(
            "--path-metadata",
            metavar="TEMPLATE",
            help="Metadata from each path below its folder, as '{site}/{year}/{name}'.",
        ),
        click.option(
            "--name", metavar="TEMPLATE", help="Logical name, as in '{site}/{name}'; also {stem}, {sha256}, {KEY}."
        ),
        click.option(
            "--site", default="local", show_default=True, metavar="NAME", help="The site where these copies are."
        ),
        click.option("--tree", "trees", is_flag=True, help="Each folder is one file (Zarr, MeasurementSet)."),
        click.option("--checksum", metavar="sha256:HEX", help="The digest that the one file must have: it is read."),
        click.option("--md5", metavar="HEX", help="Declared for the one file, which is not read now."),
        click.option("--adler32", metavar="HEX", help="Likewise."),
        click.option("--crc32c", metavar="HEX", help="Likewise."),
        click.option(
            "--size", metavar="BYTES", type=click.IntRange(0, (1 << 63) - 1), help="The size of the one file."
        ),
        click.option("--keep-going", is_flag=True, help="Leave out what cannot be registered, say so, and end with 3."),
        format_option,
    ],
)
"""Gives `files add` its options, as ``options``."""
