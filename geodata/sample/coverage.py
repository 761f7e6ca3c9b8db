"""From loose pieces to a coverage: one noding, one rounding, 15-digit codes.

All edges are noded together on a 1 mm lattice in the metric zone, so a junction on one side is a
vertex on the other. Then each coordinate is projected and rounded once, point by point; equal
coordinates stay equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.affinity import translate
from shapely.geometry import Polygon

from geodata.sample.naming import AreaNames
from geodata.sample.partition import Division
from geodata.sample.terrain import METRIC_EPSG, Terrain, centre, generator, polygon_of
from gridsvc.codes import CellCode
from gridsvc.crs import STORAGE_EPSG, to_metric, to_storage
from gridsvc.errors import GridsvcError
from gridsvc.types import FloatArray, IntArray, ObjectArray

COUNTY_CODE = "350404"
PEOPLE_PER_CELL = 470
_LATTICE_M = 0.001


class BrokenSample(GridsvcError):
    """The generator did not produce what it promises; a fault of this program."""

    zh = "示例城市生成有误:{reason_zh}"
    en = "the sample city could not be made: {reason_en}"


@dataclass(frozen=True)
class Ground:
    """The certified geometry of the city.

    Attributes
    ----------
    cells : GeoDataFrame
        Contract CELLS, EPSG:4490.
    metric : ndarray of Polygon
        The same cells in EPSG:4548, in the same order.
    exclusions : GeoDataFrame
        Contract EXCLUSIONS: the river.
    river : Polygon
        In EPSG:4548.
    territory : Polygon
        EPSG:4490, cells and river together.
    density : ndarray
        Relative density of people per cell.
    """

    cells: gpd.GeoDataFrame
    metric: ObjectArray
    exclusions: gpd.GeoDataFrame
    river: Polygon
    territory: Polygon
    density: FloatArray


def node_edges(geometries: list[Polygon]) -> ObjectArray:
    """Node the boundaries of polygons together and return the faces between them.

    Parameters
    ----------
    geometries : list of Polygon
        Metric.

    Returns
    -------
    ndarray of Polygon
        Vertices on a 1 mm lattice.
    """
    edges = shapely.union_all(shapely.boundary(geometries), grid_size=_LATTICE_M)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
    return np.asarray(faces)


def make_ground(terrain: Terrain, division: Division, seed: int) -> Ground:
    """Turn the division into cells with codes, names and people.

    Parameters
    ----------
    terrain : Terrain
    division : Division
    seed : int

    Returns
    -------
    Ground

    Raises
    ------
    BrokenSample
        If a piece got lost or fell apart while its edges were noded.
    """
    east, north = centre()
    river = translate(terrain.river, east, north)
    pieces = [translate(p.polygon, east, north) for p in division.pieces]
    metric = _noded([*pieces, river])
    metric, river = metric[:-1], metric[-1]
    stored = to_storage(metric, METRIC_EPSG)
    subdistrict = np.array([p.subdistrict for p in division.pieces])
    community = np.array([p.community for p in division.pieces])
    middle = shapely.get_coordinates(shapely.centroid(metric)) - np.array([east, north])
    density = terrain.density_at(*middle.T)
    load = np.array([len(p.people) for p in division.pieces], dtype=float)
    frame = _coded(middle, subdistrict, community, shapely.area(metric), density, seed)
    _populate(frame, load, density, seed)
    order = np.argsort(frame["code"].to_numpy())
    cells = gpd.GeoDataFrame(
        frame.iloc[order].set_index("code"), geometry=list(stored[order]), crs=STORAGE_EPSG
    )
    cells["area_m2"] = shapely.area(to_metric(stored[order], METRIC_EPSG))
    river_ll = to_storage(river, METRIC_EPSG)
    exclusions = gpd.GeoDataFrame(
        {
            "exclusion_id": ["river-1"],
            "kind": ["river"],
            "name": [AreaNames.RIVER],
            "reason": ["主河道水域,不划入网格"],
        },
        geometry=[river_ll],
        crs=STORAGE_EPSG,
    ).set_index("exclusion_id")
    territory = polygon_of(shapely.coverage_union_all([*stored, river_ll]))
    return Ground(cells, metric[order], exclusions, river, territory, density[order])


def _noded(pieces: list[Polygon]) -> ObjectArray:
    """Return each piece with common edges; slivers of the rounding go to a neighbour."""
    faces = node_edges(pieces)
    thin = shapely.area(faces) < 1.0
    whole, slivers = faces[~thin], faces[thin]
    face, piece = shapely.STRtree(pieces).query(
        shapely.point_on_surface(whole), predicate="intersects"
    )
    if len(whole) != len(pieces) or len(np.unique(piece)) != len(pieces):
        raise BrokenSample(
            reason_zh=f"{len(pieces)} 个面变成 {len(whole)} 个",
            reason_en=f"{len(pieces)} faces became {len(whole)}",
        )
    result = np.empty(len(pieces), dtype=object)
    result[piece] = whole[face]
    if len(slivers):
        sliver, near = shapely.STRtree(result).query(slivers, predicate="intersects")
        shared = shapely.length(
            shapely.intersection(shapely.boundary(slivers[sliver]), shapely.boundary(result[near]))
        )
        for k in range(len(slivers)):
            mine = sliver == k
            gainer = near[mine][int(np.argmax(shared[mine]))]
            result[gainer] = shapely.coverage_union_all([result[gainer], slivers[k]])
    return result


def reading_order(xy: FloatArray, row_height: float) -> IntArray:
    """Return positions in reading order: rows from north to south, each from west to east.

    Parameters
    ----------
    xy : ndarray of shape (n, 2)
        Metric centroids.
    row_height : float
        Metres.
    """
    row = np.floor((xy[:, 1].max() - xy[:, 1]) / max(row_height, 1.0))
    return np.lexsort((xy[:, 0], row))


def _coded(
    middle: FloatArray,
    subdistrict: IntArray,
    community: IntArray,
    area: FloatArray,
    density: FloatArray,
    seed: int,
) -> pd.DataFrame:
    """Give codes and names to subdistricts, communities and cells in reading order."""
    names = AreaNames(generator(seed, "names"))
    density_all = np.quantile(density, 0.30)
    rows: dict[str, list[object]] = {
        k: [None] * len(middle)
        for k in ("code", "name", "kind", "community_code", "community_name",
                  "subdistrict_code", "subdistrict_name")
    }  # fmt: skip
    sub_ids = np.unique(subdistrict)
    sub_xy = np.array([middle[subdistrict == s].mean(axis=0) for s in sub_ids])
    urban = np.array([np.median(density[subdistrict == s]) > density_all for s in sub_ids])
    order = reading_order(sub_xy, 3000.0)
    number = {True: 0, False: 100}
    for k in order:
        is_urban = bool(urban[k])
        number[is_urban] += 1
        if is_urban and number[True] == 100:
            number[True] = 400
        sub_code = f"{COUNTY_CODE}{number[is_urban]:03d}"
        sub_name = names.subdistrict(is_urban)
        members = np.flatnonzero(subdistrict == sub_ids[k])
        com_ids = np.unique(community[members])
        com_xy = np.array([middle[community == c].mean(axis=0) for c in com_ids])
        counter = {True: 0, False: 200}
        for c in com_ids[reading_order(com_xy, 800.0 if is_urban else 2000.0)]:
            inside = members[community[members] == c]
            town = bool(np.median(density[inside]) > density_all)
            counter[town] += 1
            com_code = f"{sub_code}{counter[town]:03d}"
            com_name = names.community(town)
            height = float(np.sqrt(area[inside].sum() / len(inside)))
            cells_in_order = inside[reading_order(middle[inside], height)]
            for sequence, i in enumerate(cells_in_order, start=1):
                kind = names.kind(float(area[i]), town)
                rows["code"][i] = str(CellCode.make(com_code, sequence))
                rows["kind"][i] = kind
                rows["name"][i] = names.cell(kind, com_name)
                rows["community_code"][i], rows["community_name"][i] = com_code, com_name
                rows["subdistrict_code"][i], rows["subdistrict_name"][i] = sub_code, sub_name
    return pd.DataFrame(rows)


def _populate(frame: pd.DataFrame, load: FloatArray, density: FloatArray, seed: int) -> None:
    rng = generator(seed, "population")
    weight = load * np.clip(density / np.quantile(density, 0.6), 0.02, 1.5)
    weight *= rng.lognormal(0.0, 0.28, len(frame))
    people = np.round(weight / weight.sum() * PEOPLE_PER_CELL * len(frame)).astype(int)
    frame["population"] = np.maximum(people, 0)
    size = rng.normal(2.72, 0.16, len(frame)).clip(2.2, 3.4)
    frame["households"] = np.round(frame["population"] / size).astype(int)
