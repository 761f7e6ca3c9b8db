"""Layers as files: every format reads back whole, none holds a private column."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from starlette.testclient import TestClient

from api.exports.routes import MEDIA_TYPES
from geodata.sample import SampleCity
from gridsvc.layers import LAYERS

VECTOR = ("gpkg", "geojson", "fgb", "shp", "kml")


def download(client: TestClient, folder: Path, layer: str, form: str, **query: str) -> Path:
    answer = client.get(f"/api/v1/exports/{layer}", params={"format": form, **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPES[form]
    suffix = "zip" if form == "shp" else form
    assert f'filename="{layer}.{suffix}"' in answer.headers["content-disposition"]
    path = folder / f"{layer}.{suffix}"
    path.write_bytes(answer.content)
    return path


@pytest.mark.parametrize("form", VECTOR)
def test_cells_read_back_in_every_vector_format(
    app_client: TestClient, sample_city: SampleCity, tmp_path: Path, form: str
) -> None:
    path = download(app_client, tmp_path, "cells", form)
    back: gpd.GeoDataFrame = pyogrio.read_dataframe(path)
    assert len(back) == len(sample_city.cells)
    assert set(back["code"]) == set(sample_city.cells.index)
    back = back.set_index("code").loc[sample_city.cells.index]
    got = shapely.normalize(np.asarray(back.geometry, dtype=object))
    wanted = shapely.normalize(np.asarray(sample_city.cells.geometry, dtype=object))
    assert shapely.equals_exact(shapely.force_2d(got), wanted, 2e-9).all()


def test_a_shapefile_comes_with_all_its_parts_and_chinese_names(
    app_client: TestClient, sample_city: SampleCity, tmp_path: Path
) -> None:
    path = download(app_client, tmp_path, "cells", "shp", encoding="GBK")
    parts = {Path(name).suffix for name in zipfile.ZipFile(path).namelist()}
    assert {".shp", ".shx", ".dbf", ".prj", ".cpg"} <= parts
    back = pyogrio.read_dataframe(path).set_index("code")
    assert back["name"].to_dict() == sample_city.cells["name"].to_dict()


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_no_layer_as_a_file_holds_private_columns(
    app_client: TestClient, sample_city: SampleCity, tmp_path: Path, layer: str
) -> None:
    table = pd.read_parquet(download(app_client, tmp_path, layer, "parquet"))
    private = {c.name for c in LAYERS[layer].columns if c.private}
    assert not private & set(table.columns)
    frame = sample_city.frames().get(layer)
    if frame is not None:
        assert len(table) == len(frame)
        text = app_client.get(f"/api/v1/exports/{layer}?format=csv").text
        for name in private:
            assert not any(value in text for value in frame[name].dropna().unique()[:50])


def test_a_workbook_opens_and_keeps_codes_as_text(
    app_client: TestClient, sample_city: SampleCity, tmp_path: Path
) -> None:
    path = download(app_client, tmp_path, "points", "xlsx")
    table = pd.read_excel(io.BytesIO(path.read_bytes()), dtype=object)
    assert set(table["point_id"]) == set(sample_city.points.index)
    assert all(isinstance(code, str) for code in table["cell_code"])


def test_tables_without_geometry_say_which_formats_they_have(app_client: TestClient) -> None:
    answer = app_client.get("/api/v1/exports/duties?format=gpkg", headers={"Accept-Language": "en"})
    assert answer.status_code == 422
    assert "csv, xlsx or parquet" in answer.json()["detail"]


def test_exports_are_not_sent_twice(app_client: TestClient) -> None:
    url = "/api/v1/exports/exclusions?format=geojson"
    etag = app_client.get(url).headers["etag"]
    assert app_client.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_layers_of_no_plan_need_none_in_force(app_client: TestClient) -> None:
    past = "at=1990-01-01"
    assert app_client.get(f"/api/v1/exports/points?format=csv&{past}").status_code == 200
    assert app_client.get(f"/api/v1/exports/cells?format=csv&{past}").status_code == 404
