"""The catalogue of case classes: two levels, major (大类) and minor (小类)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from gridsvc.errors import UnknownClass


@dataclass(frozen=True, slots=True)
class CaseClass:
    """One minor class.

    ``deadline_hours`` counts in the clock named by ``clock`` (work_hour, workday, urgent_hour);
    ``unit_kind`` is the kind of unit that answers for the class, ``None`` when the catalogue
    leaves it to the territory.
    """

    code: str
    name: str
    major_code: str
    major_name: str
    catalog: str
    namespace: str
    unit_kind: str | None
    deadline_hours: float | None
    clock: str

    @property
    def codes(self) -> tuple[str, str]:
        """Its own code and the code of its major class, the more specific first."""
        return (self.code, self.major_code)


class Catalogue:
    """Classes by code; codes of major classes stand for all their minor classes.

    Parameters
    ----------
    classes : iterable of CaseClass
    """

    def __init__(self, classes: Iterable[CaseClass]) -> None:
        self._classes = {c.code: c for c in classes}
        self._majors: dict[str, list[str]] = {}
        for found in self._classes.values():
            self._majors.setdefault(found.major_code, []).append(found.code)

    @classmethod
    def from_frame(cls, classes: pd.DataFrame) -> Catalogue:
        """Build from a frame (contract CLASSES)."""
        return cls(
            CaseClass(
                code=str(code),
                name=str(row["name"]),
                major_code=str(row["major_code"]),
                major_name=str(row["major_name"]),
                catalog=str(row["catalog"]),
                namespace=str(row["namespace"]),
                unit_kind=None if pd.isna(row["unit_kind"]) else str(row["unit_kind"]),
                deadline_hours=(
                    None if pd.isna(row["deadline_hours"]) else float(row["deadline_hours"])
                ),
                clock=str(row["clock"]),
            )
            for code, row in classes.iterrows()
        )

    def __len__(self) -> int:
        return len(self._classes)

    def __contains__(self, code: str) -> bool:
        return code in self._classes or code in self._majors

    @property
    def classes(self) -> Mapping[str, CaseClass]:
        """Minor classes by code."""
        return self._classes

    @property
    def majors(self) -> Mapping[str, str]:
        """Names of the major classes by code."""
        return {m: self._classes[minors[0]].major_name for m, minors in self._majors.items()}

    def get(self, code: str) -> CaseClass:
        """Return a minor class.

        Raises
        ------
        UnknownClass
            With the closest codes or names as a hint; a major code gets its own hint.
        """
        found = self._classes.get(code.strip())
        if found is None:
            raise self._unknown(code)
        return found

    def expand(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Return the minor codes meant by minor and major codes, sorted.

        Raises
        ------
        UnknownClass
            If one of them is neither.
        """
        result: set[str] = set()
        for raw in codes:
            code = raw.strip()
            if code in self._classes:
                result.add(code)
            elif code in self._majors:
                result.update(self._majors[code])
            else:
                raise self._unknown(raw)
        return tuple(sorted(result))

    def _unknown(self, code: str) -> UnknownClass:
        if code.strip() in self._majors:
            minors = self._majors[code.strip()]
            some = "、".join(minors[:5])
            return UnknownClass(
                code=code,
                hint_zh=f"这是大类,请给出小类,例如 {some}",
                hint_en=f"this is a major class, give a minor one such as {some}",
            )
        names = {c.name: c.code for c in self._classes.values()}
        close = [
            *(names[n] for n in difflib.get_close_matches(code, names, n=2, cutoff=0.6)),
            *difflib.get_close_matches(code, self._classes, n=3, cutoff=0.6),
        ]
        if close:
            return UnknownClass(
                code=code,
                hint_zh=f"相近的类别:{'、'.join(close)}",
                hint_en=f"close ones: {', '.join(close)}",
            )
        return UnknownClass(
            code=code,
            hint_zh=f"类别目录共 {len(self)} 个小类,请查 /api/v1/classes",
            hint_en=f"the catalogue holds {len(self)} minor classes, see /api/v1/classes",
        )
