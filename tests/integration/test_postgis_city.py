"""The whole way of a city on PostGIS and on the embedded back end: the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pandas.testing import assert_frame_equal
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Services, open_services
from api.demo import RECORDS
from api.maps.pictures import (
    Frame,
    HotspotChoice,
    PatrolChoice,
    draw_coverage,
    draw_hotspot,
    draw_patrol,
    draw_plan,
)
from api.settings import DatabaseSettings, MapSettings, Settings
from geodata.sample import build_city, write_city
from geodata.sample.write import COLUMNS
from geodata.sources import open_source
from gridsvc.services import planning
from gridsvc.services.coverage import plan_coverage
from gridsvc.services.hotspots import hotspots
from gridsvc.services.importing import import_layer
from gridsvc.services.joining import place, responsible
from gridsvc.services.patrols import PatrolArea, plan_patrol
from gridsvc.services.raw import ImportOptions, RawLayer
from gridsvc.types import Datum
from maps import render_html

pytestmark = pytest.mark.postgis

CELLS = 180
FIRST = datetime(2018, 11, 22, tzinfo=UTC)
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
YEAR_OVER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    city = build_city(cells=CELLS, cases_per_cell=8.0)
    written = write_city(city, tmp_path_factory.mktemp("city"))
    return {path.stem: path for path in written}


def merged(cells: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, list[str], str]:
    """Return cells in which two neighbours of one community have become one."""
    for _, group in cells.groupby("community_code", sort=True):
        codes, shapes = list(group.index), group.geometry.to_numpy()
        for i, j in zip(*np.triu_indices(len(group), 1), strict=True):
            union = shapely.union(shapes[i], shapes[j])
            touching = shapely.length(shapely.intersection(shapes[i], shapes[j])) > 0
            if touching and union.geom_type == "Polygon" and not len(union.interiors):
                code = f"{codes[i][:12]}900"
                kept = cells.drop(index=[codes[i], codes[j]])
                one = cells.loc[[codes[i]]].rename(index={codes[i]: code}).assign(name="合并网格")
                one.geometry = [union]
                frame = gpd.GeoDataFrame(pd.concat([kept, one]), crs=cells.crs)
                return frame.rename_axis("code"), [codes[i], codes[j]], code
    raise AssertionError("no two neighbours")


class Town:
    """The city on one back end, with two published versions."""

    def __init__(self, url: str, files: dict[str, Path], cache: Path) -> None:
        settings = Settings(
            database=DatabaseSettings(database_url=url),
            map=MapSettings(cache_dir=cache),
            log_level="error",
        )
        self.services: Services = open_services(settings, upgrade=True)
        self.services.clock = lambda: NOW
        self.storage = self.services.storage
        self.reports: dict[str, dict[str, int]] = {}
        self._first(files)
        self._second()
        self.services.locators.refresh()

    def _first(self, files: dict[str, Path]) -> None:
        options = ImportOptions(
            title="初版",
            exclusions=open_source(files["exclusions"]),
            mapping=COLUMNS["cells"],
        )
        raw = open_source(files["cells"])
        report = import_layer(self.storage, raw, "cells", options, clock=lambda: FIRST)
        assert report.plan_id is not None
        self.first = planning.publish(self.storage, report.plan_id, FIRST, FIRST).id
        for layer in RECORDS:
            source = open_source(files[layer], datum=Datum.CGCS2000)
            chosen = ImportOptions(at=BEFORE, mapping=COLUMNS.get(layer, {}))
            done = import_layer(self.storage, source, layer, chosen, clock=lambda: YEAR_OVER)
            self.reports[layer] = {"rows": done.rows, "imported": done.imported, **done.placements}

    def _second(self) -> None:
        with self.storage.unit_of_work() as work:
            cells = work.plans.cells(self.first)
        drawn, self.gone, self.made = merged(cells)
        raw = RawLayer(frame=drawn.reset_index(), source="第二版", digest="0" * 64)
        report = import_layer(
            self.storage, raw, "cells", ImportOptions(title="第二版"), clock=lambda: BEFORE
        )
        assert report.plan_id is not None
        self.second = planning.publish(self.storage, report.plan_id, SECOND, BEFORE).id


@pytest.fixture(scope="module")
def embedded(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("embedded")
    town = Town(f"sqlite:///{folder / 'city.db'}", files, folder)
    yield town
    town.services.close()


@pytest.fixture(scope="module")
def postgis(
    files: dict[str, Path],
    new_postgis_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Town]:
    town = Town(new_postgis_database(), files, tmp_path_factory.mktemp("postgis"))
    yield town
    town.services.close()


def test_both_imported_and_published_the_same(embedded: Town, postgis: Town) -> None:
    assert postgis.storage.kind != embedded.storage.kind
    assert postgis.reports == embedded.reports
    assert all(r["rows"] == r["imported"] for r in embedded.reports.values())
    assert (postgis.first, postgis.second) == (embedded.first, embedded.second)
    found = []
    for town in (embedded, postgis):
        with town.storage.unit_of_work() as work:
            plans = [
                (p.id, p.status, p.effective_from, p.effective_to, p.cell_count, p.certificate)
                for p in work.plans.list()
            ]
            lineage = work.plans.lineage(town.first, town.second)
            layers = [work.plans.cells(town.first), work.plans.cells(town.second)]
            layers += [work.plans.areas(town.second), work.plans.exclusions(town.second)]
        assert plans[0][3] == SECOND
        assert (len(layers[0]), len(layers[1])) == (CELLS, CELLS - 1)
        assert lineage["kind"].value_counts().to_dict() == {"U": CELLS - 2, "M": 2}
        found.append((plans, lineage, layers))
    (plans, lineage, layers), (others, other_lineage, other_layers) = found
    assert others == plans
    assert_frame_equal(other_lineage, lineage)
    for ours, theirs in zip(layers, other_layers, strict=True):
        assert_frame_equal(
            pd.DataFrame(theirs.drop(columns="geometry")),
            pd.DataFrame(ours.drop(columns="geometry")),
        )
        assert shapely.equals_exact(theirs.geometry.array, ours.geometry.array).all()


def test_places_and_responsible_people_are_the_same(embedded: Town, postgis: Town) -> None:
    results = []
    for town in (embedded, postgis):
        locators = town.services.locators
        plans = [locators.plan_at(at).id for at in (BEFORE, NOW)]
        assert plans == [town.first, town.second]
        with town.storage.unit_of_work() as work:
            points = gpd.GeoDataFrame(work.records("points").frame())
            cases = gpd.GeoDataFrame(work.records("cases").frame())
            duties = work.records("duties").frame()
        tables = []
        for plan in plans:
            for layer in (points, cases):
                placed = place(layer, locators.of(plan), plan)
                assert len(placed) == len(layer)
                tables.append(placed[["cell_code", "placement"]])
        before, after = tables[0]["cell_code"], tables[2]["cell_code"]
        moved = before.isin(town.gone)
        assert (after[moved] == town.made).all()
        assert (after[~moved].fillna("") == before[~moved].fillna("")).all()
        results.append([*tables, responsible(place(points, locators.of(plans[0]), plans[0]),
                                             duties, BEFORE)])  # fmt: skip
    for ours, theirs in zip(*results, strict=True):
        assert_frame_equal(pd.DataFrame(theirs), pd.DataFrame(ours))


def test_results_are_the_same_to_the_last_figure(embedded: Town, postgis: Town) -> None:
    found = []
    for town in (embedded, postgis):
        storage, locators = town.storage, town.services.locators
        plan = locators.plan_at(NOW)
        covered = plan_coverage(storage, locators, plan, as_of=NOW)
        hot = hotspots(storage, locators, plan, updated_at=NOW)
        busiest = covered.points["cell_code"].dropna().str[:12].value_counts().sort_index()
        area = PatrolArea(community=str(busiest.idxmax()))
        rounds = plan_patrol(storage, locators, plan, area, created_at=NOW, iterations=100)
        found.append((covered, hot, rounds))
    (covered, hot, rounds), (other_covered, other_hot, other_rounds) = found
    assert hot.n > 0
    assert other_hot.n == hot.n
    drop = {"columns": "geometry"}
    assert_frame_equal(
        pd.DataFrame(other_hot.cells.drop(**drop)), pd.DataFrame(hot.cells.drop(**drop))
    )
    assert np.array_equal(other_hot.cells["z"], hot.cells["z"], equal_nan=True)
    assert other_covered.summary == covered.summary
    assert_frame_equal(
        pd.DataFrame(other_covered.cells.drop(**drop)), pd.DataFrame(covered.cells.drop(**drop))
    )
    assert not rounds.verified
    assert other_rounds.total_m == rounds.total_m
    order = [[s.point_id for s in r.stops] for r in rounds.rounds]
    assert [[s.point_id for s in r.stops] for r in other_rounds.rounds] == order


def test_maps_are_drawn_alike(embedded: Town, postgis: Town) -> None:
    frame = Frame(language="zh", assets="url")
    pages = []
    for town in (embedded, postgis):
        plan = town.services.locators.plan_at(NOW)
        services = town.services
        pages.append(
            [
                render_html(draw_coverage(services, plan, NOW, frame)),
                render_html(draw_hotspot(services, plan, HotspotChoice(), frame)),
                render_html(draw_patrol(services, plan, PatrolChoice(), frame)),
                render_html(draw_plan(services, plan, frame)),
            ]
        )
    assert all(embedded.made in page for page in (pages[0][0], pages[0][1], pages[0][3]))
    assert pages[1] == pages[0]


def test_the_api_answers_alike(embedded: Town, postgis: Town) -> None:
    with embedded.storage.unit_of_work() as work:
        points = gpd.GeoDataFrame(work.records("points").frame())
    points = points[points["placement"] == "placed"]
    gone = points[points["cell_code"].isin(embedded.gone)]
    asked = pd.concat([gone, points.iloc[::10]])
    community = str(points["cell_code"].iloc[0])[:12]
    paths = [
        f"/api/v1/locate?lon={p.x}&lat={p.y}&datum=cgcs2000&at={at.date()}"
        for p in asked.geometry
        for at in (BEFORE, NOW)
    ]
    paths += [
        "/api/v1/cells?limit=10000",
        f"/api/v1/cells?at={BEFORE.date()}&limit=10000",
        f"/api/v1/cells/{embedded.made}",
        "/api/v1/cases?limit=500",
        f"/api/v1/cases?community={community}",
        f"/api/v1/points?community={community}&visits=true",
        f"/api/v1/plans/{embedded.second}/areas",
        f"/api/v1/plans/{embedded.second}/findings",
        f"/api/v1/plans/{embedded.second}/lineage",
        "/api/v1/streets?limit=100",
        "/api/v1/duties/gaps?role=cell_leader",
    ]
    pages = ["/", "/maps/coverage", "/maps/hotspot", "/maps/patrol", "/maps/plan"]
    answers: list[dict[str, Any]] = []
    for town in (embedded, postgis):
        app = create_app(services=town.services)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            got: dict[str, Any] = {}
            for path in paths:
                answer = client.get(path)
                assert answer.status_code == 200, (path, answer.text[:500])
                got[path] = answer.json()
            body = {"lon": list(asked.geometry.x), "lat": list(asked.geometry.y)}
            got["bulk"] = client.post("/api/v1/locate?datum=cgcs2000", json=body).json()
            for page in pages:
                answer = client.get(page)
                assert answer.status_code == 200, (page, answer.text[:500])
        answers.append(got)
    ours, theirs = answers
    assert theirs == ours
    place_of = gone.geometry.iloc[0]
    here = f"/api/v1/locate?lon={place_of.x}&lat={place_of.y}&datum=cgcs2000"
    assert ours[f"{here}&at={BEFORE.date()}"]["cell_code"] in embedded.gone
    assert ours[f"{here}&at={NOW.date()}"]["cell_code"] == embedded.made
