"""One defect of one row of a source, said in Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gridsvc.ways import Language, Speak, as_python, spoken, verbatim


@dataclass(frozen=True, slots=True)
class Fault:
    """One defect of one row of a source.

    Attributes
    ----------
    row : int or None
        Row number as a person counts it: 1 is the first record. ``None`` for the whole source.
    field : str or None
        Column of the source.
    value : str
        What stands there, shortened to 80 characters.
    problem_zh, problem_en : str
        What is wrong.
    way_out_zh, way_out_en : str
        What the person can do about it.
    sheet_row : int or None
        Row of the sheet as spreadsheets show it, header and blank rows counted; ``None`` for
        sources that are no sheet.
    refers : int or None
        Row number, as ``row``, of another record that the problem names.
    """

    row: int | None
    field: str | None
    value: str
    problem_zh: str
    problem_en: str
    way_out_zh: str
    way_out_en: str
    sheet_row: int | None = None
    refers: int | None = None

    def on_sheet(self, rows: Sequence[int]) -> Fault:
        """Return the fault with the row of the sheet, given the sheet row of each record."""
        if self.row is None or self.sheet_row is not None or self.row > len(rows):
            return self
        zh, en = self.problem_zh, self.problem_en
        if self.refers is not None:
            there = rows[self.refers - 1]
            zh = zh.replace(f"第 {self.refers} 行", f"表格第 {there} 行")
            en = en.replace(f"row {self.refers}", f"sheet row {there}")
        return replace(self, sheet_row=int(rows[self.row - 1]), problem_zh=zh, problem_en=en)

    def place(self, language: Language = "zh") -> str:
        """Return where it is: the row of the sheet, the record, or the whole source."""
        if self.row is None:
            return "整个文件" if language == "zh" else "whole file"
        if self.sheet_row is not None:
            return (
                f"表格第 {self.sheet_row} 行" if language == "zh" else f"sheet row {self.sheet_row}"
            )
        return f"第 {self.row} 行" if language == "zh" else f"row {self.row}"

    def text(self, language: Language = "zh", speak: Speak = as_python) -> str:
        """Return ``row, field: problem; way out`` in one language."""
        name, value = verbatim(self.field or ""), verbatim(self.value)
        if language == "zh":
            field = f",字段 {name}" if name else ""
            value = f"(“{value}”)" if value else ""
            whole = f"{self.place('zh')}{field}{value}:{self.problem_zh};{self.way_out_zh}"
        else:
            field = f", field {name}" if name else ""
            value = f" ('{value}')" if value else ""
            whole = f"{self.place('en')}{field}{value}: {self.problem_en}; {self.way_out_en}"
        return spoken(whole, language, speak)
