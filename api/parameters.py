"""What a request may say: a name that nobody reads is refused, not passed over.

A parameter that is misspelt or of another route would otherwise be ignored, and the answer would
be one to another question.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi import Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute

from api.problems import TABLE, Kind
from gridsvc.errors import InputError

LANGUAGES = ("zh", "en")
"""What ``?lang=`` may say."""

_SHOWN = 40
_ALIKE = (
    {"at", "date", "time", "datetime", "instant", "timestamp", "when", "as_of"},
    {"since", "from", "start", "begin", "start_date", "date_from", "updated_since"},
    {"until", "to", "end", "before", "end_date", "date_to", "till"},
    {"after", "offset", "page", "cursor", "skip", "token"},
    {"limit", "count", "size", "per_page", "page_size", "max", "top", "first", "rows"},
    {"bbox", "box", "bounds", "extent", "envelope"},
    {"category", "class", "classes", "class_code", "type", "kind", "major", "target_kind"},
    {"cell", "cell_code", "grid", "gridcell", "code", "codes", "target"},
    {"community", "community_code", "village"},
    {"subdistrict", "subdistrict_code", "street", "township"},
    {"plan", "plan_id", "version", "scheme"},
    {"person", "person_id", "staff", "staff_id"},
    {"unit", "unit_id", "department", "responsible_unit"},
    {"status", "state"},
    {"lon", "lng", "long", "longitude", "x"},
    {"lat", "latitude", "y"},
    {"datum", "crs", "srid", "srs", "epsg", "start_datum"},
    {"accuracy", "accuracy_m", "precision", "radius", "tolerance"},
    {"lang", "language", "locale", "hl"},
    {"f", "format", "file_format", "fmt", "output"},
    {"as", "as_layer", "layer", "layer_name"},
    {"file", "upload", "files"},
    {"mapping", "map", "fields", "columns"},
    {"constants", "set"},
    {"decisions", "decide"},
    {"snap_m", "snap", "tolerance"},
)
"""Words that people use for the same thing, here or elsewhere."""


class Names(tuple[str, ...]):
    """Names that a template joins by its format: ``{known:, }``."""

    __slots__ = ()

    def __format__(self, between: str) -> str:
        return between.join(self) or "—"


class UnknownParameter(InputError):
    """A request has a parameter that its address does not know."""

    zh = "没有参数“{field}”;此地址可用:{known:、}"
    en = "there is no parameter '{field}'; this address knows: {known:, }"


class RepeatedParameter(InputError):
    """A parameter that has one value is given several times."""

    zh = "参数“{field}”只能给一次,收到 {count} 次"
    en = "parameter '{field}' has one value and was given {count} times"


TABLE[UnknownParameter] = Kind(422, "unknown-parameter", "未知参数", "Unknown parameter")
TABLE[RepeatedParameter] = Kind(422, "repeated-parameter", "参数重复", "Parameter repeated")


def closest_first(name: str, known: Iterable[str]) -> list[str]:
    """Return known names, first what was probably meant: same meaning, then alike in spelling.

    Examples
    --------
    >>> closest_first("class", ["bbox", "cell", "category"])
    ['category', 'cell', 'bbox']
    >>> closest_first("Limt", ["after", "limit"])
    ['limit', 'after']
    """
    asked = name.strip().lower()
    groups = [group for group in _ALIKE if asked in group]

    def likeness(candidate: str) -> float:
        ratio = difflib.SequenceMatcher(None, asked, candidate).ratio()
        # A word nearly spelt right is what was meant, whatever else it is a word for.
        return ratio + (0.9 if any(candidate in group for group in groups) else 0.0)

    return sorted(known, key=likeness, reverse=True)


def check_names(given: Sequence[str], known: Iterable[str], repeatable: Iterable[str] = ()) -> None:
    """Refuse names that are not known, and names given again that have one value.

    Parameters
    ----------
    given : sequence of str
        The names of a query or form, as often as they occur.
    known : iterable of str
        The names that are read.
    repeatable : iterable of str
        Those of them that may occur several times.

    Raises
    ------
    UnknownParameter, RepeatedParameter
    """
    names, several = tuple(known), frozenset(repeatable)
    seen: set[str] = set()
    for name in given:
        if name not in names:
            shown = name[:_SHOWN]
            raise UnknownParameter(field=shown, known=Names(closest_first(shown, names)))
        if name in seen and name not in several:
            raise RepeatedParameter(field=name, count=given.count(name))
        seen.add(name)


async def only_what_is_read(
    request: Request,
    lang: Annotated[
        Literal["zh", "en"] | None,
        Query(description="Language of texts and problems; otherwise `Accept-Language` decides."),
    ] = None,
) -> None:
    """Refuse parameters and form fields that the route does not declare (``dependencies=``).

    What is known is read from the route itself. A page that is not part of the documented
    interface takes whatever is put behind its address: links that are passed on by messengers
    carry marks of their own, and such a page answers no question that they could change.

    Raises
    ------
    UnknownParameter, RepeatedParameter
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    asked = [name for name, _ in request.query_params.multi_items()]
    known = dict(_takes(route.dependant, "query_params"), lang=False)
    check_names(asked, known, [name for name, several in known.items() if several])
    if any(isinstance(p.field_info, Form) for p in route.dependant.body_params):
        form = await request.form()
        fields = dict(_takes(route.dependant, "body_params"))
        repeatable = [name for name, several in fields.items() if several]
        check_names([name for name, _ in form.multi_items()], fields, repeatable)


def _takes(dependant: Dependant, kind: str) -> Iterator[tuple[str, bool]]:
    """Yield the names that a route and what it depends on read, and whether as a list."""
    for field in getattr(dependant, kind):
        yield field.alias, _is_list(field.field_info.annotation)
    for below in dependant.dependencies:
        yield from _takes(below, kind)


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType, Annotated):
        return any(_is_list(part) for part in get_args(annotation))
    return origin in (list, tuple, set, frozenset)
