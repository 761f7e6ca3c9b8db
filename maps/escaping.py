"""Making foreign text harmless for folium's templates and for scripts in pages.

folium places popup and tooltip text inside JavaScript template literals, where ``html.escape``
alone leaves ``${…}`` and backticks active. ``safe`` replaces these as well.
"""

from __future__ import annotations

import html
from typing import Any

_MORE = {"`": "&#96;", "$": "&#36;", "{": "&#123;", "}": "&#125;", "\\": "&#92;"}


def safe(value: Any) -> str:
    r"""Return text that every folium sink shows verbatim: popups, tooltips, names, aliases, HTML.

    Examples
    --------
    >>> safe("<b>${x}`")
    '&lt;b&gt;&#36;&#123;x&#125;&#96;'
    """
    escaped = html.escape(str(value), quote=True)
    for character, entity in _MORE.items():
        escaped = escaped.replace(character, entity)
    return escaped


def script_json(encoded: str) -> str:
    """Return JSON text that cannot end the script element it stands in."""
    return (
        encoded.replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def script_source(source: str) -> str:
    r"""Return JavaScript that can stand inside a script element: ``</script`` is broken up."""
    return (
        source.replace("</script", "<\\/script")
        .replace("</SCRIPT", "<\\/SCRIPT")
        .replace("<!--", "<\\!--")
    )
