"""Layers as HTTP answers: format by ``f=`` or ``Accept``, page, ETag, public columns only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import geopandas as gpd
import orjson
import pandas as pd
from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from api.geojson import (
    CSV,
    GEOJSON,
    answer,
    csv_bytes,
    feature,
    feature_collection,
    not_modified,
    plain_records,
    request_etag,
)
from api.pagination import Page, cut, next_link
from gridsvc.layers import Layer

Format = Literal["geojson", "json", "csv"]
FormatDep = Annotated[
    Format | None,
    Query(alias="f", description="geojson | json | csv; otherwise `Accept` decides."),
]


RowFormatDep = Annotated[
    Literal["json", "csv"] | None,
    Query(alias="f", description="json | csv; else `Accept` decides."),
]


class Link(BaseModel):
    """A link of a page."""

    rel: str
    href: str


class GeoJsonGeometry(BaseModel):
    """A GeoJSON geometry, longitude before latitude, EPSG:4490."""

    type: str
    coordinates: list[Any]


class GeoJsonFeature(BaseModel):
    """A GeoJSON feature; its properties are the public columns of the layer."""

    type: Literal["Feature"]
    id: str
    geometry: GeoJsonGeometry | None
    properties: dict[str, Any]


class GeoJsonCollection(BaseModel):
    """A page of features."""

    type: Literal["FeatureCollection"]
    features: list[GeoJsonFeature]
    links: list[Link] = []
    number_returned: int | None = Field(None, alias="numberReturned")


class Rows(BaseModel):
    """A page of rows without geometry."""

    rows: list[dict[str, Any]]
    links: list[Link]
    number_returned: int = Field(alias="numberReturned")


LIST_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of features",
        "content": {
            GEOJSON: {"schema": {"$ref": "#/components/schemas/GeoJsonCollection"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/Rows"}},
            "text/csv": {"schema": {"type": "string"}},
        },
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}
ROWS_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of rows",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Rows"}},
            "text/csv": {"schema": {"type": "string"}},
        },
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}
ONE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One feature",
        "content": {GEOJSON: {"schema": {"$ref": "#/components/schemas/GeoJsonFeature"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}
ROW_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One row",
        "content": {"application/json": {"schema": {"type": "object"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}


def chosen_format(request: Request, asked: Format | None, *, spatial: bool) -> Format:
    """Return the format of the answer: ``f=`` first, then ``Accept``, then the layer's own."""
    if asked is not None:
        return asked
    accept = request.headers.get("accept", "")
    if "text/csv" in accept:
        return "csv"
    if spatial and ("geo+json" in accept or "application/json" not in accept):
        return "geojson"
    return "json"


def public_columns(layer: Layer) -> list[str]:
    """Return the columns that anybody may see."""
    return layer.public_columns


def page_answer(
    request: Request,
    layer: Layer,
    page: Page,
    stamp: str,
    fetch: Callable[[], gpd.GeoDataFrame | pd.DataFrame],
    asked: Format | None,
    *,
    more_columns: tuple[str, ...] = (),
    etag_parts: tuple[Any, ...] = (),
) -> Response:
    """Return one page of a layer.

    Parameters
    ----------
    request : Request
    layer : Layer
        Its public columns are served, and none else.
    page : Page
        ``fetch`` returns up to ``page.fetch`` rows.
    stamp : str
        The state of the database, part of the ETag.
    fetch : callable
        Called only when the client does not have the page already.
    asked : Format or None
    more_columns : tuple of str
        Computed columns served as well.
    etag_parts : tuple
        Further things that the answer depends on (the plan, the instant).
    """
    form = chosen_format(request, asked, spatial=layer.geometry is not None)
    etag = request_etag(request, stamp, form, *etag_parts)
    known = not_modified(request, etag)
    if known is not None:
        return known
    frame, after = cut(fetch(), page)
    links = next_link(request, after)
    columns = [*public_columns(layer), *more_columns]
    header = [("Link", ", ".join(f'<{x["href"]}>; rel="{x["rel"]}"' for x in links))]
    if form == "csv":
        return answer(csv_bytes(frame, columns), CSV, etag, header)
    if form == "geojson":
        assert isinstance(frame, gpd.GeoDataFrame)  # noqa: S101
        extra = {"numberReturned": len(frame), "links": links}
        return answer(feature_collection(frame, columns, extra=extra), GEOJSON, etag, header)
    body = {
        "rows": rows_of(frame, layer, more_columns),
        "numberReturned": len(frame),
        "links": links,
    }
    return answer(orjson.dumps(body), "application/json", etag, header)


def rows_of(
    frame: pd.DataFrame, layer: Layer, more_columns: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Return rows with their key and public columns."""
    records = plain_records(frame, [*public_columns(layer), *more_columns])
    return [{layer.key: str(k)} | r for k, r in zip(frame.index, records, strict=True)]


def one_answer(
    request: Request,
    layer: Layer,
    stamp: str,
    fetch: Callable[[], pd.Series],
    *,
    etag_parts: tuple[Any, ...] = (),
) -> Response:
    """Return one row of a layer as a feature, or as an object where it has no geometry."""
    etag = request_etag(request, stamp, *etag_parts)
    known = not_modified(request, etag)
    if known is not None:
        return known
    row = fetch()
    frame = row.to_frame().T.infer_objects()
    frame.index = pd.Index([str(row.name)], name=layer.key)
    if layer.geometry is None:
        return answer(orjson.dumps(rows_of(frame, layer)[0]), "application/json", etag)
    shape = gpd.GeoDataFrame(frame, geometry="geometry", crs=4490)
    return answer(feature(shape, public_columns(layer)), GEOJSON, etag)
