"""Reports of imports as people read them."""

from __future__ import annotations

import pandas as pd

from api.cli.texts import report_text
from gridsvc.services.raw import ImportReport


def test_unclear_parents_are_told_in_words_and_shares_with_the_number_left_out() -> None:
    row = ("cell", "C1", "A", 0.814501775582522, "B", 0.18549822441747799)
    columns = ["level", "code", "first", "first_share", "second", "second_share"]
    found = pd.DataFrame([row, ("community", *row[1:]), *[row] * 10], columns=columns)
    report = ImportReport("cells", "a.gpkg", "d", "b", 20, 20, ambiguous=found)
    chinese = report_text(report, "zh").splitlines()
    assert "  网格 C1: A 81.5%, B 18.5%" in chinese
    assert "  社区 C1: A 81.5%, B 18.5%" in chinese
    assert chinese[-1] == "  …… 另有 2 条"
    english = report_text(report, "en").splitlines()
    assert "  cell C1: A 81.5%, B 18.5%" in english
    assert english[-1] == "  … and 2 more"
    report = ImportReport("cells", "a.gpkg", "d", "b", 20, 20, ambiguous=found.head(10))
    assert "另有" not in report_text(report, "zh")
