"""What a user reads is in one language at a time, and its ways out suit every surface."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.surfaces import OPTIONS

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("gridsvc", "geodata", "maps", "api")
FILES = sorted(
    path.relative_to(REPOSITORY)
    for package in PACKAGES
    for path in (REPOSITORY / package).rglob("*.py")
    if "node_modules" not in path.parts
)
# Not read by users as an answer: the shape of the interface is documented for programs in both
# languages, and terminals show help before anybody can choose a language.
EXCEPT = {Path("api/documentation.py")}

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_TOKEN = re.compile(r"\{way:([A-Za-z_, -]+?)[=}]")
# Commands, paths, names with an underscore or dot, words in capitals, and what stands in quotes,
# are code and not English.
_CODE = re.compile(
    r"\{[^{}]*\}|\{[^{}]*\}|gridsvc( [a-z_]+)+( [A-Z]+)?|python \S+|make \w+|\S*[_/.:=<>|]\S*"
    r"|\b[A-Z][\w-]*|\b\w*\d\w*|\b(true|false|csv|parquet|cell|point|classes|territory|gridsvc)\b"
)
_WORDS = re.compile(
    r"[a-z]{2,}(?:[ ,]+[a-z']{1,}){1,}|(?<=[\u4e00-\u9fff]) [a-z]{4,}\b(?![A-Za-z=])"
)


def mixed(text: str) -> bool:
    """Whether a text holds Chinese and two or more English words in a row."""
    return bool(_CHINESE.search(text) and _WORDS.search(_CODE.sub("§", text)))


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string that is no documentation; fields become ``{}``."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            # Docstrings, and strings under an assignment that document it.
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                skipped.add(id(statement.value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(value) for value in node.values}
        if isinstance(node, ast.keyword) and node.arg in ("help", "description", "tags"):
            skipped |= {id(part) for part in ast.walk(node.value)}
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "APIRouter":
            skipped |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_BESIDE":
            skipped.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )


def read(path: Path) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [f for f in FILES if f not in EXCEPT], ids=str)
def test_a_text_is_in_one_language(path: Path) -> None:
    found = [(line, text) for line, text in literals(read(path)) if mixed(text)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "缺少上级图层 / no parent layer was given for {}",
        "{}:没有面 · it holds no polygons",
        "数据库正被占用,请稍后重试 the database is busy, try again",
    ],
)
def test_texts_in_both_languages_are_found(text: str) -> None:
    assert mixed(text)


@pytest.mark.parametrize(
    "text",
    [
        "请运行 gridsvc scheme territory FILE 声明",
        "未知坐标基准“{}”,可用:wgs84、cgcs2000、gcj02、bd09",
        "没有坐标系时先 .set_crs",
        "请用 {way:map=lon=列名|lat=列名} 指明",
        "数据按 GBK 或 UTF-8 读取",
        "the plan is published",
    ],
)
def test_names_of_code_are_no_english(text: str) -> None:
    assert not mixed(text)


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[:2] != ("api", "cli")], ids=str)
def test_options_of_the_command_line_are_named_neutrally(path: Path) -> None:
    if path in (Path("api/surfaces.py"), *EXCEPT):
        return
    found = [
        (line, text)
        for line, text in literals(read(path))
        if _OPTION.search(text) and not text.startswith("--")
    ]
    assert found == []


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_way_out_is_known_to_the_surfaces(path: Path) -> None:
    tree = read(path)
    names = [
        name.strip()
        for _, text in literals(tree)
        for listing in _TOKEN.findall(text)
        for name in listing.split(",")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "way":
            first = node.args[0]
            names += [first.value] if isinstance(first, ast.Constant) else []
        # A token in an f-string would be read as a variable with a format.
        if isinstance(node, ast.FormattedValue):
            assert getattr(node.value, "id", "") != "way"
    if path != Path("gridsvc/ways.py"):
        assert [name for name in names if name not in OPTIONS] == []
