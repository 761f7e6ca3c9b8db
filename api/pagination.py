"""Paging by key: ``limit`` rows after the key ``after``, with the address of the next page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from fastapi import Depends, Query, Request

DEFAULT_LIMIT = 1000
MAX_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of an ordered list is asked for."""

    after: str | None
    limit: int

    @property
    def fetch(self) -> int:
        """Rows to fetch: one more than are shown tells whether there is a next page."""
        return self.limit + 1


def page(
    after: Annotated[
        str | None, Query(description="Key of the last row of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows of a page.")] = DEFAULT_LIMIT,
) -> Page:
    """Return the page of ``?after=&limit=``."""
    return Page(after or None, limit)


PageDep = Annotated[Page, Depends(page)]


def cut(frame: pd.DataFrame, page: Page) -> tuple[pd.DataFrame, str | None]:
    """Return the rows of the page and the key after which the next one begins."""
    if len(frame) <= page.limit:
        return frame, None
    shown = frame.iloc[: page.limit]
    return shown, str(shown.index[-1])


def next_link(request: Request, key: str | None) -> list[dict[str, Any]]:
    """Return the links of a page: itself, and the next one where there is one."""
    links = [{"rel": "self", "href": _href(request, {})}]
    if key is not None:
        links.append({"rel": "next", "href": _href(request, {"after": key})})
    return links


def _href(request: Request, changes: dict[str, str]) -> str:
    url = request.url.include_query_params(**changes)
    return url.path + (f"?{url.query}" if url.query else "")
