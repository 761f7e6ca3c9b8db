"""Vector files of every kind become the same layer."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geodata.sources import open_source
from gridsvc.crs import canonical_geometry
from gridsvc.errors import CrsMissing, EmptySource, RejectedRows, UnreadableSource
from gridsvc.types import Datum

NAMES = ["列东街道", "臺南", "街\u3000道", "e"]


def squares() -> gpd.GeoDataFrame:
    boxes = [shapely.box(117.6 + i * 0.01, 26.2, 117.61 + i * 0.01, 26.21) for i in range(4)]
    codes = [f"35040400100100{i}" for i in range(1, 5)]
    return gpd.GeoDataFrame(
        {"编码": codes, "名称": NAMES}, geometry=canonical_geometry(boxes), crs=4490
    )


def write_shapefile(folder: Path, encoding: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        squares().to_file(folder / "cells.shp", encoding=encoding)
    return folder / "cells.shp"


def without_label(shp: Path) -> Path:
    shp.with_suffix(".cpg").unlink()
    dbf = bytearray(shp.with_suffix(".dbf").read_bytes())
    dbf[29] = 0
    shp.with_suffix(".dbf").write_bytes(dbf)
    return shp


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
def test_shapefile_with_and_without_cpg(tmp_path: Path, encoding: str) -> None:
    shp = write_shapefile(tmp_path, encoding)
    labelled = open_source(shp)
    assert labelled.frame["名称"].tolist() == NAMES
    assert labelled.notes == ()
    unlabelled = open_source(without_label(shp))
    assert unlabelled.frame["名称"].tolist() == NAMES
    assert any(".cpg" in n and encoding in n for n in unlabelled.notes_zh)
    assert labelled.digest != unlabelled.digest


def test_cpg_that_lies_is_refused_with_the_way_out(tmp_path: Path) -> None:
    shp = write_shapefile(tmp_path, "GBK")
    shp.with_suffix(".cpg").write_text("UTF-8")
    with pytest.raises(UnreadableSource, match="with encoding") as caught:
        open_source(shp)
    assert ".cpg" in caught.value.text("zh")
    assert open_source(shp, encoding="gbk").frame["名称"].tolist() == NAMES


def test_values_cut_inside_a_character_are_read(tmp_path: Path) -> None:
    frame = squares()
    frame["名称"] = ["网" * 100] * 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.rename(columns={"编码": "网格编码"}).to_file(tmp_path / "cut.shp", encoding="UTF-8")
    raw = open_source(tmp_path / "cut.shp")
    assert raw.frame["名称"][0] == "网" * 84  # 254 bytes hold 84 characters of three
    assert "网格编" in raw.frame.columns  # ten bytes hold three


def test_missing_prj_needs_a_system_or_a_datum(tmp_path: Path) -> None:
    shp = write_shapefile(tmp_path, "UTF-8")
    shp.with_suffix(".prj").unlink()
    with pytest.raises(CrsMissing, match="crs or datum"):
        open_source(shp)
    raw = open_source(shp, datum="wgs84")
    assert any(".prj" in n for n in raw.notes_en)
    assert raw.frame.total_bounds.tolist() == [117.6, 26.2, 117.64, 26.21]


def test_missing_parts_are_named(tmp_path: Path) -> None:
    shp = write_shapefile(tmp_path, "UTF-8")
    shp.with_suffix(".dbf").unlink()
    with pytest.raises(UnreadableSource, match=r"\.dbf"):
        open_source(shp)


@pytest.mark.parametrize(
    ("suffix", "driver"),
    [("gpkg", "GPKG"), ("geojson", "GeoJSON"), ("fgb", "FlatGeobuf"), ("kml", "KML")],
)
def test_formats_agree(tmp_path: Path, suffix: str, driver: str) -> None:
    path = tmp_path / f"cells.{suffix}"
    squares().to_file(path, driver=driver)
    raw = open_source(path)
    assert raw.frame.crs.to_epsg() == 4490
    read = raw.frame.sort_values("编码")
    assert read["名称"].tolist() == NAMES
    assert shapely.equals(read.geometry.to_numpy(), squares().geometry.to_numpy()).all()


def test_geoparquet_and_its_default_system(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    squares().to_parquet(path)
    assert open_source(path).datum is Datum.CGCS2000
    squares().set_crs(None, allow_override=True).to_parquet(path)
    with pytest.raises(CrsMissing):
        open_source(path)


def test_several_layers_ask_for_one(tmp_path: Path) -> None:
    path = tmp_path / "many.gpkg"
    squares().to_file(path, layer="cells")
    squares().iloc[:2].to_file(path, layer="old")
    with pytest.raises(UnreadableSource, match="cells, old"):
        open_source(path)
    assert len(open_source(path, layer="old").frame) == 2
    with pytest.raises(UnreadableSource, match="no layer 'x'"):
        open_source(path, layer="x")


def test_zip_from_a_chinese_desktop(tmp_path: Path) -> None:
    shp = without_label(write_shapefile(tmp_path / "in", "GBK"))
    archive = tmp_path / "网格.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for part in sorted(shp.parent.iterdir()):
            entry = zipfile.ZipInfo("x")
            # Windows stores GBK bytes without the UTF-8 flag.
            entry.filename = ("网格数据/小区" + part.suffix).encode("gbk").decode("cp437")
            out.writestr(entry, part.read_bytes())
    raw = open_source(archive)
    assert raw.frame["名称"].tolist() == NAMES
    assert raw.source.startswith("网格.zip")


def test_not_what_the_name_says(tmp_path: Path) -> None:
    path = tmp_path / "cells.geojson"
    path.write_text('{"type": "Fea')
    with pytest.raises(UnreadableSource, match="suffix"):
        open_source(path)
    with pytest.raises(UnreadableSource, match="no such file"):
        open_source(tmp_path / "none.gpkg")
    (tmp_path / "a.xls").write_text("x")
    with pytest.raises(UnreadableSource, match="xlsx"):
        open_source(tmp_path / "a.xls")


@pytest.mark.parametrize("text", ["", '{"type":"FeatureCollection","features":[]}'])
def test_empty_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cells.geojson"
    path.write_text(text)
    with pytest.raises(EmptySource):
        open_source(path)


def test_nan_in_a_ring_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "nan.geojson"
    squares().to_file(path, driver="GeoJSON")
    path.write_text(
        path.read_text("utf-8").replace("[ 117.63, 26.21 ]", "[ NaN, 26.21 ]", 1), "utf-8"
    )
    with pytest.raises(RejectedRows) as caught:
        open_source(path)
    assert [f.row for f in caught.value.faults] == [3]


def test_heights_are_dropped_and_said(tmp_path: Path) -> None:
    frame = squares()
    frame.geometry = shapely.force_3d(frame.geometry.to_numpy(), 5.0)
    path = tmp_path / "z.gpkg"
    frame.to_file(path)
    raw = open_source(path)
    assert not raw.frame.has_z.any()
    assert any("vertical" in n for n in raw.notes_en)


def test_same_bytes_same_digest(tmp_path: Path) -> None:
    one, two = tmp_path / "a.geojson", tmp_path / "b.geojson"
    buffer = io.BytesIO()
    squares().to_file(buffer, driver="GeoJSON")
    one.write_bytes(buffer.getvalue())
    two.write_bytes(buffer.getvalue())
    assert open_source(one).digest == open_source(two).digest
