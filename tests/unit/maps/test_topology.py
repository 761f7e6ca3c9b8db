"""Borders sent once bound the same areas as before, and stay matched when simplified."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from maps import document, encoding, topology
from maps.topology import Arcs, share_borders, shared_arcs
from tests.unit.locate_city import cells as city

from .builders import areas, cells


def lines_of(made: Arcs) -> list[np.ndarray[Any, Any]]:
    """The arcs as the browser reads them, in steps."""
    lines, begin = [], np.zeros(2, dtype=np.int64)
    for steps in made.arcs:
        table = np.asarray(steps, dtype=np.int64).reshape(-1, 2)
        table[0] += begin
        begin = table[0].copy()
        lines.append(np.cumsum(table, axis=0))
    return lines


def area_of(made: Arcs, polygons: list[list[list[int]]]) -> Any:
    """An area put together from its arcs, in steps."""
    lines = lines_of(made)

    def ring(numbers: list[int]) -> list[list[int]]:
        points: list[list[int]] = []
        for number in numbers:
            line = lines[number] if number >= 0 else lines[~number][::-1]
            assert not points or points[-1] == line[0].tolist()
            points += line.tolist() if not points else line[1:].tolist()
        assert points[0] == points[-1]
        return points

    return MultiPolygon(
        [Polygon(ring(rings[0]), [ring(r) for r in rings[1:]]) for rings in polygons]
    )


def on_lattice(shape: Any) -> Any:
    return shapely.transform(shape, lambda xy: np.rint(xy * encoding.SCALE))


def test_cells_and_the_areas_above_them_share_their_borders() -> None:
    table, above = cells(), areas()
    groups = [
        table.geometry.to_numpy(),
        *(above[above["level"] == level].geometry.to_numpy()
          for level in ("community", "subdistrict", "city")),
    ]  # fmt: skip
    made = shared_arcs(groups)
    for group, shapes in zip(made.groups, groups, strict=True):
        for polygons, shape in zip(group, shapes, strict=True):
            assert area_of(made, polygons).equals(on_lattice(shape))
    # Six cells in two rows of three: 17 pieces of border, however many areas lie on them.
    assert shapely.length([shapely.LineString(line) for line in lines_of(made)]).sum() == (
        pytest.approx(shapely.length(shapely.line_merge(shapely.union_all(
            on_lattice(np.asarray([s.boundary for s in table.geometry]))))))
    )  # fmt: skip
    pieces = {tuple(sorted(map(tuple, line[[0, -1]].tolist()))) for line in lines_of(made)}
    assert len(pieces) == len(made.arcs)


def test_islands_holes_and_parts_come_back() -> None:
    island = Point(0.5, 0.5).buffer(0.2)
    around = box(0, 0, 1, 1).difference(island)
    two = MultiPolygon([box(2, 0, 3, 1), box(4, 0, 5, 1)])
    made = shared_arcs([[island, around, two, None, Polygon()]])
    found = made.groups[0]
    assert [len(polygons) for polygons in found] == [1, 1, 2, 0, 0]
    assert len(found[1][0]) == 2
    # The island's shore is one arc, whoever it belongs to.
    shore, hole = found[0][0][0][0], found[1][0][1]
    assert [shore, ~shore].count(hole[0]) == 1
    for polygons, shape in zip(found[:3], (island, around, two), strict=True):
        assert area_of(made, polygons).equals(on_lattice(shape))


def test_what_vanishes_on_the_lattice_leaves_no_ring() -> None:
    made = shared_arcs([[box(0, 0, 1e-8, 1), box(1, 1, 2, 2)]])
    assert made.groups[0][0] == []
    assert len(made.groups[0][1]) == 1
    assert shared_arcs([[Polygon()], []]) == Arcs([], [[[]], []], None)


def test_heavy_borders_are_simplified_once_for_all_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = shapely.segmentize(cells().geometry.to_numpy(), 0.0002)

    def jitter(xy: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Shift each place by what only depends on the place."""
        keys = np.rint(xy * 1e9).astype(np.int64)
        seed = (keys[:, 0] * 7919 + keys[:, 1] * 104_729) % 1000
        return xy + (seed[:, None] / 1000 - 0.5) * 2e-6

    shapes = shapely.transform(dense, jitter)
    city = shapely.coverage_union_all(shapes)
    whole = shared_arcs([shapes, [city]])
    assert whole.tolerance_deg is None
    monkeypatch.setattr(topology, "MANY_VERTICES", 10)
    light = shared_arcs([shapes, [city]])
    assert light.tolerance_deg == pytest.approx(1e-5)
    assert sum(map(len, light.arcs)) < sum(map(len, whole.arcs)) / 5
    assert light.groups == whole.groups
    drawn = np.asarray([area_of(light, polygons) for polygons in light.groups[0]])
    parts = np.asarray([one.geoms[0] for one in drawn])
    assert shapely.coverage_is_valid(parts)
    assert area_of(light, light.groups[1][0]).equals(shapely.coverage_union_all(parts))


def test_a_ring_that_would_vanish_is_not_simplified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "MANY_VERTICES", 1)
    small = box(0, 0, 8e-6, 8e-6)
    made = shared_arcs([[small, box(8e-6, 0, 1, 1)]])
    assert area_of(made, made.groups[0][0]).area > 0


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30, unique=True)
)
def test_any_set_of_squares_comes_back(places: list[tuple[int, int]]) -> None:
    squares = [box(x / 1000, y / 1000, (x + 1) / 1000, (y + 1) / 1000) for x, y in places]
    union = shapely.union_all(squares)
    made = shared_arcs([squares, [union]])
    for polygons, square in zip(made.groups[0], squares, strict=True):
        assert area_of(made, polygons).equals(on_lattice(square))
    rebuilt = shapely.union_all([area_of(made, p) for p in made.groups[0]])
    assert rebuilt.equals(on_lattice(union))
    length = sum(shapely.LineString(line).length for line in lines_of(made))
    assert length >= shapely.union_all([s.boundary for s in map(on_lattice, squares)]).length - 1e-6


def test_edge_layers_name_each_border_once_and_the_box_of_each_area() -> None:
    above = areas()
    communities = above[above["level"] == "community"].geometry.to_numpy()
    grid = {"geometry": cells().geometry.to_numpy()}
    edge: dict[str, Any] = {"geometry": communities}
    made = share_borders(grid, [edge])
    assert "geometry" not in grid
    assert "geometry" not in edge
    assert len(grid["rings"]) == 6
    assert len(set(edge["arcs"])) == len(edge["arcs"]) < len(made.arcs)
    drawn = shapely.union_all([shapely.LineString(lines_of(made)[n]) for n in edge["arcs"]])
    wanted = shapely.union_all([on_lattice(shape).boundary for shape in communities])
    assert drawn.equals(wanted)
    assert edge["boxes"][:4] == [round(v * 1e6) for v in communities[0].bounds]


def test_cells_of_a_draft_that_do_not_fit_are_joined_all_the_same() -> None:
    apart = city(merged=True).geometry.to_numpy()  # a border without the node of its neighbours
    with pytest.raises(shapely.errors.GEOSException):
        shapely.coverage_union_all(apart)
    assert document.joined(apart).equals(shapely.union_all(apart))
    bowtie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert document.joined(np.array([bowtie, shapely.box(0, 0, 2, 1)])).area == pytest.approx(2.0)
