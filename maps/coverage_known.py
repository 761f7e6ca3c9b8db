"""Which records a coverage rests on, and how its cells are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gridsvc.analysis.results import CoverageResult
from maps import document
from maps.document import Document
from maps.messages import both
from maps.page import Text


@dataclass(frozen=True, slots=True)
class Known:
    """Which records were imported; what rests on others is unknown, which is not 0."""

    duties: bool
    visits: bool
    holders: bool
    """Who answers for points: from duties, or from units on the points themselves."""

    @classmethod
    def of(cls, result: CoverageResult) -> Self:
        """Return what a result says; all of it when it says nothing."""
        loaded: Mapping[str, bool] = getattr(result, "loaded", None) or {}
        duties, visits = bool(loaded.get("duties", True)), bool(loaded.get("visits", True))
        return cls(duties, visits, duties or bool(result.points["responsible"].any()))

    @property
    def missing(self) -> list[Document]:
        """What the page says above its figures."""
        keys = [("duties_missing", self.duties), ("visits_missing", self.visits)]
        return [{"text": both(key)} for key, there in keys if not there]


def called(result: CoverageResult) -> dict[str, Text]:
    """Return the name of each cell by its code."""
    names = document.cell_names(result.cells)
    return {str(code): name for code, name in zip(result.cells.index, names, strict=True)}
