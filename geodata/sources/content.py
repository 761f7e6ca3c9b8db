"""What a reader finds in a file, before coordinates are brought to the storage system."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from pyproj import CRS

from gridsvc.errors import Fault, UnreadableSource
from gridsvc.services.raw import Note
from gridsvc.types import ObjectArray
from gridsvc.ways import way


@dataclass(slots=True)
class Content:
    """One layer as read: attributes, geometry in source coordinates, and what was learnt.

    ``geometry`` is ``None`` for a table without coordinates. ``datum`` is a datum that the file
    itself states; ``x_field``, ``y_field`` are the columns that held coordinates.
    ``sheet_rows`` are the rows of a sheet that records stand in, counted from 1. ``faults`` are
    rows whose place cannot be read, by record number; they have no geometry.
    """

    attributes: pd.DataFrame
    geometry: ObjectArray | None
    crs: CRS | None
    layer: str | None = None
    encoding: str | None = None
    datum: str | None = None
    x_field: str | None = None
    y_field: str | None = None
    notes: list[Note] = field(default_factory=list)
    sheet_rows: list[int] | None = None
    faults: list[Fault] = field(default_factory=list)


def refuse(source: str, zh: str, en: str, hint_zh: str, hint_en: str) -> UnreadableSource:
    """Return the error for a file that cannot be used, with the way out."""
    return UnreadableSource(
        source=source, reason_zh=zh, reason_en=en, hint_zh=hint_zh, hint_en=hint_en
    )


def choose_layer(names: list[str], wanted: str | None, source: str) -> str:
    """Return the layer to read: the one wanted, or the only one.

    Raises
    ------
    UnreadableSource
        Listing the names when there are several, or none is of that name.
    """
    listing = ", ".join(names)
    if wanted is not None:
        if wanted in names:
            return wanted
        raise refuse(
            source,
            f"没有图层“{wanted}”",
            f"there is no layer '{wanted}'",
            f"可选图层:{listing}",
            f"layers: {listing}",
        )
    if len(names) == 1:
        return names[0]
    if not names:
        raise refuse(
            source, "文件中没有图层", "the file has no layer", "请确认文件内容", "check the file"
        )
    raise refuse(
        source,
        f"文件有 {len(names)} 个图层",
        f"the file has {len(names)} layers",
        f"请用 {way('layer')} 选择:{listing}",
        f"choose one with {way('layer')}: {listing}",
    )
