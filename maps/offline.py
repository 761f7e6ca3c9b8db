"""folium maps that load nothing from other machines.

``assets="url"`` refers to the files that the service serves under ``/static``; ``assets="inline"``
puts them into the page, so that one file opens anywhere, also from an e-mail.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import folium
import orjson
from branca.element import Element, Figure, MacroElement
from folium.template import Template

from gridsvc.errors import StorageError
from maps.document import Document, exported
from maps.escaping import safe, script_json, script_source
from maps.page import Assets

STATIC = Path(__file__).resolve().parent / "static"
DOCUMENT_ID = "gridsvc-document"


class AssetsMissing(StorageError):
    """The browser modules have not been built."""

    zh = "缺少地图的浏览器资源({reason});请先运行 python scripts/build_web.py"
    en = "the maps' browser assets are missing ({reason}); run python scripts/build_web.py first"


def static_folder() -> Path:
    """Return the folder with the built browser assets.

    Raises
    ------
    AssetsMissing
    """
    if not (STATIC / "map.js").is_file():
        raise AssetsMissing(reason="maps/static/map.js")
    return STATIC


@lru_cache(maxsize=16)
def _read(name: str, stamp: int) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def asset(name: str) -> str:
    """Return the text of one built asset."""
    path = static_folder() / name
    return _read(name, path.stat().st_mtime_ns)


def asset_version() -> str:
    """Return a short text that changes with the built assets."""
    build = static_folder() / "BUILD"
    return build.read_text(encoding="ascii").strip()[:12] if build.is_file() else "dev"


class Raw(Element):
    """HTML that is written as it stands, past all templates."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._name = "Raw"
        self._html = html

    def render(self, **_: Any) -> str:
        """Return the HTML."""
        return self._html


class OfflineMap(folium.Map):
    """A folium map whose only assets are our own.

    Parameters
    ----------
    document : dict, optional
        What the page draws (``maps.document.compose``). Without one it is an empty map, to which
        folium's own layers can be added.
    assets : {"url", "inline"}
    asset_base : str
        Where the service serves the assets.
    **options
        Further arguments of ``folium.Map``; ``tiles`` is always ``None``.
    """

    # Lists of this class: folium's own are shared by all maps of the process.
    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - the type that folium declares
    default_css: list[tuple[str, str]] = []  # noqa: RUF012

    def __init__(
        self,
        document: Document | None = None,
        *,
        assets: Assets = "inline",
        asset_base: str = "/static",
        **options: Any,
    ) -> None:
        if document is not None:
            west, south, east, north = document["bounds"]
            options.setdefault("location", ((south + north) / 2, (west + east) / 2))
            options.setdefault("zoom_start", 12)
        super().__init__(tiles=None, prefer_canvas=True, **options)
        # folium drops max_zoom without tiles, and clustering layers fail without it.
        self.options["maxZoom"] = 20
        self.options["zoomSnap"] = 0.25
        self.options["zoomDelta"] = 0.5
        self.options["attributionControl"] = False
        self.assets: Assets = assets
        self.asset_base = asset_base.rstrip("/")
        self.document = document
        if document is not None:
            shown = exported(document) if assets == "inline" else document
            self.document = shown
            self.add_child(GridDocument(shown), name="grid_document")

    def render(self, **kwargs: Any) -> str:
        """Render into the figure with local assets only."""
        figure = self.get_root()
        if not isinstance(figure, Figure):
            raise TypeError("a map renders inside a Figure")
        if self.document is not None:
            title = self.document["title"]
            language = self.document["language"]
            figure.title = safe(title if isinstance(title, str) else title[language])
        figure.header.add_child(Raw('<link rel="icon" href="data:,">'), name="gridsvc_icon")
        if self.assets == "inline":
            css, js = asset("map.css"), script_source(asset("map.js"))
            figure.header.add_child(Raw(f"<style>{css}</style>"), name="gridsvc_css")
            figure.header.add_child(Raw(f"<script>{js}</script>"), name="gridsvc_js")
        else:
            base, version = safe(self.asset_base), asset_version()
            figure.header.add_child(
                Raw(f'<link rel="stylesheet" href="{base}/map.css?v={version}">'),
                name="gridsvc_css",
            )
            figure.header.add_child(
                Raw(f'<script src="{base}/map.js?v={version}"></script>'), name="gridsvc_js"
            )
        super().render(**kwargs)  # type: ignore[no-untyped-call]
        return ""


class GridDocument(MacroElement):
    """Carries a document in the page and hands it to the browser module."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        'gridsvc.start({{ this._parent.get_name() }}, "' + DOCUMENT_ID + '");'
        "{% endmacro %}"
    )

    def __init__(self, document: Document) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "GridDocument"
        self._document = document

    def render(self, **kwargs: Any) -> str:
        """Add the data block before the script that reads it."""
        encoded = orjson.dumps(self._document, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        figure = self.get_root()
        if not isinstance(figure, Figure):
            raise TypeError("a document renders inside a Figure")
        figure.html.add_child(
            Raw(
                f'<script type="application/json" id="{DOCUMENT_ID}">'
                f"{script_json(encoded)}</script>"
            ),
            name="gridsvc_document",
        )
        super().render(**kwargs)  # type: ignore[no-untyped-call]
        return ""


class TextPopup(MacroElement):
    """A popup that shows text verbatim; unlike ``folium.Popup`` it needs no jQuery.

    Parameters
    ----------
    text : str
    """

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "{{ this._parent.get_name() }}.bind{{ this.kind }}(gridsvc.text({{ this.encoded }}));"
        "{% endmacro %}"
    )
    kind = "Popup"

    def __init__(self, text: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = f"Text{self.kind}"
        # branca renders the finished script as a template once more, so no brace may stand in it.
        encoded = script_json(orjson.dumps(str(text)).decode())
        self.encoded = encoded.replace("{", "\\u007b").replace("}", "\\u007d")


class TextTooltip(TextPopup):
    """A tooltip that shows text verbatim."""

    kind = "Tooltip"


class SafeFeatureGroup(folium.FeatureGroup):
    """A feature group whose name is shown verbatim in the layer control."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name=safe(name), **options)
