"""Datum conversion against published vectors and its own inverse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsvc.datum import convert
from gridsvc.errors import UnknownDatum
from gridsvc.types import Datum

# (source, target, lon, lat, expected lon, expected lat, tolerance in degrees)
# Vectors with the number of published digits decide the tolerance.
VECTORS = [
    ("wgs84", "gcj02", 121.5272106, 31.1774276, 121.531541859215, 31.17530398364597, 1e-12),
    ("wgs84", "gcj02", 113.912316, 22.543847, 113.9171764808363, 22.540796131694766, 1e-12),
    ("wgs84", "gcj02", 116.377817, 39.911954, 116.38404722455657, 39.91334545536069, 1e-12),
    ("wgs84", "gcj02", 116.404, 39.915, 116.41024449916938, 39.91640428150164, 1e-12),
    ("gcj02", "wgs84", 116.404, 39.915, 116.39775575457, 39.91359623561, 2e-11),
    ("gcj02", "bd09", 116.404, 39.915, 116.41036949371029, 39.92133699351021, 1e-12),
    # The closed form is 0.22 m off at most; ours solves the equation, so only that is asked.
    ("bd09", "gcj02", 116.404, 39.915, 116.39762729119315, 39.90865673957631, 3e-6),
    ("wgs84", "bd09", 116.403988, 39.914266, 116.41661560068297, 39.92196580126834, 1e-10),
    ("gcj02", "wgs84", 123.0, 45.0, 122.99395581, 44.99804062, 1e-8),
    ("gcj02", "wgs84", 123.0, 45.0, 122.99395597, 44.99804071, 1e-5),
    ("gcj02", "bd09", 123.0, 45.0, 123.00636499, 45.00636899, 1e-8),
    ("bd09", "gcj02", 123.0, 45.0, 122.99363304, 44.99365430, 3e-6),
    ("bd09", "wgs84", 123.0, 45.0, 122.98762258, 44.99171457, 1e-8),
    ("bd09", "wgs84", 123.0, 45.0, 122.98762210, 44.99171540, 1e-5),
]

# Places of the source documents as a provider gives them: WGS-84, GCJ-02, BD-09.
PLACES = {
    "温州": (120.6953127, 27.9971173, 120.6993688, 27.9938322, 120.7058483, 28.0000072),
    "三明": (117.6337873, 26.2668411, 117.6386849, 26.2634115, 117.6452046, 26.2692531),
    "莱芜": (117.6708588, 36.2138283, 117.6767323, 36.2138184, 117.6832831, 36.2195866),
    "蚌埠": (117.3838749, 32.9179942, 117.3897222, 32.9162901, 117.396239, 32.9223004),
    "淮北": (116.7928599, 33.957264, 116.7982688, 33.9558493, 116.8048074, 33.9617011),
    "邢台": (114.498916, 37.0700925, 114.5048503, 37.0705911, 114.5113116, 37.0766797),
}


def metres(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Distance on a sphere, good to 0.3 % at these lengths."""
    x = np.radians(lon_b - lon_a) * np.cos(np.radians((lat_a + lat_b) / 2))
    return float(np.hypot(x, np.radians(lat_b - lat_a)) * 6371008.8)


@pytest.mark.parametrize(("source", "target", "lon", "lat", "want_lon", "want_lat", "tol"), VECTORS)
def test_published_vector(
    source: str, target: str, lon: float, lat: float, want_lon: float, want_lat: float, tol: float
) -> None:
    got_lon, got_lat = convert(lon, lat, source, target)
    assert abs(float(got_lon) - want_lon) <= tol
    assert abs(float(got_lat) - want_lat) <= tol


def test_one_step_inverse_of_most_libraries_is_metres_off() -> None:
    # 116.39775550083061, 39.91359571849836 is what a single step gives: 5 cm from the solution.
    lon, lat = convert(116.404, 39.915, "gcj02", "wgs84")
    assert 0.01 < metres(float(lon), float(lat), 116.39775550083061, 39.91359571849836) < 0.1


@pytest.mark.parametrize("name", PLACES)
def test_places_of_the_documents_agree_with_a_provider_within_a_metre(name: str) -> None:
    w_lon, w_lat, g_lon, g_lat, b_lon, b_lat = PLACES[name]
    for source, target, start, want in (
        ("wgs84", "gcj02", (w_lon, w_lat), (g_lon, g_lat)),
        ("wgs84", "bd09", (w_lon, w_lat), (b_lon, b_lat)),
        ("gcj02", "wgs84", (g_lon, g_lat), (w_lon, w_lat)),
        ("bd09", "wgs84", (b_lon, b_lat), (w_lon, w_lat)),
        ("gcj02", "bd09", (g_lon, g_lat), (b_lon, b_lat)),
    ):
        lon, lat = convert(*start, source, target)
        assert metres(float(lon), float(lat), *want) <= 1.0


def test_places_of_the_whole_country_agree_with_a_provider(shared_data: Path) -> None:
    records = json.loads((shared_data / "datum/gcoord_china_cities.json").read_text("utf-8"))
    rows = records if isinstance(records, list) else list(records.values())
    checked = 0
    for row in rows:
        coords = row.get("coords", row)
        w, g = coords.get("WGS84"), coords.get("GCJ02")
        if w is None or g is None:
            continue
        lon, lat = convert(w[0], w[1], "wgs84", "gcj02")
        assert metres(float(lon), float(lat), g[0], g[1]) <= 1.0
        checked += 1
    assert checked > 600


@given(
    st.floats(73.5, 134.7), st.floats(18.2, 53.5),
    st.sampled_from(list(Datum)), st.sampled_from(list(Datum)),
)  # fmt: skip
def test_round_trip_closes_below_a_centimetre(lon: float, lat: float, a: Datum, b: Datum) -> None:
    there = convert(lon, lat, a, b)
    back_lon, back_lat = convert(*there, b, a)
    assert metres(lon, lat, float(back_lon), float(back_lat)) < 0.01


@given(st.lists(st.tuples(st.floats(73.5, 134.7), st.floats(18.2, 53.5)), min_size=1, max_size=20))
def test_arrays_equal_single_conversions(points: list[tuple[float, float]]) -> None:
    lon = np.array([p[0] for p in points])
    lat = np.array([p[1] for p in points])
    got = convert(lon, lat, "bd09", "wgs84")
    for i, (x, y) in enumerate(points):
        one = convert(x, y, "bd09", "wgs84")
        assert metres(float(got[0][i]), float(got[1][i]), float(one[0]), float(one[1])) < 1e-5


def test_no_shift_outside_the_mainland_box() -> None:
    for lon, lat in ((-71.0587, 42.3594), (2.35, 48.85), (151.2, -33.9)):
        for source in Datum:
            for target in Datum:
                got = convert(lon, lat, source, target)
                assert (float(got[0]), float(got[1])) == (lon, lat)


def test_missing_coordinates_stay_missing_beside_good_ones() -> None:
    lon, lat = convert(np.array([np.nan, 116.404]), np.array([39.9, 39.915]), "gcj02", "wgs84")
    assert np.isnan(lon[0])
    assert abs(lon[1] - 116.39775575457) < 2e-11
    assert abs(lat[1] - 39.91359623561) < 2e-11


def test_input_is_not_changed_and_not_shared() -> None:
    lon, lat = np.array([116.404]), np.array([39.915])
    got_lon, _ = convert(lon, lat, "wgs84", "cgcs2000")
    got_lon[0] = 0.0
    assert lon[0] == 116.404


def test_unknown_datum_names_the_choices() -> None:
    with pytest.raises(UnknownDatum, match="gcj02"):
        convert(116.0, 39.0, "wgs72", "wgs84")


@pytest.mark.parametrize("target", ["wgs84", "gcj02", "bd09"])
@pytest.mark.parametrize("source", ["wgs84", "gcj02", "bd09"])
@pytest.mark.parametrize(
    ("lon", "lat"),
    [(1000.0, 1.7976931348623157e308), (-1.7976931348623157e308, 26.0), (1e200, -1e200)],
)
def test_what_overflows_is_no_place_afterwards_either(
    lon: float, lat: float, source: str, target: str
) -> None:
    x, y = convert(lon, lat, source, target)
    assert not (abs(x) <= 180.0 and abs(y) <= 90.0)
