"""The map of the code and the code are one."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGES = ("integrity", "query", "provenance", "planner")
PATH = re.compile(r"`((?:integrity|query|provenance|planner)/[\w/.]+)`")
ENTRY = re.compile(r"`((?:integrity|query|provenance|planner)[\w.]*):(\w+)`")
SAID_TOGETHER = ("commands", "__init__.py", "errors.py")
"""One sentence stands for all of these."""


def test_every_module_is_named() -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name not in SAID_TOGETHER and path.parent.name not in SAID_TOGETHER
    }
    assert there - set(PATH.findall(TEXT)) == set()


def test_every_name_exists() -> None:
    assert [path for path in PATH.findall(TEXT) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("module", "name"), ENTRY.findall(TEXT))
def test_every_entry_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)
