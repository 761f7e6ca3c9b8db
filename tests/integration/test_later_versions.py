"""A later drawing of the same city: its rim, its datum, and the questions it raises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from api.surfaces import cli
from geodata.sources import open_source
from gridsvc.datum import convert
from gridsvc.errors import (
    AlreadyPublished,
    ConflictError,
    DecisionNeeded,
    PlanNotPublishable,
    WrongCrs,
)
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions, ImportReport
from tests.integration.importing import FIRST_DAY, NOW, database, published, run, save, squares

METRE = 1e-5


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Storage]:
    storage = database(tmp_path)
    published(storage, tmp_path, long_edges())
    yield storage
    storage.dispose()


def long_edges() -> gpd.GeoDataFrame:
    """Four cells as high as ten kilometres, tilted, so that projected edges bend."""
    frame = squares()
    west, south, _, _ = frame.total_bounds

    def stretch(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(
            [xy[:, 0] + (xy[:, 1] - south), south + (xy[:, 1] - south) * 10 + (xy[:, 0] - west)]
        )

    frame.geometry = shapely.transform(frame.geometry.to_numpy(), stretch)
    return frame


def jittered(frame: gpd.GeoDataFrame, size: float) -> gpd.GeoDataFrame:
    """The same cells with more vertices and each vertex moved, shared ones alike."""
    dense = shapely.segmentize(frame.geometry.to_numpy(), 0.0023)

    def move(xy: np.ndarray) -> np.ndarray:
        return xy + size * METRE * np.column_stack(
            [np.sin(xy[:, 0] * 9e5 + xy[:, 1] * 7e5), np.cos(xy[:, 0] * 5e5 - xy[:, 1] * 8e5)]
        )

    return frame.set_geometry(shapely.transform(dense, move), crs=4490)


def test_a_jittered_rim_is_fitted_to_the_territory(city: Storage, tmp_path: Path) -> None:
    later = jittered(long_edges(), 0.3)
    report = run(city, save(later, tmp_path / "later.gpkg"), "cells")
    assert report.certificate is not None
    assert report.certificate.ok, report.certificate.as_dict()["findings"]
    assert report.repairs is not None
    assert {"trimmed", "gap_filled"} <= set(report.repairs["action"])
    # Every cell keeps its own part of the rim: none gets a strip along its neighbours.
    with city.unit_of_work() as work:
        old = work.plans.cells("main-v1").geometry.to_numpy()
        new = work.plans.cells(str(report.plan_id)).geometry.to_numpy()
    assert (shapely.hausdorff_distance(old, new) < 1.5 * METRE).all()
    planning.publish(city, str(report.plan_id), FIRST_DAY + timedelta(days=9), NOW)


def test_ground_wide_beyond_the_territory_is_asked_and_names_the_way_out(
    city: Storage, tmp_path: Path
) -> None:
    grown = long_edges()
    shape = grown.geometry.iloc[3]
    bulge = shapely.buffer(shapely.Point(shapely.get_coordinates(shape)[0]), 30 * METRE)
    grown.loc[3, "geometry"] = shapely.union(shape, bulge)
    others = shapely.union_all(grown.geometry.to_numpy()[:3])
    grown.loc[3, "geometry"] = shapely.difference(grown.geometry.iloc[3], others)
    path = save(grown, tmp_path / "grown.gpkg")
    with pytest.raises(DecisionNeeded) as caught:
        run(city, path, "cells")
    (question,) = caught.value.decisions
    assert question.kind == "wide_outside"
    assert "在现行辖区之外" in question.zh
    for language in ("zh", "en"):
        text = caught.value.text(language)
        assert f"decisions={question.key}=trim" in text
        assert "gridsvc scheme territory" in text
    trimmed = run(city, path, "cells", decisions={question.key: "trim"})
    assert trimmed.certificate is not None
    assert trimmed.certificate.ok
    left = run(city, path, "cells", decisions={question.key: "leave"}, dry_run=True)
    assert left.certificate is not None
    assert left.certificate.rules == ("outside_territory",)
    assert left.certificate.findings["message_zh"].str.contains("gridsvc scheme territory").all()


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_a_wrong_datum_is_recognised_by_the_plan_in_force(
    city: Storage, tmp_path: Path, datum: str
) -> None:
    def shift(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(convert(xy[:, 0], xy[:, 1], "wgs84", datum))

    frame = long_edges()
    frame["wkt"] = shapely.to_wkt(shapely.transform(frame.geometry.to_numpy(), shift), 9)
    path = tmp_path / "shifted.csv"
    frame.drop(columns="geometry").to_csv(path, index=False)

    def read(stated: str) -> ImportReport:
        raw = open_source(path, datum=stated, columns={"wkt": "wkt"})
        return import_layer(city, raw, "cells", ImportOptions(), clock=lambda: NOW)

    with pytest.raises(WrongCrs) as caught:
        read("wgs84")
    assert caught.value.shift_m > 400
    assert f"像是把 {datum} 当成 wgs84" in caught.value.text("zh")
    assert f"datum={datum}" in caught.value.text("en")
    right = read(datum)
    assert right.certificate is not None
    assert right.certificate.ok


def test_messages_of_publication(city: Storage, tmp_path: Path) -> None:
    with pytest.raises(AlreadyPublished) as again:
        planning.publish(city, "main-v1", NOW, NOW)
    assert again.value.text("zh") == (
        "方案 main-v1 已发布,2018-01-01 08:00:00 起生效;调整请导入新版本"
    )
    report = run(city, save(long_edges(), tmp_path / "same.gpkg"), "cells")
    with pytest.raises(ConflictError, match="2017-06-01;") as early:
        planning.publish(city, str(report.plan_id), datetime(2017, 5, 31, 16, tzinfo=UTC), NOW)
    assert "+00:00" not in early.value.text("zh")
    broken = long_edges().iloc[:3]
    drawn = run(city, save(broken, tmp_path / "less.gpkg"), "cells", repair=False)
    with pytest.raises(PlanNotPublishable) as refused:
        planning.publish(city, str(drawn.plan_id), NOW, NOW)
    assert "辖区未覆盖" in refused.value.text("zh")
    assert "uncovered_territory" not in refused.value.text("zh")
    assert f"gridsvc check {drawn.plan_id} --findings" in refused.value.text("en", cli)
