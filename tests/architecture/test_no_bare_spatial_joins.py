"""Spatial SQL is written in ``geodata/storage/spatial.py`` only.

SQLite never uses a spatial index for a bare ``ST_*`` predicate: a join of 2,500 cells with 10,000
points then takes minutes instead of half a second, while PostGIS hides the mistake. The one
module that may call them adds the index test of each back end.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("gridsvc", "geodata", "maps", "api")
ALLOWED = {
    Path("geodata/storage/spatial.py"),  # the helper
    Path("geodata/storage/sqlfunctions.py"),  # defines them for SQLite, calls none
}
FILE_STATUS = r"st_(mode|ino|dev|nlink|uid|gid|size|blocks|[amc]time(_ns)?)$"
SPATIAL_NAME = re.compile(
    rf"(?i)^(?!{FILE_STATUS})(st_\w+|mbr(intersects|contains|within|overlaps|touches|equal)\w*)$"
)
SPATIAL_CALL = re.compile(r"(?i)\bst_\w+\s*\(")
OPERATORS = {
    "intersects", "overlaps_or_left", "overlaps_or_right", "overlaps_or_below",
    "overlaps_or_above", "distance_centroid", "distance_box",
}  # fmt: skip


def bare_spatial_sql(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of each spatial function, comparator or SQL text in a module."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and SPATIAL_NAME.match(node.attr):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("geoalchemy2"):
            for alias in node.names:
                if SPATIAL_NAME.match(alias.name) or alias.name in ("comparator", "functions"):
                    yield node.lineno, alias.name
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
            and SPATIAL_CALL.search(node.value)
        ):
            yield node.lineno, node.value[:60]
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in OPERATORS
            and isinstance(node.value, ast.Attribute)
            and isinstance(node.value.value, ast.Attribute)
            and node.value.value.attr in ("c", "columns")
        ):
            yield node.lineno, f".{node.attr}"


def test_spatial_functions_are_called_in_the_helper_only() -> None:
    found: list[str] = []
    modules = 0
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            relative = path.relative_to(REPOSITORY)
            if relative in ALLOWED:
                continue
            modules += 1
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [f"{relative}:{line}: {text}" for line, text in bare_spatial_sql(tree)]
    assert modules > 50
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "select(a).join(b, func.ST_Contains(a.c.geometry, b.c.geometry))",
        "select(a).where(sa.func.st_dwithin(a.c.geometry, p, 10))",
        "from geoalchemy2.functions import ST_Intersects",
        "from geoalchemy2 import functions",
        "connection.execute(text('SELECT * FROM a, b WHERE ST_Within(a.g, b.g)'))",
        "connection.exec_driver_sql(f'... WHERE st_intersects ({a}, {b})')",
        "select(a).where(cells.c.geometry.intersects(box))",
        "select(a).where(cells.geometry.ST_Intersects(box))",
        "select(a).where(func.MbrIntersects(a, b))",
    ],
)
def test_the_rule_sees_each_way_to_break_it(source: str) -> None:
    assert list(bare_spatial_sql(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        '"""Uses ST_Intersects(a, b) somewhere."""',
        "shapely.intersects(a, b)",
        "cells.geometry.intersects(box)",
        "meets_box(table, box, 'sqlite')",
        "label = 'first_name (last)'",
        "path.stat().st_size",
    ],
)
def test_the_rule_lets_other_code_be(source: str) -> None:
    assert list(bare_spatial_sql(ast.parse(source))) == []
