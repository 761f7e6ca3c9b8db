"""The start page and the page of a failure."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maps.start import PlanLine, StartFacts, error_page, start_page

from .builders import HOSTILE


def facts(**changes: Any) -> StartFacts:
    line = PlanLine("main-v1", "样例", "published", True, 702, "2025-07-01 00:00", "—")
    whole = StartFacts(
        city="样例", cells=702, communities=168, staff=2331, points=519, reports=31341,
        plans=(line,),
    )  # fmt: skip
    return replace(whole, **changes)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_inline_script_or_style_and_nothing_foreign(language: str) -> None:
    page = start_page(facts(), language="zh" if language == "zh" else "en")
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)


def test_leads_each_user_to_what_is_theirs() -> None:
    page = start_page(facts())
    for words in ("规划员", "派遣员", "领导", "分析员", "/maps/coverage", "/maps/hotspot",
                  "/maps/patrol", "/maps/plan", "/docs", "/api/v1/imports", "2,331"):  # fmt: skip
        assert words in page
    english = start_page(facts(), language="en")
    assert "Dispatcher" in english
    assert "派遣员" not in english


def test_without_a_plan_it_shows_the_way_to_one() -> None:
    page = start_page(facts(plans=(), city=""))
    assert "gridsvc demo" in page
    assert "2,331" not in page


def test_foreign_text_is_shown_as_text() -> None:
    line = PlanLine(HOSTILE, HOSTILE, "draft", False, 1, "—", "—")
    page = start_page(facts(city=HOSTILE, plans=(line,)), roles={"x": HOSTILE})
    assert "<img" not in page
    assert "</script><script>" not in page
    assert HOSTILE in html.unescape(page)
    failed = error_page(title="404", message=HOSTILE, language="en")
    assert "<img" not in failed
    assert HOSTILE in html.unescape(failed)


def test_every_status_of_a_case_has_a_phrase() -> None:
    from gridsvc.services.import_terms import CASE_STATUS
    from maps.messages import MESSAGES

    assert [key for key in CASE_STATUS if f"case_{key}" not in MESSAGES] == []


def test_every_stage_of_a_job_has_a_phrase() -> None:
    from maps.messages import MESSAGES

    root = Path(__file__).resolve().parents[3] / "gridsvc"
    call = re.compile(r'(?:progress|report|tell|step)\(\s*"([a-z_]+)",')
    told = {stage for path in root.rglob("*.py") for stage in call.findall(path.read_text("utf-8"))}
    assert {"clean", "certify", "store"} <= told
    assert [stage for stage in sorted(told) if f"stage_{stage}" not in MESSAGES] == []
