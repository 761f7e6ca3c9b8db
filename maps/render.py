"""From a map to a page: HTML and the content security policy that fits it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import folium
from branca.element import Element

from maps.offline import OfflineMap

_INLINE = re.compile(r"<(script|style)((?:\s[^>]*)?)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page and the value of its ``Content-Security-Policy`` header."""

    html: str
    policy: str


def policy_of(html: str, *, tile_url: str = "") -> str:
    """Return the strictest policy under which a page works: inline blocks by their hashes.

    Parameters
    ----------
    html : str
    tile_url : str
        Template of a base map whose host images may come from.
    """
    scripts: list[str] = []
    styles: list[str] = []
    for tag, attributes, content in _INLINE.findall(html):
        if "src=" in attributes or "application/json" in attributes:
            continue
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        (scripts if tag.lower() == "script" else styles).append(f"'sha256-{digest}'")
    images = ["'self'", "data:"]
    if tile_url:
        parts = urlsplit(tile_url.replace("{s}", "*"))
        if parts.scheme and parts.netloc:
            images.append(f"{parts.scheme}://{parts.netloc}")
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *dict.fromkeys(scripts)]),
            " ".join(["style-src 'self'", *dict.fromkeys(styles)]),
            "img-src " + " ".join(images),
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        ]
    )


def render(drawn: folium.Map) -> Rendered:
    """Return the page of a map and its policy; a single file carries the policy in itself."""
    tile_url = ""
    inline = False
    if isinstance(drawn, OfflineMap):
        inline = drawn.assets == "inline"
        if drawn.document is not None and drawn.document["tiles"] is not None:
            tile_url = drawn.document["tiles"]["url"]
    figure = drawn.get_root()
    html = _stable_ids(figure.render(), figure)
    policy = policy_of(html, tile_url=tile_url)
    if inline:
        # frame-ancestors has no effect in a meta element and browsers complain about it.
        own = policy.replace("; frame-ancestors 'self'", "").replace("'self' ", "")
        meta = f'<meta http-equiv="Content-Security-Policy" content="{own}">'
        html = html.replace("<head>", f"<head>\n{meta}", 1)
    return Rendered(html=html, policy=policy)


def render_html(drawn: folium.Map) -> str:
    """Return the page of a map."""
    return render(drawn).html


def _stable_ids(html: str, figure: Element) -> str:
    """Replace folium's random element ids by their order, so that equal maps are equal bytes.

    Only ids of this page's elements are touched, never text that looks like one.
    """
    found: list[str] = []

    def collect(element: Element) -> None:
        found.append(element._id)
        for child in element._children.values():
            collect(child)

    collect(figure)
    order = {name: f"{position:032x}" for position, name in enumerate(dict.fromkeys(found), 1)}
    pattern = re.compile("|".join(re.escape(name) for name in order))
    return pattern.sub(lambda match: order[match.group(0)], html)
