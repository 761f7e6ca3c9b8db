"""Layers beside the cells lie on the same ground as they: one datum, or a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from api.importing_choices import Beside, ImportChoices
from api.settings import Settings
from gridsvc.datum import convert
from gridsvc.errors import DecisionNeeded
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import ImportOptions
from gridsvc.types import Datum
from tests.integration.importing import NOW, database

STEP, SIDE = 0.003, 10


def town() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """A hundred cells of some 300 m, and their four communities."""
    boxes, codes = [], []
    for row in range(SIDE):
        for column in range(SIDE):
            west, south = 117.6 + column * STEP, 26.2 + row * STEP
            boxes.append(shapely.box(west, south, west + STEP, south + STEP))
            codes.append(f"c{row // 5}{column // 5}")
    cells = gpd.GeoDataFrame(
        {"网格编码": [f"n{i:03d}" for i in range(len(boxes))], "答案": codes},
        geometry=boxes,
        crs=4490,
    )
    areas = cells[["答案", "geometry"]].dissolve("答案").reset_index(names="社区编码")
    # Communities end where the town ends; the outermost reach further out.
    wide = [shapely.box(*(np.asarray(g.bounds) + 0.02 * outwards(g))) for g in areas.geometry]
    areas["社区名称"], areas["街道编码"] = areas["社区编码"], "s"
    return cells, areas.set_geometry(wide, crs=4490)


def outwards(shape: shapely.Polygon) -> np.ndarray:
    middle = np.array([117.615, 26.215])
    low = (np.asarray(shape.bounds[:2]) < middle - STEP).astype(float)
    return np.concatenate([-low, 1.0 - low])


def shifted(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The frame in GCJ-02, as an online map would deliver it."""

    def move(xy: np.ndarray) -> np.ndarray:
        lon, lat = convert(xy[:, 0], xy[:, 1], Datum.CGCS2000, Datum.GCJ02)
        return np.column_stack([lon, lat])

    return frame.set_geometry(shapely.transform(frame.geometry.to_numpy(), move), crs=4326)


def wrong(folder: Path, choices: ImportChoices, stated: Beside | None = None, **more: Any) -> int:
    """Import and return how many cells got another community than theirs."""
    settings = Settings()
    storage = database(folder, f"city{len(list(folder.glob('*.db')))}")
    parent = choices.open_beside(folder / "areas.gpkg", settings, stated)
    options = ImportOptions(parent=parent, **more)
    try:
        report = import_layer(
            storage, choices.open(folder / "cells.gpkg", settings), "cells", options,
            clock=lambda: NOW,
        )  # fmt: skip
        with storage.unit_of_work() as work:
            found = work.plans.cells(str(report.plan_id))["community_code"]
    finally:
        storage.dispose()
    answer = town()[0].set_index("网格编码")["答案"]
    return int((found != answer.reindex(found.index)).sum())


def test_parents_are_read_in_the_datum_of_the_cells(tmp_path: Path) -> None:
    cells, areas = town()
    shifted(cells).to_file(tmp_path / "cells.gpkg")
    shifted(areas).to_file(tmp_path / "areas.gpkg")
    assert wrong(tmp_path, ImportChoices(datum="gcj02")) == 0


def test_parents_in_another_datum_are_told_so(tmp_path: Path) -> None:
    cells, areas = town()
    shifted(cells).to_file(tmp_path / "cells.gpkg")
    areas.to_file(tmp_path / "areas.gpkg")
    choices = ImportChoices(datum="gcj02")
    assert wrong(tmp_path, choices, Beside(datum="cgcs2000")) == 0


def test_a_shifted_parent_layer_is_a_question(tmp_path: Path) -> None:
    cells, areas = town()
    cells.to_file(tmp_path / "cells.gpkg")
    shifted(areas).to_file(tmp_path / "areas.gpkg")
    with pytest.raises(DecisionNeeded, match=r"areas\.gpkg") as caught:
        wrong(tmp_path, ImportChoices())
    assert "parent_datum" in caught.value.text("en")
    assert wrong(tmp_path, ImportChoices(), Beside(datum="gcj02")) == 0
    accepted = wrong(tmp_path, ImportChoices(), decisions={"parents": "accept"}, title="2")
    assert accepted > 10


def test_a_parent_layer_without_a_system_has_that_of_the_cells(tmp_path: Path) -> None:
    cells, areas = town()
    plane = cells.to_crs(4548)
    plane.to_file(tmp_path / "cells.gpkg")
    bare = areas.to_crs(4548).set_crs(None, allow_override=True)
    with pytest.warns(UserWarning, match="crs"):
        bare.to_file(tmp_path / "areas.gpkg")
    assert wrong(tmp_path, ImportChoices(crs="EPSG:4548")) == 0
    areas.to_file(tmp_path / "areas.gpkg")
    assert wrong(tmp_path, ImportChoices(crs="EPSG:4548")) == 0
