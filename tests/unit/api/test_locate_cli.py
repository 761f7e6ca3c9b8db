from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from api.cli import locating
from api.cli.state import State
from gridsvc.datum import convert
from gridsvc.errors import (
    GridsvcError,
    InputError,
    InvalidCoordinate,
    OutsideCoverage,
    UnknownDatum,
)
from tests.unit.locate_city import code, open_filled

AT = ("--at", "2019-06-01")


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    open_filled(tmp_path).dispose()
    monkeypatch.setenv("GRIDSVC_DATABASE_URL", f"sqlite:///{tmp_path / 'city.db'}")
    return tmp_path


def command() -> typer.Typer:
    app = typer.Typer()

    @app.callback()
    def options(context: typer.Context, as_json: bool = False, english: bool = False) -> None:
        context.obj = State(json=as_json, language="en" if english else "zh")

    locating.register(app)
    return app


def run(*arguments: str, front: tuple[str, ...] = ()) -> str:
    result = CliRunner().invoke(command(), [*front, "locate", *arguments], catch_exceptions=True)
    if isinstance(result.exception, GridsvcError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def run_json(*arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(*arguments, front=("--as-json",)))
    return document


def test_one_place_for_people() -> None:
    text = run("117.605", "26.205", *AT)
    for word in (code(1), "东街社区", "列东街道", "张三", "列东街道办", "西门车站", "main-2"):
        assert word in text
    assert "to border" in run("117.605", "26.205", *AT, front=("--english",))


def test_one_place_for_programs() -> None:
    document = run_json("117.6095", "26.205", "--accuracy", "100", *AT)
    assert document["cell_code"] == code(1)
    assert document["ambiguous"] is True
    assert [n["code"] for n in document["neighbours"]] == [code(2)]
    assert document["persons"]["grid_worker"][0]["name"] == "张三"


def test_datum_instant_and_category() -> None:
    lon, lat = (repr(float(v)) for v in convert(117.615, 26.205, "wgs84", "gcj02"))
    assert run_json(lon, lat, "--datum", "gcj02", *AT)["cell_code"] == code(2)
    assert run_json("117.615", "26.205", "--at", "2018-06-01")["cell_code"] == code(1)
    document = run_json("117.615", "26.205", "--category", "0101", *AT)
    assert document["responsible_unit"]["unit_id"] == "U1"


def test_a_class_brings_the_deadline_in_the_time_of_the_city() -> None:
    given = ("117.615", "26.205", "--category", "0101", "--at", "2019-06-07T17:00")
    assert "2019-06-10 11:00 Asia/Shanghai:4 个工作小时" in run(*given)
    assert "4 working hours" in run(*given, front=("--english",))
    assert "处置时限" not in run("117.615", "26.205", *AT)


def test_border_is_said() -> None:
    assert "在边界上" in run("117.61", "26.21", *AT)


def test_western_longitudes_are_no_options() -> None:
    with pytest.raises(OutsideCoverage):
        run("-71.06", "42.36", *AT)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), InputError),
        (("117.6",), InputError),
        (("abc", "26.2"), InputError),
        (("26.2", "117.6"), InvalidCoordinate),
        (("117.6", "26.2", "--datum", "mars"), UnknownDatum),
        (("117.6", "26.2", "--at", "gestern"), InputError),
        (("--file", "a.csv"), InputError),
        (("117.6", "26.2", "-o", "b.csv"), InputError),
        (("117.7", "26.2", *AT), OutsideCoverage),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        run(*arguments)


def test_file_keeps_every_row_with_its_reason(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(
        "id,lon,lat,备注\n1,117.605,26.205,甲\n2,117.61,26.205,乙\n3,117.68,26.205,丙\n4,,,丁\n",
        encoding="utf-8",
    )
    document = run_json("--file", str(source), "-o", str(target), "--datum", "cgcs2000", *AT)
    assert document["counts"] == {
        "placed": 1, "on_border": 1, "outside": 1, "no_coordinates": 1, "invalid_coordinates": 0,
        "total": 4,
    }  # fmt: skip
    table = pd.read_csv(target, dtype=str)
    assert table["备注"].tolist() == ["甲", "乙", "丙", "丁"]
    assert table["cell_code"].fillna("").tolist() == [code(1), code(1), "", ""]
    assert table["placement"].tolist() == ["placed", "on_border", "outside", "no_coordinates"]
    assert "合计" in run("--file", str(source), "-o", str(target), "--datum", "cgcs2000", *AT)
