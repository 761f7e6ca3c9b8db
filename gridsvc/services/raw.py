"""What a reader hands to the import use case, and what the import hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import pandas as pd

from gridsvc.errors import BadOption, Fault
from gridsvc.quality.repair_log import summary
from gridsvc.types import Datum, Json

if TYPE_CHECKING:
    from gridsvc.quality import Certificate

DateOrder = Literal["ymd", "mdy", "dmy"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should know about a source although it is no fault."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class RawLayer:
    """One layer of a file as it was read: nothing renamed, nothing dropped, no type guessed.

    Attributes
    ----------
    frame : GeoDataFrame or DataFrame
        One row per record in file order (row 1 is position 0). Geometry, where the source has
        any, is longitude/latitude in EPSG:4490 on the canonical lattice, two-dimensional.
        Text tables keep every value as the text that stands in the file.
    source : str
        File name, with the layer where the file has several.
    digest : str
        SHA-256 over the bytes of the file (for a shapefile over all of its parts).
    crs : str
        Coordinate system of the source as it was read, for example ``EPSG:4548``.
    datum : Datum
        Datum of the source's longitude/latitude.
    encoding : str or None
        Text encoding used, ``None`` where the format fixes it.
    layer : str or None
    source_x, source_y : Series or None
        Coordinates of points as they stand in the source, NaN where there are none.
    x_field, y_field : str or None
        Columns of the source that held the coordinates, for messages.
    invalid : Series or None
        True where coordinates are given but cannot be a place on earth.
    notes : tuple of Note
    sheet_rows : sequence of int or None
        Of tables, the row of the sheet that each record stands in, as spreadsheets number them.
    faults : tuple of Fault
        What the reader could not use, by record number. Such rows are there without geometry, so
        that an import finds what else is wrong with them and tells all of it at once.
    """

    frame: gpd.GeoDataFrame | pd.DataFrame
    source: str
    digest: str
    crs: str = "EPSG:4490"
    datum: Datum = Datum.CGCS2000
    encoding: str | None = None
    layer: str | None = None
    source_x: pd.Series | None = None
    source_y: pd.Series | None = None
    x_field: str | None = None
    y_field: str | None = None
    invalid: pd.Series | None = None
    notes: tuple[Note, ...] = ()
    sheet_rows: Sequence[int] | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def spatial(self) -> bool:
        """Whether the layer carries geometry."""
        return isinstance(self.frame, gpd.GeoDataFrame)

    @property
    def notes_zh(self) -> tuple[str, ...]:
        """The notes in Chinese."""
        return tuple(n.zh for n in self.notes)

    @property
    def notes_en(self) -> tuple[str, ...]:
        """The notes in English."""
        return tuple(n.en for n in self.notes)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Choices of the person who imports.

    Attributes
    ----------
    scheme : str
        Grid scheme that receives cells, or whose plan in force places points.
    title : str
        Title of the draft plan; the source's name when empty.
    city : str
        Name of the territory of a new scheme; empty leaves it without one.
    mapping : mapping
        Contract field to column of the source; what is not named is matched by its name.
    parent, parent_mapping : RawLayer, mapping
        Communities (or subdistricts) that cells get by largest overlap.
        ``communities.FIELD`` and ``subdistricts.FIELD`` map columns of one of two layers.
    parent_level : {"community", "subdistrict"}
    communities, subdistricts : RawLayer or None
        Parents of one level each; together they give both.
    exclusions : RawLayer or None
        Registered exclusions of the plan.
    decisions : mapping
        What a person decided about single codes: ``drop`` or ``keep``; ``keep`` also for ids
        that records name and that are not known yet.
    metric_epsg : int or None
        Metric system of a new scheme; chosen from the data's centre when ``None``.
    gap_width_m : float or None
        Gaps and slivers narrower than this are closed (metres); ``None`` takes the scheme's.
    snap_m : float or None
        Snapping tolerance in metres; estimated from the data when ``None``.
    date_order : {"ymd", "mdy", "dmy"} or None
        How numeric dates are to be read where they could mean two days.
    timezone : str
        IANA zone of times that carry none.
    replace : bool
        Replace records with the same key instead of refusing them.
    dry_run : bool
        Do everything but keep nothing.
    at : datetime or None
        Instant whose plan places points; now when ``None``.
    constants : mapping
        Contract field to a value that every row gets.
    code_system : {"auto", "cn", "free"}
        Of a new scheme; ``auto`` takes ``cn`` when every code has 14 or 15 digits.
    wide_gaps : {"ask", "fill", "exclude", "leave"}
        What happens to gaps wider than the repair fills unasked.
    unknown_units : {"create", "refuse"}
        Whether units named by points or staff are created when they are not there yet.
    repair : bool
        ``False`` takes cells as drawn (canonical coordinates only).
    keep_exclusions : bool
        Without ``exclusions``, those of the plan in force stay registered.
    number : bool
        Issue 15-digit codes to cells that have a community but no code.
    point_categories : mapping
        Known kinds of points: code to names; without any, kinds are not checked.
    roles, staff_sources, unit_kinds, channels : mapping
        Known roles of persons, sources of staff, kinds of units and channels of cases, as
        ``point_categories``; without any, they are not checked.
    allow_unknown : bool
        Keep kinds of points, status of cases, roles and sources of staff that are not known, and
        what names persons, units, points and places that are not there yet; ``decisions`` with
        ``keep`` for one such id does so for that id.
    """

    scheme: str = "main"
    title: str = ""
    city: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    parent: RawLayer | None = None
    parent_mapping: Mapping[str, str] = field(default_factory=dict)
    parent_level: Literal["community", "subdistrict"] = "community"
    communities: RawLayer | None = None
    subdistricts: RawLayer | None = None
    exclusions: RawLayer | None = None
    decisions: Mapping[str, str] = field(default_factory=dict)
    metric_epsg: int | None = None
    gap_width_m: float | None = None
    snap_m: float | None = None
    date_order: DateOrder | None = None
    timezone: str = "Asia/Shanghai"
    replace: bool = False
    dry_run: bool = False
    at: datetime | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    code_system: Literal["auto", "cn", "free"] = "auto"
    wide_gaps: Literal["ask", "fill", "exclude", "leave"] = "ask"
    unknown_units: Literal["create", "refuse"] = "create"
    repair: bool = True
    keep_exclusions: bool = True
    number: bool = False
    point_categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    staff_sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unit_kinds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    channels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allow_unknown: bool = False

    def parents(self) -> dict[str, RawLayer]:
        """Return the layers of parents by level: ``community``, ``subdistrict``.

        Raises
        ------
        BadOption
            If a level is given twice.
        """
        given = [
            (self.parent_level, self.parent),
            ("community", self.communities),
            ("subdistrict", self.subdistricts),
        ]
        found: dict[str, RawLayer] = {}
        for level, layer in given:
            if layer is None:
                continue
            if level in found:
                raise BadOption(
                    option="parent",
                    value=layer.source,
                    reason_zh=f"该层级已由 {found[level].source} 给出,每级只能有一个上级图层",
                    reason_en=f"{found[level].source} gives that level already; each has one layer",
                )
            found[level] = layer
        return found

    def as_dict(self) -> Json:
        """Return the choices as a JSON document, layers by name and digest."""
        return {
            "scheme": self.scheme,
            "title": self.title,
            "city": self.city,
            "mapping": dict(self.mapping),
            "parent": _named(self.parent),
            "parent_mapping": dict(self.parent_mapping),
            "parent_level": self.parent_level,
            "communities": _named(self.communities),
            "subdistricts": _named(self.subdistricts),
            "exclusions": _named(self.exclusions),
            "decisions": dict(self.decisions),
            "metric_epsg": self.metric_epsg,
            "gap_width_m": self.gap_width_m,
            "snap_m": self.snap_m,
            "date_order": self.date_order,
            "timezone": self.timezone,
            "replace": self.replace,
            "at": None if self.at is None else self.at.isoformat(),
            "constants": dict(self.constants),
            "code_system": self.code_system,
            "wide_gaps": self.wide_gaps,
            "unknown_units": self.unknown_units,
            "repair": self.repair,
            "keep_exclusions": self.keep_exclusions,
            "number": self.number,
            "allow_unknown": self.allow_unknown,
        }


def _named(layer: RawLayer | None) -> list[str] | None:
    return None if layer is None else [layer.source, layer.digest]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    layer, source, digest, batch_id : str
    rows : int
        Records of the source; every one is imported, dropped by decision, or the import fails.
    imported : int
    placements : dict
        Number of rows by placement (layers with a place).
    plan_id : str or None
        Draft plan that the cells became.
    certificate : Certificate or None
    repairs : GeoDataFrame or None
        One row per repair.
    moved_area_m2, moved_share, snap_m, discrepancy_m : float or None
    ambiguous : DataFrame or None
        Cells and communities whose parent is not clear, with the two largest shares: level,
        code, first, first_share, second, second_share.
    dropped : tuple of str
        Codes left out by decision.
    notes : tuple of Note
    dry_run : bool
    """

    layer: str
    source: str
    digest: str
    batch_id: str
    rows: int
    imported: int
    placements: dict[str, int] = field(default_factory=dict)
    plan_id: str | None = None
    certificate: Certificate | None = None
    repairs: gpd.GeoDataFrame | None = None
    moved_area_m2: float | None = None
    moved_share: float | None = None
    snap_m: float | None = None
    discrepancy_m: float | None = None
    ambiguous: pd.DataFrame | None = None
    dropped: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    dry_run: bool = False

    def as_dict(self) -> Json:
        """Return the report as a JSON document without geometry."""
        document: dict[str, Any] = {
            "layer": self.layer,
            "source": self.source,
            "digest": self.digest,
            "batch_id": self.batch_id,
            "rows": self.rows,
            "imported": self.imported,
            "placements": self.placements,
            "plan_id": self.plan_id,
            "certificate": None if self.certificate is None else self.certificate.as_dict(),
            "repairs": 0 if self.repairs is None else len(self.repairs),
            "repair_summary": [] if self.repairs is None else summary(self.repairs),
            "moved_area_m2": self.moved_area_m2,
            "moved_share": self.moved_share,
            "snap_m": self.snap_m,
            "discrepancy_m": self.discrepancy_m,
            "ambiguous": [] if self.ambiguous is None else self.ambiguous.to_dict(orient="records"),
            "dropped": list(self.dropped),
            "notes": [{"zh": n.zh, "en": n.en} for n in self.notes],
            "dry_run": self.dry_run,
        }
        return document
