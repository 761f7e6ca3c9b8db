"""What surrounds a served map: links, conditions, display names, base map."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlencode

import geopandas as gpd
import pandas as pd

from api.bootstrap import Services
from api.settings import Settings
from geodata import reference
from gridsvc.errors import Language
from gridsvc.plan.version import PlanVersion
from maps import Field, Page, Tiles
from maps.messages import Both, both
from maps.page import Text

KINDS = ("coverage", "hotspot", "patrol", "plan")


@lru_cache(maxsize=1)
def catalogue_names() -> dict[str, dict[str, Text]]:
    """Return display names of roles, kinds of points and major classes."""
    return {
        "role": {term.key: _both(term.zh, term.en) for term in reference.roles()},
        "category": {kind.key: _both(kind.zh, kind.en) for kind in reference.point_categories()},
        "class": {term.key: _both(term.zh, term.en) for term in reference.major_classes()},
    }


def _both(zh: str, en: str) -> Both:
    return {"zh": zh, "en": en}


def names_with(
    classes: pd.DataFrame | None = None, units: pd.DataFrame | None = None
) -> dict[str, dict[str, Text]]:
    """Return the display names with stored minor classes and units (tables by key) added."""
    names = dict(catalogue_names())
    for kind, table in (("class", classes), ("unit", units)):
        if table is not None and len(table):
            own: dict[str, Text] = {str(k): str(v) for k, v in table["name"].dropna().items()}
            names[kind] = {**names.get(kind, {}), **own}
    return names


def city_of(services: Services, plan: PlanVersion) -> str:
    """Return the name of the city of a plan, empty where it has none."""
    with services.storage.unit_of_work() as work:
        return work.plans.scheme(plan.scheme_id).city or ""


def page_of(
    settings: Settings,
    kind: str,
    plan: PlanVersion,
    language: Language,
    *,
    city: str = "",
    download: str | None = None,
    fields: Iterable[Field] = (),
    names: dict[str, dict[str, Text]] | None = None,
) -> Page:
    """Return the surroundings of one served map."""
    tiles = None
    if settings.map.tile_url:
        tiles = Tiles(
            url=settings.map.tile_url,
            datum=settings.map.tile_datum,
            attribution=settings.map.tile_attribution,
        )
    own = tuple(fields)
    view = {"plan": plan.id, "f": "geojson", "limit": 1000}
    return Page(
        timezone=settings.grid.timezone,
        plan_title=plan.title,
        city=city,
        home=f"/?language={language}",
        download=download,
        action=f"/maps/{kind}" if own else None,
        fields=own,
        links=tuple((both(f"{k}_title"), f"/maps/{k}") for k in KINDS if k != kind),
        tiles=tiles,
        cells_in_view=f"/api/v1/cells?{urlencode(view)}",
        names=names if names is not None else catalogue_names(),
    )


def hotspot_fields(
    since: str, until: str, chosen: str, denominator: str, set_aside: bool
) -> tuple[Field, ...]:
    """Return the conditions of the hotspot map."""
    kinds: list[tuple[str, Text]] = [("", both("all_classes"))]
    kinds += [
        (term.key, _both(f"{term.key} {term.zh}", f"{term.key} {term.en}"))
        for term in reference.major_classes()
    ]
    if chosen and chosen not in {key for key, _ in kinds}:
        kinds.append((chosen, chosen))
    divisors: tuple[tuple[str, Text], ...] = tuple(
        (key, both(f"denominator_{key}")) for key in ("none", "area_km2", "population")
    )
    return (
        Field("since", both("since"), "date", since),
        Field("until", both("until"), "date", until),
        Field("class", both("issue_class"), "select", chosen, tuple(kinds)),
        Field("denominator", both("denominator"), "select", denominator, divisors),
        Field(
            "set_aside",
            both("keep_piles"),
            "select",
            "true" if set_aside else "false",
            (("true", both("keep_piles_no")), ("false", both("keep_piles_yes"))),
        ),
    )


def patrol_fields(
    cells: gpd.GeoDataFrame, community: str, cell: str, inspectors: int, window: str
) -> tuple[Field, ...]:
    """Return the conditions of the patrol map."""
    table = (
        cells[["community_code", "community_name", "subdistrict_name"]]
        .drop_duplicates("community_code")
        .sort_values("community_code")
    )
    options: list[tuple[str, Text]] = [] if community else [("", both("none"))]
    options += [
        (str(code), " · ".join(str(part) for part in (above, name) if isinstance(part, str)))
        for code, name, above in zip(
            table["community_code"],
            table["community_name"],
            table["subdistrict_name"],
            strict=True,
        )
    ]
    windows: tuple[tuple[str, Text], ...] = (
        ("", both("window_both")),
        ("day", both("window_day")),
        ("night", both("window_night")),
    )
    people: tuple[tuple[str, Text], ...] = tuple((str(n), str(n)) for n in range(1, 9))
    return (
        Field("community", both("community"), "select", community, tuple(options)),
        Field("cell", both("cell"), "text", cell, hint=both("cell_wins")),
        Field("inspectors", both("inspectors"), "select", str(inspectors), people),
        Field("window", both("window"), "select", window, windows),
    )
