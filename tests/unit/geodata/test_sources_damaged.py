"""Damaged files: whatever is wrong with the bytes, a person gets a typed error."""

from __future__ import annotations

import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from geodata.sources import open_source
from gridsvc.errors import GridsvcError, UnreadableSource


def frame() -> gpd.GeoDataFrame:
    boxes = [shapely.box(117.6 + i * 0.01, 26.2, 117.61 + i * 0.01, 26.21) for i in range(3)]
    return gpd.GeoDataFrame({"code": ["甲", "b", "c"], "n": [1, 2, 3]}, geometry=boxes, crs=4490)


def packed(path: Path, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.csv", "code,lon,lat\n" + "a,117.6,26.2\n" * 200)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_entry_that_does_not_decompress(method: int, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", method)
    data = bytearray(path.read_bytes())
    start = 30 + len("a.csv") + (4 if method == zipfile.ZIP_LZMA else 0)
    data[start : start + 12] = b"\xff" * 12
    path.write_bytes(data)
    with pytest.raises(UnreadableSource, match=r"a\.csv"):
        open_source(path, datum="wgs84")


@pytest.mark.parametrize(
    "names",
    [
        ("a", "a/b.csv"),
        ("a/b.csv", "a"),
        ("甲" * 100 + ".csv",),
        ("x" * 300 + "/a.csv",),
        ("a.csv", "./a.csv"),
    ],
)
def test_entries_that_no_folder_can_hold(names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "code,lon,lat\na,117.6,26.2\n")
    with pytest.raises(UnreadableSource):
        open_source(path, datum="wgs84")


def geoparquet(path: Path, wkb: bytes, crs: object) -> Path:
    column = {"encoding": "WKB", "geometry_types": [], "crs": crs}
    geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = pa.table({"code": ["a"], "geometry": pa.array([wkb], pa.binary())})
    pq.write_table(table.replace_schema_metadata({b"geo": orjson.dumps(geo)}), path)
    return path


@pytest.mark.parametrize(
    ("wkb", "crs"),
    [
        (b"\x01\x03nothing", None),
        (struct.pack("<BII", 1, 3, 2**31), None),
        (shapely.Point(117.6, 26.2).wkb, {"type": "GeographicCRS", "name": 3}),
        (shapely.Point(117.6, 26.2).wkb, "no system"),
        (shapely.Point(117.6, 26.2).wkb, [1, 2]),
    ],
)
def test_a_damaged_geoparquet(wkb: bytes, crs: object, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource):
        open_source(geoparquet(tmp_path / "a.parquet", wkb, crs))


@pytest.mark.parametrize("geo", [b"[]", b"{}", b"7", b'{"columns": [], "primary_column": 1}'])
def test_geoparquet_metadata_of_another_shape(geo: bytes, tmp_path: Path) -> None:
    table = pa.table({"code": ["a"], "geometry": pa.array([b""], pa.binary())})
    pq.write_table(table.replace_schema_metadata({b"geo": geo}), tmp_path / "a.parquet")
    with pytest.raises(UnreadableSource):
        open_source(tmp_path / "a.parquet")


def _shapefile(folder: Path) -> Path:
    frame().to_file(folder / "a.shp", encoding="utf-8")
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(folder.glob("a.*")):
            if part.suffix != ".zip":
                archive.write(part, part.name)
    return folder / "a.zip"


def _vector(suffix: str, driver: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        frame().to_file(folder / f"a{suffix}", driver=driver)
        return folder / f"a{suffix}"

    return write


def _parquet(folder: Path) -> Path:
    frame().to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def _csv(folder: Path) -> Path:
    path = folder / "a.csv"
    path.write_text("编码,lon,lat\n甲,117.6,26.2\n乙,117.61,26.21\n丙,117.62,26.22\n", "utf-8")
    return path


def _xlsx(folder: Path) -> Path:
    book = openpyxl.Workbook()
    for row in (["编码", "lon", "lat"], ["甲", 117.6, 26.2], ["乙", 117.61, 26.21]):
        book.worksheets[0].append(row)
    book.worksheets[0].merge_cells("A2:A3")
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


def _xlsx_stored(folder: Path) -> Path:
    """Return a workbook whose XML is not packed, so that mutations reach it."""
    path = folder / "stored.xlsx"
    with zipfile.ZipFile(_xlsx(folder)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "gpkg": _vector(".gpkg", "GPKG"),
    "geojson": _vector(".geojson", "GeoJSON"),
    "kml": _vector(".kml", "KML"),
    "fgb": _vector(".fgb", "FlatGeobuf"),
    "gml": _vector(".gml", "GML"),
    "mif": _vector(".mif", "MapInfo File"),
    "shp.zip": _shapefile,
    "parquet": _parquet,
    "csv": _csv,
    "xlsx": _xlsx,
    "xlsx stored": _xlsx_stored,
}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few of them changed, cut, repeated or taken out."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 30))):
        if not made:
            break
        at = rng.randrange(len(made))
        # The ends of files hold what the rest hangs on.
        at = rng.choice((at, at, at % 200, max(0, len(made) - 1 - at % 300)))
        at = min(at, len(made) - 1)
        kind = rng.randrange(6)
        if kind <= 2:
            made[at] = rng.choice((0, 255, 0x22, 0x3C, made[at] ^ (1 << rng.randrange(8))))
        elif kind == 3:
            del made[at : at + rng.choice((1, 4, 64))]
        elif kind == 4:
            made[at:at] = made[at : at + rng.choice((1, 8, 64))]
        else:
            made[at : at + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"9999"))
    if rng.random() < 0.15:
        made = made[: rng.randrange(len(made) + 1)]
    return bytes(made)


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_mutated_bytes_give_typed_errors_only(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("valid")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        valid = WRITERS[kind](folder)
    data = valid.read_bytes()
    assert len(open_source(valid, datum="cgcs2000").frame) > 1
    work = tmp_path_factory.mktemp("mutated")
    refused = 0

    @seed(20181122)
    @settings(
        max_examples=MUTATIONS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def check(number: int) -> None:
        nonlocal refused
        path = work / valid.name
        path.write_bytes(mutated(data, random.Random(number)))
        try:
            open_source(path, datum="cgcs2000", max_unpacked_mb=16)
        except GridsvcError:
            refused += 1

    check()
    assert refused > 0


MUTATIONS = 60
