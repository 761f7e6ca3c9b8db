from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from gridsvc.analysis.results import PatrolPlan
from gridsvc.errors import InputError
from gridsvc.patrol import (
    NoStart,
    WalkNetwork,
    one_tree_bound,
    plan_point_rounds,
    to_geojson,
    to_geojson_text,
    to_gpx,
    to_kml,
)
from tests.unit.gridsvc.patrol_data import EPSG, line, points, spot, streets, town

NOW = datetime(2024, 5, 1, tzinfo=UTC)
NET = WalkNetwork.from_streets(town(), EPSG)
PLACES = [(0, 10), (110, 200), (390, 400), (200, 5), (330, 100), (50, 300), (250, 395)]


def plan(
    frame: gpd.GeoDataFrame | None = None, net: WalkNetwork = NET, **options: Any
) -> PatrolPlan:
    options.setdefault("start", spot(200, 200))
    options.setdefault("iterations", 300)
    return plan_point_rounds(
        points(PLACES) if frame is None else frame, net, plan_id="p1", created_at=NOW, **options
    )


def test_one_walker_walks_the_optimum() -> None:
    result = plan()
    assert result.verified == ()
    assert [len(r.stops) for r in result.rounds] == [7]
    matrix = NET.matrix(NET.snap([spot(200, 200), *(spot(*p) for p in PLACES)]))
    best = min(
        sum(matrix[a, b] for a, b in itertools.pairwise((0, *order, 0)))
        for order in itertools.permutations(range(1, 8))
    )
    assert result.total_m == pytest.approx(best, abs=0.05 * 8)
    assert result.lower_bound_m is not None
    assert result.lower_bound_m <= best + 1e-6


def test_the_bound_is_below_the_optimum_and_near_it() -> None:
    rng = np.random.default_rng(4)
    for size in (2, 3, 4, 6, 8):
        for _ in range(5):
            xy = rng.random((size, 2)) * 1000
            d = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
            best = min(
                sum(d[a, b] for a, b in itertools.pairwise((0, *order, 0)))
                for order in itertools.permutations(range(1, size))
            )
            bound = one_tree_bound(d)
            assert 0.9 * best < bound <= best
    assert one_tree_bound(np.zeros((1, 1))) == 0.0
    assert one_tree_bound(np.zeros((5, 5))) == 0.0


def test_times_and_lengths_add_up() -> None:
    result = plan(points(PLACES, service_minutes=[float(i) for i in range(7)]), speed_m_s=2.0)
    (walked,) = result.rounds
    clock = 0.0
    for stop in walked.stops:
        clock += stop.walk_m / 2.0
        assert stop.arrive_s == pytest.approx(clock)
        clock += stop.service_s
    assert walked.service_s == 21 * 60
    assert walked.length_m == pytest.approx(result.total_m)
    assert walked.duration_s == pytest.approx(result.total_m / 2.0 + 21 * 60)
    assert len(walked.path) == 8
    assert walked.path.crs.to_epsg() == 4490


def test_repeats_bit_for_bit() -> None:
    one, two = (plan(inspectors=2, seed=3) for _ in range(2))
    assert to_gpx(one) == to_gpx(two)
    assert to_geojson_text(one) == to_geojson_text(two)
    shuffled = points(PLACES).iloc[::-1]
    assert to_gpx(plan(shuffled, inspectors=2, seed=3)) == to_gpx(one)


def test_several_inspectors_are_named_and_balanced() -> None:
    rng = np.random.default_rng(5)
    frame = points([tuple(p) for p in rng.random((24, 2)) * 400])
    people = [("u1", "王"), ("u2", "李"), ("u3", "赵")]
    fair = plan(frame, inspectors=people)
    assert fair.verified == ()
    assert [r.person_id for r in fair.rounds] == ["u1", "u2", "u3"]
    durations = [r.duration_s for r in fair.rounds]
    assert max(durations) < 1.25 * min(durations)
    free = plan(frame, inspectors=people, balance=False)
    assert free.total_m <= fair.total_m + 1.0
    assert fair.lower_bound_m is not None
    assert fair.lower_bound_m <= free.total_m


def test_points_that_cannot_be_served_are_dropped_with_the_reason() -> None:
    lines = [*town().geometry, line((2000, 0), (2100, 0))]
    net = WalkNetwork.from_streets(streets(lines), EPSG)
    frame = points([(10, 10), (50, 3000), (2050, 10), (200, 10)])
    frame.loc["P003", "geometry"] = None
    result = plan(frame, net)
    assert result.verified == ()
    assert [s.point_id for s in result.rounds[0].stops] == ["P000"]
    reasons = dict(zip(result.dropped["point_id"], result.dropped["reason"], strict=True))
    assert reasons == {"P001": "off_network:2600", "P002": "unreachable", "P003": "no_coordinates"}
    assert any("2 parts" in note.en for note in result.notes)


def test_windows_filter() -> None:
    frame = points(PLACES, visit_window=["day", "night", "both", "day", "night", "day", "both"])
    night = plan(frame, window="night")
    assert sorted(s.point_id for s in night.rounds[0].stops) == ["P001", "P002", "P004", "P006"]
    assert night.verified == ()
    assert night.rounds[0].window == "night"
    assert any("3 of the other window" in note.en for note in night.notes)
    frame.loc["P001", "geometry"] = None
    assert any("3 of the other window" in n.en for n in plan(frame, window="night").notes)
    assert plan(points(PLACES), window="day").notes == ()


def test_a_short_shift_drops_points_and_keeps_the_limit() -> None:
    result = plan(max_duration_s=3000.0)
    assert result.verified == ()
    assert all(r.duration_s <= 3000.0 for r in result.rounds)
    assert 0 < len(result.dropped) < 7
    assert set(result.dropped["reason"]) == {"no_time"}


def test_start_is_a_point_in_the_middle_when_none_is_given() -> None:
    result = plan(start=None)
    assert result.rounds[0].start in list(points(PLACES).geometry)
    assert result.verified == ()


def test_start_off_the_network_is_refused() -> None:
    with pytest.raises(NoStart, match="600 m"):
        plan(start=spot(1000, 200))


def test_nothing_to_visit_gives_an_empty_plan() -> None:
    result = plan(points([]), start=None)
    assert (result.rounds, result.total_m) == ((), 0.0)
    assert to_geojson(result)["features"] == []


def test_points_on_one_spot_and_at_the_start() -> None:
    result = plan(points([(200, 200), (200, 200), (100, 200)]))
    assert result.verified == ()
    assert result.total_m == pytest.approx(200, abs=0.1)


@pytest.mark.parametrize(
    "options",
    [
        {"inspectors": 0},
        {"speed_m_s": 0.0},
        {"max_duration_s": 1.0},
        {"window": "dusk"},
        {"iterations": 0},
        {"max_snap_m": -1.0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        plan(**{"iterations": 10, **options})


def test_turns_say_where_to_go() -> None:
    net = WalkNetwork.from_streets(
        streets([line((0, 0), (100, 0), (200, 0)), line((100, 0), (100, 80))]), EPSG
    )
    result = plan(points([(100, 80)]), net, start=spot(0, 0))
    assert [(t.instruction, t.street) for t in result.rounds[0].turns] == [
        ("depart", "街0"), ("left", "街1"), ("arrive", ""),
        ("continue", "街1"), ("right", "街0"), ("finish", ""),
    ]  # fmt: skip
    turns = result.rounds[0].turns
    assert [round(t.length_m) for t in turns] == [100, 80, 0, 80, 100, 0]
    assert turns[0].bearing_deg == pytest.approx(90, abs=0.5)
    assert min(turns[1].bearing_deg, 360 - turns[1].bearing_deg) < 0.5


def test_gpx_is_well_formed_and_hostile_names_are_text() -> None:
    frame = points([(10, 0), (100, 0)], category="<b>")
    frame["name"] = ["<img onerror=x>&\x00", "]]>中文"]
    text = to_gpx(plan(frame))
    root = ET.fromstring(text)  # noqa: S314
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    names = {w.findtext("g:name", namespaces=space) for w in root.findall("g:wpt", space)}
    assert {n.split(" ", 1)[1] for n in names if n} == {"<img onerror=x>&", "]]>中文"}
    assert len(root.findall("g:rte/g:rtept", space)) == 4
    assert len(root.findall("g:trk/g:trkseg", space)) == 3
    order = [child.tag.split("}")[1] for child in root]
    assert order == sorted(order, key=["metadata", "wpt", "rte", "trk"].index)


def test_kml_is_well_formed_and_hostile_names_are_text() -> None:
    frame = points([(10, 0), (100, 0), (200, 100)], category="<b>")
    frame["name"] = ["<img onerror=x>&\x00", "]]>中文", "三"]
    made = plan(frame, inspectors=2)
    text = to_kml(made)
    assert text == to_kml(made)
    root = ET.fromstring(text)  # noqa: S314
    space = {"k": "http://www.opengis.net/kml/2.2"}
    folders = root.findall("k:Document/k:Folder", space)
    assert len(folders) == len(made.rounds) == 2
    stops = [
        mark.findtext("k:name", namespaces=space)
        for folder in folders
        for mark in folder.findall("k:Placemark[k:Point]", space)
        if mark.find("k:description", space) is not None
    ]
    assert sorted(str(s).split(" ", 1)[1] for s in stops) == ["<img onerror=x>&", "]]>中文", "三"]
    for folder, walked in zip(folders, made.rounds, strict=True):
        drawn = folder.findall(".//k:LineString/k:coordinates", space)
        assert len(drawn) == sum(not leg.is_empty for leg in walked.path)
        lon, lat = (float(v) for v in str(drawn[0].text).split()[0].split(","))
        assert (lon, lat) == pytest.approx(walked.path.iloc[0].coords[0], abs=1e-9)
        style = folder.findtext("k:Placemark/k:styleUrl", namespaces=space)
        assert root.find(f"k:Document/k:Style[@id='{str(style)[1:]}']", space) is not None


def test_geojson_holds_legs_stops_and_figures() -> None:
    result = plan()
    document = to_geojson(result)
    kinds = [f["properties"]["kind"] for f in document["features"]]
    assert (kinds.count("leg"), kinds.count("stop"), kinds.count("start")) == (8, 7, 1)
    assert document["plan"]["verified"] is True
    assert document["plan"]["total_m"] == round(result.total_m, 1)


def test_bare_points_take_the_defaults_of_the_contract() -> None:
    whole = points(PLACES)
    bare = gpd.GeoDataFrame(geometry=whole.geometry.to_numpy(), crs=4326)
    result = plan_point_rounds(bare, NET, start=spot(200, 200), iterations=300, window="day")
    assert result.verified == ()
    assert (result.plan_id, result.created_at.tzinfo is not None) == ("", True)
    stops = result.rounds[0].stops
    assert {s.service_s for s in stops} == {600.0}
    assert sorted(s.name for s in stops) == [str(i) for i in range(7)]
    assert result.total_m == pytest.approx(plan().total_m)
    dated = plan_point_rounds(bare, NET, created_at="2024-05-01T08:00", iterations=300)
    assert dated.created_at == NOW
    with pytest.raises(InputError, match=r"\.to_crs\(4490\)"):
        plan_point_rounds(bare.to_crs(EPSG), NET)
