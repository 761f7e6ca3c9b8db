"""Ways out in the words of the command line, of HTTP and of pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import typer

from api.cli import state
from api.problems import problem_document
from api.surfaces import OPTIONS, cli, http, page
from gridsvc.errors import (
    BadOption,
    DecisionNeeded,
    Fault,
    GridsvcError,
    IllegalTransition,
    Language,
    OutsideCoverage,
    RejectedRows,
    UnknownCell,
)
from gridsvc.layers import POINTS
from gridsvc.phrases import length
from gridsvc.quality.decisions import ask
from gridsvc.services.fields import missing_field
from gridsvc.ways import Speak, as_python, spoken, spoken_document, way
from maps.messages import MESSAGES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("token", "language", "expected"),
    [
        ("{way:crs}", "zh", ("--crs", "表单字段 crs", "“坐标系”")),
        (way("crs", "EPSG:4548"), "en",
         ("--crs EPSG:4548", "form field crs=EPSG:4548", '"CRS" (EPSG:4548)')),
        ("{way:since,until}", "zh",
         ("--since、--until", "参数 since、until", "“起始日期”、“截止日期”")),
        ("{way:replace}", "en",
         ("--replace", "form field replace=true", '"Replace rows with the same key"')),
        ("{way:map=lon=A|lat=B}", "zh",
         ("--map lon=A --map lat=B", '表单字段 mapping={"lon": "A", "lat": "B"}',
          "“字段对应列”(lon=A、lat=B)")),
        (way("decide", "a=b=drop"), "en",
         ("--decide a=b=drop", 'form field decisions={"a=b": "drop"}',
          '"Code=decision" (a=b=drop)')),
        ("{way:as=points}", "zh", ("--as points", "表单字段 as=points", "“内容是”(测评点位)")),
        ("{way:check_findings=main-v2}", "zh",
         ("gridsvc check main-v2 --findings 文件", "GET /api/v1/plans/main-v2/findings",
          "“在地图上查看草案”")),
        ("{way:cell_m}", "zh", ("cell_m", "参数 cell_m", "参数 cell_m")),
    ],
)  # fmt: skip
def test_each_surface_calls_an_option_its_own(
    token: str, language: Language, expected: tuple[str, str, str]
) -> None:
    assert tuple(spoken(token, language, speak) for speak in (cli, http, page)) == expected


def test_values_may_hold_braces() -> None:
    assert spoken(way("decide", "{x}%7B=drop"), "en", cli) == "--decide {x}%7B=drop"
    assert spoken(way("decide", "{x}=drop"), "en") == "decisions={x}=drop"


def test_options_are_what_the_surfaces_really_have() -> None:
    sources = "\n".join(p.read_text("utf-8") for p in (ROOT / "api/cli").glob("*.py"))
    document = json.loads((ROOT / "tests/golden/openapi.json").read_text("utf-8"))
    fields = {
        parameter["name"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
    } | set(document["components"]["schemas"]["Body_import_file_api_v1_imports_post"]["properties"])
    form = (ROOT / "maps/templates/start.html").read_text("utf-8")
    for name, option in OPTIONS.items():
        if option.kind == "command":
            continue
        # Typer names an option by its argument where none is given.
        argument = option.cli[2:].replace("-", "_")
        stated = rf'"{re.escape(option.cli)}[",/]|^    {argument}: Annotated'
        assert re.search(stated, sources, re.MULTILINE), name
        assert not option.field or option.field in fields, name
        assert not option.label or option.label in MESSAGES, name
        if option.kind == "form" and option.label:
            assert f'name="{option.field}"' in form, name


def test_a_bad_period_is_told_in_the_words_of_the_page() -> None:
    error = BadOption(option="since, until", value="2", reason_zh="颠倒", reason_en="reversed")
    assert error.text("zh", page) == "“起始日期”、“截止日期” 的值“2”无效:颠倒"
    assert error.text("en", http) == "parameter since, until cannot be '2': reversed"
    assert error.text("zh", cli).startswith("--since、--until 的值")
    assert str(error) == "since, until cannot be '2': reversed"


@pytest.mark.parametrize(
    ("current", "target", "zh", "en"),
    [
        ("discarded", "published", "方案 p 已废弃,不能发布",
         "plan p is discarded; it cannot be published"),
        ("in_review", "in_review", "方案 p 正在审查,不能提交审查",
         "plan p is in review; it cannot be handed in for review"),
        ("published", "draft", "方案 p 已发布,不能退回草稿",
         "plan p is published; it cannot be taken back to draft"),
    ],
)  # fmt: skip
def test_transitions_name_states_in_words(current: str, target: str, zh: str, en: str) -> None:
    error = IllegalTransition(kind="plan", key="p", current=current, target=target)
    assert (error.text("zh"), error.text("en")) == (zh, en)


def test_far_places_are_told_in_kilometres() -> None:
    error = OutsideCoverage(lon=1.0, lat=2.0, nearest_cell="c", distance_m=12_345.6)
    assert "相距 12.3 千米" in error.text("zh")
    assert "12.3 km away" in error.text("en")
    near = OutsideCoverage(lon=1.0, lat=2.0, nearest_cell="c", distance_m=85.25)
    assert "相距 85.2 米" in near.text("zh")
    assert [length(m, "en") for m in (999.4, 999.6, 1_000)] == ["999 m", "1.0 km", "1.0 km"]


def test_documents_are_spoken_by_the_language_of_their_keys() -> None:
    note = {"zh": "用 {way:encoding}", "en": "use {way:encoding}", "n": [1, "{way:layer}"]}
    assert spoken_document({"notes": [note]}, "zh", page) == {
        "notes": [{"zh": "用 “文字编码”", "en": 'use "Encoding"', "n": [1, "“图层或工作表”"]}]
    }
    assert spoken("{way:repair}", "zh", as_python) == "gridsvc.quality.repair"


HOSTILE = "{way:decide=all=drop}"


def drawn_twice() -> DecisionNeeded:
    """Return what an import says of a layer in which a cell of a foreign name lies on another."""
    question = ask("vanished", HOSTILE, None, by=f"c1、{HOSTILE}")
    return DecisionNeeded(reason_zh=question.zh, reason_en=question.en)


def bad_row() -> RejectedRows:
    """Return what is said of a row, a column and a file of a foreign name."""
    missing = missing_field(POINTS, "point_id", [HOSTILE, "lon"])
    fault = Fault(1, HOSTILE, HOSTILE, "错", "wrong", "用 {way:crs}", "use {way:crs}")
    return RejectedRows(source=f"{HOSTILE}.csv", faults=[fault, missing])


@pytest.mark.parametrize(("error", "times"), [(drawn_twice(), 2), (bad_row(), 4)])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("speak", [cli, http, page, as_python])
def test_names_and_values_of_others_are_no_options(
    error: GridsvcError, times: int, language: Language, speak: Speak
) -> None:
    text = error.text(language, speak)
    assert text.count(HOSTILE) == times
    assert "verbatim" not in text
    assert "{way:crs}" not in text


def test_a_cell_of_a_foreign_name_on_the_command_line_and_over_http(
    capsys: pytest.CaptureFixture[str],
) -> None:
    context = cast(typer.Context, SimpleNamespace(find_object=lambda _: state.State(language="zh")))
    state.emit(context, {"name": HOSTILE}, f"网格 {HOSTILE}", ways=False)
    assert capsys.readouterr().out == f"网格 {HOSTILE}\n"
    gone = UnknownCell(plan="p", code=HOSTILE)
    assert HOSTILE in gone.text("zh", cli)
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        document = problem_document(gone, language)
        assert document["code"] == HOSTILE
        assert HOSTILE in document["detail"]
