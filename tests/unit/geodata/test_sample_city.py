"""The sample city keeps its promises: figures, coverage, codes, streets, duties, planted truth."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geodata.sample import SampleCity, build_city
from geodata.sample.terrain import polygon_of
from gridsvc.analysis import find_hotspots
from gridsvc.cases.deadlines import deadlines
from gridsvc.codes import CellCode
from gridsvc.crs import canonical_geometry, to_metric
from gridsvc.layers import LAYERS, Placement, normalize
from gridsvc.quality import certify

EPSG = 4548
Node = tuple[float, float]


def _digest(city: SampleCity) -> str:
    digest = hashlib.sha256(json.dumps(city.truth, ensure_ascii=False).encode())
    for frame in city.frames().values():
        plain = frame.to_wkb() if isinstance(frame, gpd.GeoDataFrame) else frame
        digest.update(plain.to_csv().encode())
    return digest.hexdigest()


def test_figures_of_the_source_document(sample_city: SampleCity) -> None:
    cells = sample_city.cells
    assert len(cells) == 702
    assert cells["community_code"].nunique() == 168
    assert 8 <= cells["subdistrict_code"].nunique() <= 12
    assert len(sample_city.staff) == 2331
    assert sample_city.staff["source"].nunique() == 8
    assert len(sample_city.points) == 519
    assert sample_city.points["category"].nunique() == 18
    assert (sample_city.classes["major_code"].nunique(), len(sample_city.classes)) == (13, 217)
    measured = shapely.area(to_metric(cells.geometry.to_numpy(), EPSG))
    assert measured.sum() == pytest.approx(155.1e6, rel=1e-3)
    assert cells["area_m2"].to_numpy() == pytest.approx(measured, abs=1e-6)


def test_every_frame_is_in_contract_form(sample_city: SampleCity) -> None:
    for name, frame in sample_city.frames().items():
        layer = LAYERS[name]
        again = normalize(frame, layer)
        pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(frame))
        assert list(frame.columns.drop("geometry", errors="ignore")) == layer.column_names


def test_coverage_is_certified_with_the_river_as_exclusion(sample_city: SampleCity) -> None:
    certificate = certify(
        sample_city.cells,
        territory=sample_city.territory,
        exclusions=sample_city.exclusions,
        code_system="cn",
    )
    assert certificate.ok, certificate.findings
    assert list(sample_city.exclusions["kind"]) == ["river"]


def test_certificate_fails_when_a_cell_is_missing(sample_city: SampleCity) -> None:
    certificate = certify(
        sample_city.cells.iloc[1:],
        territory=sample_city.territory,
        exclusions=sample_city.exclusions,
        code_system="cn",
    )
    assert not certificate.ok


def test_coordinates_are_canonical_and_layers_share_the_lattice(sample_city: SampleCity) -> None:
    for layer in ("cells", "exclusions", "streets", "points", "staff", "cases", "facilities"):
        shapes = getattr(sample_city, layer).geometry.dropna().to_numpy()
        assert np.array_equal(
            shapely.get_coordinates(canonical_geometry(shapes)), shapely.get_coordinates(shapes)
        )


def test_codes_nest_and_run_in_reading_order(sample_city: SampleCity) -> None:
    cells = sample_city.cells
    for code, row in cells.iterrows():
        parsed = CellCode.parse(str(code))
        assert len(str(code)) == 15
        assert parsed.community_code == row["community_code"]
        assert parsed.subdistrict_code == row["subdistrict_code"]
    for _, group in cells.groupby("community_code"):
        sequence = [int(str(c)[-3:]) for c in group.index]
        assert sequence == list(range(1, len(group) + 1))
    pair = cells[cells["community_code"].map(cells["community_code"].value_counts()) == 2]
    for _, two in pair.groupby("community_code"):
        middle = shapely.get_coordinates(shapely.centroid(to_metric(two.geometry.to_numpy(), EPSG)))
        assert middle[0, 0] < middle[1, 0] or middle[0, 1] > middle[1, 1]


def test_communities_are_contiguous_and_of_unequal_size(sample_city: SampleCity) -> None:
    sizes = sample_city.cells.groupby("community_code").size()
    assert sizes.min() <= 2
    assert sizes.max() >= 8
    for _, group in sample_city.cells.groupby("community_code"):
        union = shapely.coverage_union_all(group.geometry.to_numpy())
        assert shapely.get_num_geometries(union) == 1
        assert union.geom_type == "Polygon"


def test_dense_cells_are_small_and_hill_cells_are_large(sample_city: SampleCity) -> None:
    cells = sample_city.cells
    density = cells["population"].astype(float) / cells["area_m2"]
    dense = cells.loc[density >= density.quantile(0.7), "area_m2"]
    sparse = cells.loc[density <= density.quantile(0.1), "area_m2"]
    assert dense.median() < 60_000
    assert sparse.median() > 400_000


def test_cells_follow_the_streets(sample_city: SampleCity) -> None:
    """Most street length that is not a drive or bank road runs on cell borders."""
    cells = to_metric(sample_city.cells.geometry.to_numpy(), EPSG)
    streets = sample_city.streets
    kept = ~streets["highway"].isin(["service"]) & ~streets["bridge"]
    kept &= ~streets["name"].fillna("").str.startswith("滨江")
    lines = to_metric(streets.geometry[kept].to_numpy(), EPSG)
    middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    inner = shapely.STRtree(cells).query(middle, predicate="dwithin", distance=0.05)[0]
    on_border = np.bincount(inner, minlength=len(lines)) >= 2
    length = shapely.length(lines)
    assert length[on_border].sum() / length.sum() > 0.97


def test_streets_form_one_network_with_bridges_and_dead_ends(sample_city: SampleCity) -> None:
    streets = sample_city.streets
    ends = [(g.coords[0], g.coords[-1]) for g in streets.geometry]
    parent: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for a, b in ends:
        parent[root(a)] = root(b)
    groups = Counter(root(a) for a, _ in ends)
    assert groups.most_common(1)[0][1] + len(sample_city.truth["street_islands"]) == len(streets)
    degree = Counter(node for pair in ends for node in pair)
    assert sum(d == 1 for d in degree.values()) > 300
    bridges = streets[streets["bridge"]]
    assert len(bridges) >= 5
    assert (bridges["layer"] == 1).all()
    river = sample_city.exclusions.geometry.iloc[0]
    assert bridges.geometry.intersects(river).all()
    dry = streets[~streets["bridge"]].geometry.to_numpy()
    assert shapely.length(shapely.intersection(dry, river)).sum() < 1e-6


def test_without_bridges_the_banks_are_apart(sample_city: SampleCity) -> None:
    streets = sample_city.streets[~sample_city.streets["bridge"]]
    nodes: dict[Node, int] = {}
    edges = []
    for line in streets.geometry:
        a, b = (nodes.setdefault(c, len(nodes)) for c in (line.coords[0], line.coords[-1]))
        edges.append((a, b))
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    row, column = np.array(edges).T
    graph = coo_matrix((np.ones(len(row)), (row, column)), shape=(len(nodes),) * 2)
    _, label = connected_components(graph, directed=False)
    sizes = np.sort(np.bincount(label))[::-1]
    assert sizes[1] > 0.2 * sizes[0]


def test_points_staff_and_cases_lie_in_the_cell_they_name(sample_city: SampleCity) -> None:
    cells = sample_city.cells.geometry
    for name in ("points", "staff", "facilities"):
        frame = getattr(sample_city, name)
        home = cells.loc[frame["cell_code"]].to_numpy()
        assert shapely.contains(home, frame.geometry.to_numpy()).all()
    placed = sample_city.cases[sample_city.cases["placement"] == Placement.PLACED]
    home = cells.loc[placed["cell_code"]].to_numpy()
    assert shapely.intersects(home, placed.geometry.to_numpy()).all()


def test_unplaced_cases_are_as_planted(sample_city: SampleCity) -> None:
    cases, planted = sample_city.cases, sample_city.truth["unplaced"]
    counts = cases["placement"].value_counts()
    assert counts[Placement.OUTSIDE] == planted["outside"] + planted["in_river"]
    assert counts[Placement.NO_COORDINATES] == planted["no_coordinates"]
    assert planted["in_river"] > 0
    assert cases.geometry.isna().sum() == planted["no_coordinates"]
    assert cases["cell_code"].isna().sum() == counts[Placement.OUTSIDE] + planted["no_coordinates"]


def test_references_between_frames_resolve(sample_city: SampleCity) -> None:
    city = sample_city
    units, people = set(city.units.index), set(city.staff.index)
    assert set(city.units["parent_id"].dropna()) <= units
    assert set(city.staff["unit_id"]) <= units
    assert set(city.points["unit_id"]) <= units
    assert set(city.duties["unit_id"].dropna()) <= units
    assert set(city.duties["person_id"].dropna()) <= people
    assert set(city.cases["unit_id"].dropna()) <= units
    assert set(city.cases["person_id"].dropna()) <= people
    assert set(city.cases["class_code"]) <= set(city.classes.index)
    assert set(city.visits["point_id"]) <= set(city.points.index)
    targets = {
        "cell": set(city.cells.index),
        "community": set(city.cells["community_code"]),
        "subdistrict": set(city.cells["subdistrict_code"]),
        "point": set(city.points.index),
        "class": set(city.classes.index),
        "road": set(city.streets["name"].dropna()),
        "river": set(city.exclusions.index),
    }
    for kind, group in city.duties.groupby("target_kind"):
        assert set(group["target_code"]) <= targets[str(kind)], kind


def test_leaders_vacancies_and_doubles_are_as_written(sample_city: SampleCity) -> None:
    at = pd.Timestamp("2026-06-01T00:00:00Z")
    duties = sample_city.duties
    valid = (duties["valid_from"] <= at) & (duties["valid_to"].isna() | (duties["valid_to"] > at))
    leaders = duties[valid & (duties["role"] == "cell_leader")]
    count = leaders.groupby("target_code").size().reindex(sample_city.cells.index, fill_value=0)
    assert sorted(count[count == 0].index) == sample_city.truth["cells_without_leader"]
    assert sorted(count[count == 2].index) == sample_city.truth["cells_with_two_leaders"]
    assert count.max() == 2


def test_handovers_change_the_person(sample_city: SampleCity) -> None:
    duties = sample_city.duties
    leaders = duties[duties["role"] == "cell_leader"]
    for key in ("handover_past", "handover_future"):
        planted = sample_city.truth[key]
        for cell in planted["cells"]:
            two = leaders[leaders["target_code"] == cell].sort_values("valid_from")
            assert len(two) == 2
            assert two["person_id"].nunique() == 2
            assert two["valid_to"].iloc[0] == two["valid_from"].iloc[1]
            assert two["valid_from"].iloc[1] == pd.Timestamp(planted["at"])


def test_neglected_points_are_as_written(sample_city: SampleCity) -> None:
    truth, visits = sample_city.truth, sample_city.visits
    last = visits.groupby("point_id")["visited_at"].max().reindex(sample_city.points.index)
    assert sorted(last[last.isna()].index) == truth["points_never_visited"]
    limit = visits["visited_at"].max() - pd.Timedelta(days=truth["long_unvisited_days"] - 2)
    late = set(last[last < limit].index)
    assert set(truth["points_long_unvisited"]) <= late
    both = sample_city.points.index[sample_city.points["visit_window"] == "both"]
    at_night = set(visits.loc[visits["window"] == "night", "point_id"])
    no_night = set(both) - at_night - set(truth["points_never_visited"])
    assert set(truth["points_never_visited_at_night"]) <= no_night


def test_hot_spots_stand_out(sample_city: SampleCity) -> None:
    """In its days, within its radius, a planted class is far denser than elsewhere."""
    cases, classes = sample_city.cases, sample_city.classes
    placed = cases[cases["placement"] == Placement.PLACED]
    xy = shapely.get_coordinates(to_metric(placed.geometry.to_numpy(), EPSG))
    name = classes["name"].reindex(placed["class_code"]).to_numpy()
    assert len(sample_city.truth["hot_spots"]) == 6
    for spot in sample_city.truth["hot_spots"]:
        middle = shapely.get_coordinates(to_metric(shapely.Point(spot["lon"], spot["lat"]), EPSG))[
            0
        ]
        inside = np.hypot(*(xy - middle).T) <= spot["radius_m"]
        of_class = name == spot["class_name"]
        assert (inside & of_class).sum() >= 0.6 * spot["cases"]
        share_inside = of_class[inside].mean()
        assert share_inside > 4.0 * of_class[~inside].mean(), spot["name"]
        assert sum(spot["cells"].values()) == spot["cases"]


def test_recurring_spots_are_close_and_of_one_class(sample_city: SampleCity) -> None:
    cases = sample_city.cases
    for spot in sample_city.truth["recurring_spots"]:
        group = cases.loc[spot["case_ids"]]
        assert len(group) == spot["cases"] >= 6
        assert group["class_code"].nunique() == 1
        xy = shapely.get_coordinates(to_metric(group.geometry.to_numpy(), EPSG))
        assert np.ptp(xy, axis=0).max() <= 2 * spot["radius_m"] + 0.1


def test_default_geocode_is_one_identical_coordinate(sample_city: SampleCity) -> None:
    pile = sample_city.truth["default_geocode"]
    at = Counter(zip(sample_city.cases.geometry.x, sample_city.cases.geometry.y, strict=True))
    assert at[(pile["lon"], pile["lat"])] == pile["cases"]
    others = [n for place, n in at.items() if place != (pile["lon"], pile["lat"])]
    assert max(others) < pile["cases"] / 5


def test_reports_have_seasons_and_a_day(sample_city: SampleCity) -> None:
    local = sample_city.cases["reported_at"].dt.tz_convert("Asia/Shanghai")
    by_hour = local.dt.hour.value_counts()
    assert by_hour[9] > 4 * by_hour[3]
    by_day = local.dt.day_of_week.value_counts()
    assert by_day[6] < 0.8 * by_day[2]
    assert local.min() >= pd.Timestamp("2025-11-21", tz="Asia/Shanghai")
    assert (local.max() - local.min()).days >= 363


def test_private_columns_hold_only_numbers_that_no_network_assigns(sample_city: SampleCity) -> None:
    for frame in (sample_city.staff, sample_city.units, sample_city.cases):
        numbers = frame["phone"].dropna()
        assert len(numbers) > 0
        assert numbers.str.fullmatch(r"100\d{8}").all()
    for name in ("staff", "units", "cases"):
        assert LAYERS[name].column("phone").private


def test_same_seed_same_bytes_and_other_seed_other_city() -> None:
    first, second = (build_city(7, 80, cases_per_cell=5.0) for _ in range(2))
    assert _digest(first) == _digest(second)
    other = build_city(8, 80, cases_per_cell=5.0)
    assert _digest(first) != _digest(other)


def test_too_few_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 60"):
        build_city(cells=10)


def test_truth_is_json(sample_city: SampleCity) -> None:
    assert json.loads(json.dumps(sample_city.truth)) == sample_city.truth


@pytest.mark.parametrize(
    ("reported", "hours", "clock", "expected"),
    [
        # Monday 2026-03-02; local times, work 08-12 and 14-18.
        ("2026-03-02T09:00", 2.0, "work_hour", "2026-03-02T11:00"),
        ("2026-03-02T11:00", 2.0, "work_hour", "2026-03-02T15:00"),
        ("2026-03-02T17:00", 2.0, "work_hour", "2026-03-03T09:00"),
        ("2026-03-06T17:00", 8.0, "work_hour", "2026-03-09T17:00"),
        ("2026-03-07T10:00", 4.0, "work_hour", "2026-03-09T12:00"),
        ("2026-03-02T06:00", 56.0, "workday", "2026-03-10T18:00"),
        ("2026-03-06T23:00", 2.0, "urgent_hour", "2026-03-07T01:00"),
        # No hours: at once, also before, between and after work times.
        ("2026-03-02T06:00", 0.0, "work_hour", "2026-03-02T06:00"),
        ("2026-03-02T12:30", 0.0, "workday", "2026-03-02T12:30"),
        ("2026-03-07T10:00", 0.0, "work_hour", "2026-03-07T10:00"),
    ],
)
def test_deadlines_count_work_time(reported: str, hours: float, clock: str, expected: str) -> None:
    zone = "Asia/Shanghai"
    at = pd.DatetimeIndex([pd.Timestamp(reported, tz=zone).tz_convert("UTC")])
    found = deadlines(at, np.array([hours]), np.array([clock], dtype=object))
    assert found[0] == pd.Timestamp(expected, tz=zone)


def test_polygon_of_takes_the_largest_part() -> None:
    small, large = shapely.box(0, 0, 1, 1), shapely.box(5, 5, 9, 9)
    assert polygon_of(shapely.MultiPolygon([small, large])) == large


def test_the_analysis_finds_what_was_planted(sample_city: SampleCity) -> None:
    """Gi* in the planted days and class is hot where the planted cases are dense."""
    at = pd.Timestamp("2026-11-22T00:00:00Z").to_pydatetime()
    code_of = {str(row["name"]): str(code) for code, row in sample_city.classes.iterrows()}
    for spot in sample_city.truth["hot_spots"]:
        result = find_hotspots(
            sample_city.cases,
            sample_city.cells,
            plan_id="sample",
            updated_at=at,
            since=pd.Timestamp(spot["from"]).to_pydatetime(),
            until=pd.Timestamp(spot["to"]).to_pydatetime(),
            classes=[code_of[spot["class_name"]]],
            bandwidth_m=None,
            keep_points=False,
        )
        hot = set(result.cells.index[result.cells["hotspot"].str.startswith("hot")])
        dense = {code for code, count in spot["cells"].items() if count >= 10}
        assert len(dense & hot) >= 0.8 * len(dense) > 0, spot["name"]
        assert len(hot) < 0.06 * len(sample_city.cells), spot["name"]
