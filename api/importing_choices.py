"""What a person chooses for an import, the same for ``gridsvc import`` and for an upload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gridsvc.errors import CrsMissing, UnreadableSource
from gridsvc.services.raw import ImportOptions, RawLayer

if TYPE_CHECKING:
    from api.settings import Settings

Swap = Literal["none", "rows", "all"]
DateOrder = Literal["ymd", "mdy", "dmy"]
WideGaps = Literal["ask", "fill", "exclude", "leave"]
CodeSystem = Literal["auto", "cn", "free"]
ParentLevel = Literal["community", "subdistrict"]

PLACES = ("lon", "lat", "wkt", "datum")


@dataclass(frozen=True, slots=True)
class Beside:
    """What is stated of a file that comes with the import; empty is as the main file's."""

    layer: str = ""
    crs: str = ""
    datum: str = ""
    encoding: str = ""

    def of(self, layer: str) -> Beside:
        """Return what is stated of one of several layers.

        A text like ``communities=社区;subdistricts=街道`` tells each of them its own; another one
        is for all of them.

        Examples
        --------
        >>> two = Beside(layer="communities=A;subdistricts=B", datum="gcj02")
        >>> two.of("subdistricts")
        Beside(layer='B', crs='', datum='gcj02', encoding='')
        """

        def own(text: str) -> str:
            if not text.startswith(("communities=", "subdistricts=")):
                return text
            parts = dict(part.partition("=")[::2] for part in text.split(";"))
            return parts.get(layer, "").strip()

        return Beside(own(self.layer), own(self.crs), own(self.datum), own(self.encoding))


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """Choices as they are made; what is empty or zero is left to the data and the settings.

    Attributes
    ----------
    mapping : mapping
        Contract field to column. ``lon``, ``lat``, ``wkt`` and ``datum`` name the columns of a
        table that hold places.
    snap_m, gap_width_m : float
        Metres.
    strict_units : bool
        Refuse units that are not there instead of creating them.
    allow_unknown : bool
        Keep kinds of points, status of cases, roles and sources of staff that the catalogues do
        not have, and persons, units, points and places that are not there yet.
    """

    scheme: str = ""
    title: str = ""
    city: str = ""
    layer: str = ""
    crs: str = ""
    datum: str = ""
    encoding: str = ""
    swap: Swap = "none"
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    decisions: Mapping[str, str] = field(default_factory=dict)
    parent_mapping: Mapping[str, str] = field(default_factory=dict)
    parent_level: ParentLevel = "community"
    wide_gaps: WideGaps = "ask"
    snap_m: float = 0.0
    gap_width_m: float = 0.0
    metric_epsg: int = 0
    code_system: CodeSystem = "auto"
    date_order: DateOrder | None = None
    timezone: str = ""
    at: datetime | None = None
    replace: bool = False
    strict_units: bool = False
    repair: bool = True
    keep_exclusions: bool = True
    dry_run: bool = False
    number: bool = False
    allow_unknown: bool = False

    def open(self, path: Path, settings: Settings) -> RawLayer:
        """Read the file to be imported; rows that cannot be read are left to the import.

        Raises
        ------
        UnreadableSource, EmptySource, CrsMissing, WrongCrs, UnknownDatum, RejectedRows
        """
        from geodata.sources import open_source

        return open_source(
            path,
            layer=self.layer or None,
            crs=self.crs or None,
            datum=self.datum or None,
            encoding=self.encoding or None,
            columns={k: v for k, v in self.mapping.items() if k in PLACES},
            swap=self.swap,
            max_unpacked_mb=settings.server.max_unpacked_mb,
            collect=True,
        )

    def open_beside(self, path: Path, settings: Settings, stated: Beside | None = None) -> RawLayer:
        """Read a layer that comes with the import: parents or exclusions.

        What is not stated of it is as for the main file, so that both lie on the same ground:
        the datum always, the coordinate system and the encoding where the file tells none.

        Raises
        ------
        UnreadableSource, EmptySource, CrsMissing, WrongCrs, UnknownDatum, RejectedRows
        """
        from geodata.sources import open_source

        stated = stated or Beside()

        def read(crs: str, datum: str, encoding: str) -> RawLayer:
            return open_source(
                path,
                layer=stated.layer or None,
                crs=crs or None,
                datum=datum or None,
                encoding=encoding or None,
                max_unpacked_mb=settings.server.max_unpacked_mb,
            )

        crs, encoding = stated.crs, stated.encoding
        if not encoding and self.encoding:
            try:
                read(crs or self.crs, stated.datum or self.datum, "")
            except UnreadableSource:
                encoding = self.encoding
        if not crs and self.crs:
            try:
                read("", "", encoding)
            except CrsMissing:
                crs = self.crs
        return read(crs, stated.datum or self.datum, encoding)

    def options(
        self,
        settings: Settings,
        *,
        parent: RawLayer | None = None,
        communities: RawLayer | None = None,
        subdistricts: RawLayer | None = None,
        exclusions: RawLayer | None = None,
    ) -> ImportOptions:
        """Return the options of the import use case."""
        from geodata.reference import (
            intake_channels,
            point_category_names,
            roles,
            staff_sources,
            term_names,
            unit_kinds,
        )

        return ImportOptions(
            scheme=self.scheme or settings.grid.scheme,
            title=self.title,
            city=self.city or settings.grid.city,
            mapping={k: v for k, v in self.mapping.items() if k not in PLACES},
            parent=parent,
            parent_mapping=self.parent_mapping,
            parent_level=self.parent_level,
            communities=communities,
            subdistricts=subdistricts,
            exclusions=exclusions,
            decisions=self.decisions,
            metric_epsg=self.metric_epsg or None,
            gap_width_m=self.gap_width_m or None,
            snap_m=self.snap_m or None,
            date_order=self.date_order,
            timezone=self.timezone or settings.grid.timezone,
            replace=self.replace,
            dry_run=self.dry_run,
            at=self.at,
            constants=self.constants,
            code_system=self.code_system,
            wide_gaps=self.wide_gaps,
            unknown_units="refuse" if self.strict_units else "create",
            repair=self.repair,
            keep_exclusions=self.keep_exclusions,
            number=self.number,
            point_categories=point_category_names(),
            roles=term_names(roles()),
            staff_sources=term_names(staff_sources()),
            unit_kinds=term_names(unit_kinds()),
            channels=term_names(intake_channels()),
            allow_unknown=self.allow_unknown,
        )
