"""Instants in texts for people: in the city's zone, not in UTC."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_UTC = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:\+00:00|Z)(?![\d:])")


def in_zone(text: str, zone: str) -> str:
    """Return a text with each UTC instant in it written in a zone, to the second.

    Parameters
    ----------
    text : str
    zone : str
        IANA name.

    Examples
    --------
    >>> in_zone("no plan at 2019-12-31T16:00:00+00:00", "Asia/Shanghai")
    'no plan at 2020-01-01 00:00:00+08:00'
    """

    def local(match: re.Match[str]) -> str:
        try:
            moment = datetime.fromisoformat(match[0])
            return moment.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="seconds")
        except (ValueError, OverflowError):
            return match[0]

    return _UTC.sub(local, text)
