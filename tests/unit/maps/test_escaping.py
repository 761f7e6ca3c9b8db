"""Foreign text cannot become markup or script in any sink of folium."""

from __future__ import annotations

import html
import json

import folium
from hypothesis import given
from hypothesis import strategies as st

from maps import OfflineMap, SafeFeatureGroup, TextPopup, TextTooltip, render_html, safe
from maps.escaping import script_json, script_source

from .builders import HOSTILE

ACTIVE = ("<", ">", '"', "'", "`", "$", "{", "}", "\\")


@given(st.text())
def test_safe_leaves_nothing_active_and_reads_back_as_it_was(text: str) -> None:
    escaped = safe(text)
    assert not any(character in escaped for character in ACTIVE)
    if "\r" not in text and "\0" not in text and not any(0x80 <= ord(c) <= 0x9F for c in text):
        assert html.unescape(escaped) == text


@given(st.text())
def test_json_cannot_end_its_script_and_reads_back_as_it_was(text: str) -> None:
    encoded = script_json(json.dumps(text, ensure_ascii=False))
    assert "<" not in encoded
    assert json.loads(encoded) == text


def test_script_source_cannot_end_its_element() -> None:
    source = 'const a = "</script><!--";'
    assert "</script" not in script_source(source)
    assert "<!--" not in script_source(source)


def test_folium_layers_with_our_texts_hold_no_markup() -> None:
    drawn = OfflineMap(location=(26.2, 117.6), assets="url")
    group = SafeFeatureGroup(HOSTILE).add_to(drawn)
    marker = folium.CircleMarker((26.2, 117.6)).add_to(group)
    TextPopup(HOSTILE).add_to(marker)
    TextTooltip(HOSTILE).add_to(marker)
    folium.LayerControl().add_to(drawn)
    page = render_html(drawn)
    assert "<img src=x" not in page
    assert "</script><script>window" not in page


def test_text_is_never_taken_for_a_template() -> None:
    drawn = OfflineMap(location=(26.2, 117.6), assets="url")
    marker = folium.CircleMarker((26.2, 117.6)).add_to(drawn)
    TextPopup("{{ 7 * 191 }}{% if 1 %}seen{% endif %}{# gone #}").add_to(marker)
    page = render_html(drawn)
    assert "1337" not in page
    assert "\\u007b# gone #\\u007d" in page
