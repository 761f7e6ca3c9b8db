"""Descriptions of coordinate systems that name files are recognised before PROJ reads them.

PROJ opens what ``+init=FILE:KEY``, ``+nadgrids=FILE`` or a ``PARAMETERFILE`` name, on the machine
that reads, wherever the description came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# "null" names no file: Web Mercator is written so in countless .prj files.
_NO_FILE = r"(?!@?null(?:[\s\"'+]|$))"
_NAMES_FILE = re.compile(
    rf"init\s*=|grids\s*=\s*{_NO_FILE}|parameterfile\s*[\[(]\s*\"[^\"]*\"\s*,\s*\"{_NO_FILE}",
    re.IGNORECASE,
)


def names_file(description: Any) -> bool:
    """Return whether a description of a coordinate system names a file.

    Parameters
    ----------
    description : Any
        A code, WKT, PROJ text or PROJJSON (text or parsed), or an object that ``str`` describes.

    Examples
    --------
    >>> names_file("+init=/srv/x:here"), names_file("EPSG:4548"), names_file(4490)
    (True, False, False)
    """
    if isinstance(description, dict):
        return any(
            _NAMES_FILE.search(text) is not None
            # A transformation's parameter that is text is the name of a file.
            or (key == "value" and text.lower() not in ("null", "@null"))
            for key, text in _texts(description)
        )
    text = str(description)
    if text.lstrip().startswith("{"):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return True  # PROJ cannot read it either
        return isinstance(parsed, dict) and names_file(parsed)
    return _NAMES_FILE.search(text) is not None


def _texts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every text of a JSON document with the name that it stands under."""
    pending: list[tuple[str, Any]] = [("", document)]
    while pending:
        key, node = pending.pop()
        if isinstance(node, str):
            yield key, node
        elif isinstance(node, dict):
            pending.extend(node.items())
        elif isinstance(node, list):
            pending.extend((key, part) for part in node)
