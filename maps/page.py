"""What a page around a map may offer, decided by whoever serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from maps.messages import Both

Text = str | Both
Assets = Literal["url", "inline"]


@dataclass(frozen=True, slots=True)
class Tiles:
    """An optional base map.

    Attributes
    ----------
    url : str
        Leaflet template with ``{z}``, ``{x}``, ``{y}``.
    datum : str
        ``wgs84``, ``cgcs2000`` or ``gcj02``; the last shifts the overlay for display only.
    attribution : str
    max_zoom : int
    """

    url: str
    datum: Literal["wgs84", "cgcs2000", "gcj02"] = "wgs84"
    attribution: str = ""
    max_zoom: int = 18


@dataclass(frozen=True, slots=True)
class Field:
    """One control of the conditions form: a query parameter of the served page."""

    name: str
    label: Text
    kind: Literal["date", "select", "text"]
    value: str = ""
    options: tuple[tuple[str, Text], ...] = ()
    hint: Text | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the control as the browser receives it."""
        document: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "kind": self.kind,
            "value": self.value,
            "options": [{"value": v, "label": t} for v, t in self.options],
        }
        if self.hint is not None:
            document["hint"] = self.hint
        return document


@dataclass(frozen=True, slots=True)
class Page:
    """Surroundings of a map; the default suits notebooks and exported files.

    Attributes
    ----------
    timezone : str
        IANA zone in which instants are shown.
    plan_title : str
        How the plan is called beside its id.
    city : str
        Name of the city, put before the title.
    home, download : str or None
        Addresses of the start page and of the one-file export.
    action : str or None
        Address that the conditions form calls; no form without it.
    fields : tuple of Field
    links : tuple of (Text, str)
        Further pages in the header.
    tiles : Tiles or None
    cells_in_view : str or None
        Address that gives the cells of ``&bbox=`` as GeoJSON, for maps of too many cells.
    names : mapping
        Display names of catalogue keys: ``role``, ``category``, ``class`` and ``unit``, each a
        mapping from key to text.
    """

    timezone: str = "Asia/Shanghai"
    plan_title: str = ""
    city: str = ""
    home: str | None = None
    download: str | None = None
    action: str | None = None
    fields: tuple[Field, ...] = ()
    links: tuple[tuple[Text, str], ...] = ()
    tiles: Tiles | None = None
    cells_in_view: str | None = None
    names: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)

    def name(self, kind: str, key: Any) -> Text:
        """Return the display name of a catalogue key, the key itself when unknown."""
        return self.names.get(kind, {}).get(str(key), str(key))

    def titled(self, title: Text) -> Text:
        """Return a title with the city before it."""
        if not self.city:
            return title
        if isinstance(title, str):
            return f"{self.city} · {title}"
        return {"zh": f"{self.city} · {title['zh']}", "en": f"{self.city} · {title['en']}"}

    def plan_text(self, plan_id: str) -> str:
        """Return how the plan is written on the map."""
        if self.plan_title and self.plan_title != plan_id:
            return f"{self.plan_title} ({plan_id})"
        return plan_id
