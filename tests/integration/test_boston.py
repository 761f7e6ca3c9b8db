"""A real city: block groups under tracts under neighbourhoods, 93,963 requests, one pile."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc import crs, layers
from gridsvc.analysis import find_hotspots, geocode_piles
from gridsvc.analysis.results import HotspotResult
from gridsvc.locate import Locator
from gridsvc.patrol import WalkNetwork, plan_point_rounds

EPSG = 32619
NOW = datetime(2024, 5, 1, tzinfo=UTC)
PILE = (-71.0587, 42.3594)


def read(folder: Path, name: str) -> gpd.GeoDataFrame:
    frame = gpd.read_parquet(folder / "boston" / f"{name}.parquet")  # noqa: TID251
    return frame.to_crs(4490)


@pytest.fixture(scope="module")
def cells(shared_data: Path) -> gpd.GeoDataFrame:
    """Block groups whose centre lies in the city, under tracts, under neighbourhoods."""
    groups = read(shared_data, "boston_area_block_groups_2020")
    city = shapely.make_valid(read(shared_data, "boston_city_boundary_epsg2249").geometry.iloc[0])
    hoods = read(shared_data, "boston_neighborhoods")
    inside = shapely.contains(city, shapely.centroid(groups.geometry.to_numpy()))
    # One block group, the harbour islands, comes in seven rows: its parts.
    groups = groups[inside].dissolve("geoid", as_index=False).sort_values("geoid")
    own = crs.to_metric(groups.geometry.to_numpy(), EPSG)
    theirs = crs.to_metric(shapely.make_valid(hoods.geometry.to_numpy()), EPSG)
    group, hood = shapely.STRtree(theirs).query(own, predicate="intersects")
    table = pd.DataFrame(
        {
            "group": group,
            "hood": hood,
            "area": shapely.area(shapely.intersection(own[group], theirs[hood])),
        }
    )
    largest = table.sort_values(["group", "area", "hood"]).groupby("group")["hood"].last()
    name = hoods["Name"].to_numpy()[largest.reindex(range(len(groups))).to_numpy(dtype=int)]
    frame = gpd.GeoDataFrame(
        {
            "name": groups["geoid"].to_numpy(),
            "community_code": groups["tract"].to_numpy(),
            "community_name": groups["tract"].to_numpy(),
            "subdistrict_code": name,
            "subdistrict_name": name,
            "area_m2": shapely.area(own),
        },
        index=pd.Index(groups["geoid"].to_numpy(), name="code"),
        geometry=crs.canonical_geometry(groups.geometry.to_numpy()),
        crs=4490,
    )
    return layers.normalize(frame, layers.CELLS, source="block groups")


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> gpd.GeoDataFrame:
    """The requests of January to September 2015; their type is the class."""
    raw = read(shared_data, "boston_311_2015_q1_q3")
    frame = gpd.GeoDataFrame(
        {
            "class_code": raw["TYPE"].to_numpy(),
            "major_code": raw["REASON"].to_numpy(),
            "reported_at": pd.to_datetime(raw["OPEN_DT"]).dt.tz_localize("America/New_York"),
        },
        geometry=crs.canonical_geometry(raw.geometry.to_numpy()),
        crs=4490,
    )
    frame.index = pd.Index([f"{i}" for i in range(len(frame))], name="case_id")
    return layers.normalize(frame, layers.CASES, source="requests")


@pytest.fixture(scope="module")
def locator(cells: gpd.GeoDataFrame) -> Locator:
    return Locator.from_cells(cells)


def run(
    cases: gpd.GeoDataFrame, cells: gpd.GeoDataFrame, locator: Locator, *, aside: bool
) -> HotspotResult:
    return find_hotspots(
        cases, cells, plan_id="boston", updated_at=NOW, locator=locator, set_aside=aside,
        metric_epsg=EPSG,
    )  # fmt: skip


@pytest.fixture(scope="module")
def without_pile(
    cases: gpd.GeoDataFrame, cells: gpd.GeoDataFrame, locator: Locator
) -> HotspotResult:
    return run(cases, cells, locator, aside=True)


@pytest.fixture(scope="module")
def with_pile(cases: gpd.GeoDataFrame, cells: gpd.GeoDataFrame, locator: Locator) -> HotspotResult:
    return run(cases, cells, locator, aside=False)


def test_hierarchy(cells: gpd.GeoDataFrame) -> None:
    assert shapely.coverage_is_valid(cells.geometry.to_numpy())
    assert cells.groupby("community_code")["subdistrict_code"].nunique().max() <= 3
    assert 15 <= cells["subdistrict_code"].nunique() <= 26
    assert cells.index.str.startswith("25025").all()
    assert all(c.startswith(t) for c, t in zip(cells.index, cells["community_code"], strict=True))


def test_no_request_is_lost(
    cases: gpd.GeoDataFrame, with_pile: HotspotResult, without_pile: HotspotResult
) -> None:
    assert len(cases) == 93_963
    for result in (with_pile, without_pile):
        assert result.n + result.n_set_aside + result.n_unplaced == 93_963
        assert result.cells["count"].sum() == result.n
    assert with_pile.n_set_aside == 0


def test_counts_equal_geopandas_on_every_interior_point(
    cases: gpd.GeoDataFrame, cells: gpd.GeoDataFrame, locator: Locator
) -> None:
    xy = shapely.get_coordinates(cases.geometry.to_numpy())
    found = np.asarray(locator.locate_many(xy[:, 0].copy(), xy[:, 1].copy()))
    joined = gpd.sjoin(
        cases[["geometry"]], cells[["geometry"]].rename_axis("cell"), predicate="intersects"
    )
    covering = joined.groupby(joined.index)["cell"].agg(list)
    interior = covering[covering.map(len) == 1].map(lambda names: names[0])
    codes = np.array([*locator.codes, None], dtype=object)
    mine = pd.Series(codes[found], index=cases.index)
    assert len(interior) > 90_000
    assert mine[interior.index].equals(interior.astype(mine.dtype))
    theirs = interior.value_counts().sort_index()
    assert mine[interior.index].value_counts().sort_index().equals(theirs)
    # On a border the lowest code has it; outside nobody.
    border = covering[covering.map(len) > 1]
    assert all(mine[i] == min(names) for i, names in border.items())
    assert mine[cases.index.difference(covering.index)].isna().all()


def test_the_city_hall_pile_is_found_by_itself(cases: gpd.GeoDataFrame) -> None:
    piles, member = geocode_piles(cases)
    assert [(p.lon, p.lat, p.count) for p in piles] == [(*PILE, 13_425)]
    assert piles[0].distinct_classes == 139
    assert piles[0].share == pytest.approx(13_425 / 93_963)
    assert member.sum() == 13_425


def test_hot_spots_with_and_without_the_pile(
    with_pile: HotspotResult, without_pile: HotspotResult
) -> None:
    hall = without_pile.piles[0].cell_code
    assert hall is not None
    assert without_pile.n_set_aside == 13_425
    assert with_pile.cells.at[hall, "count"] - without_pile.cells.at[hall, "count"] == 13_425
    assert with_pile.cells.at[hall, "hotspot"] == "hot_99"
    real = {c for c, h in without_pile.cells["hotspot"].items() if h.startswith("hot")}
    false = {c for c, h in with_pile.cells["hotspot"].items() if h.startswith("hot")}
    # One outlier swells the variance: true hot cells disappear behind the false one.
    assert len(real - false) > len(false - real)
    assert with_pile.density is not None
    assert without_pile.density is not None
    assert with_pile.density.values.max() > 3 * without_pile.density.values.max()


def test_rounds_over_real_requests_on_real_streets(
    shared_data: Path, cases: gpd.GeoDataFrame
) -> None:
    """Streets in 73 parts: what cannot be walked to is named, the rest is verified."""
    streets = read(shared_data, "boston_streets_osm")
    streets.index = pd.Index([f"s{i}" for i in range(len(streets))], name="street_id")
    network = WalkNetwork.from_streets(
        layers.normalize(streets, layers.STREETS, source="streets"), EPSG
    )
    near = cases[cases["class_code"] == "Graffiti Removal"].cx[-71.09:-71.06, 42.34:42.36]
    places = near.drop_duplicates("geometry").iloc[::8].head(40)
    points = layers.normalize(
        gpd.GeoDataFrame(
            {"name": places.index.to_numpy(), "category": "graffiti"},
            index=pd.Index(places.index, name="point_id"),
            geometry=places.geometry.to_numpy(),
            crs=4490,
        ),
        layers.POINTS,
    )
    plan = plan_point_rounds(
        points, network, plan_id="boston", created_at=NOW, inspectors=2, iterations=400
    )
    assert plan.verified == ()
    assert sum(len(r.stops) for r in plan.rounds) + len(plan.dropped) == len(points) == 40
    assert plan.lower_bound_m is not None
    assert plan.lower_bound_m <= plan.total_m
    assert any("73 parts" in note.en for note in plan.notes)
