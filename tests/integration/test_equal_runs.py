"""The same data, options and instant give the same bytes: pages and repaired layers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.bootstrap import open_services
from api.cli.main import run as run_command
from api.maps.pictures import (
    Frame,
    HotspotChoice,
    PatrolChoice,
    draw_coverage,
    draw_hotspot,
    draw_patrol,
    draw_plan,
)
from api.settings import DatabaseSettings, Settings
from maps import render_html

NOW = datetime(2026, 11, 20, 8, 0, 30, tzinfo=UTC)


def pages(database: Path) -> dict[str, str]:
    services = open_services(
        Settings(database=DatabaseSettings(database_url=f"sqlite:///{database}"))
    )
    services.clock = lambda: NOW
    frame = Frame(language="zh", assets="inline")
    try:
        plan = services.locators.plan_at(NOW)
        with services.storage.unit_of_work() as work:
            community = str(work.plans.areas(plan.id, "community")["code"].iloc[0])
        return {
            "plan": render_html(draw_plan(services, plan, frame)),
            "coverage": render_html(draw_coverage(services, plan, NOW, frame)),
            "hotspot": render_html(draw_hotspot(services, plan, HotspotChoice(), frame)),
            "patrol": render_html(
                draw_patrol(services, plan, PatrolChoice(community=community), frame)
            ),
        }
    finally:
        services.close()


def test_pages_of_one_file_are_equal(demo_db: Path) -> None:
    first, second = pages(demo_db), pages(demo_db)
    assert {kind: first[kind] == second[kind] for kind in first} == dict.fromkeys(first, True)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet", ".shp"])
def test_repaired_layers_and_their_logs_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run_quietly("sample", "--out", "town", "--cells", "60")
    written = []
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        run_quietly("repair", "town/cells.gpkg", "-o", f"{run}/cells{suffix}")
        written.append({p.name: p.read_bytes() for p in (tmp_path / run).iterdir()})
    assert written[0]
    assert written[0] == written[1]


def run_quietly(*arguments: str) -> None:
    try:
        run_command(list(arguments))
    except SystemExit as stop:
        assert not stop.code, arguments
