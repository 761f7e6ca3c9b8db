"""Duties of all times, read once and opened at any number of instants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from gridsvc.duties.book import Assignment, Duty, DutyBook, believed, duty_rows

Target = tuple[str, str]
_OPEN = np.datetime64("9999-12-31T23:59:59.999999", "us")


@dataclass(frozen=True, slots=True)
class _Bound:
    """Duties of one target by role and id, with their validity as UTC without zone."""

    duties: tuple[Duty, ...]
    begins: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, duties: Iterable[Duty]) -> _Bound:
        ordered = tuple(sorted(duties, key=lambda d: (d.role, d.duty_id)))
        return cls(
            ordered,
            np.array([_utc(d.valid_from) for d in ordered], dtype="datetime64[us]"),
            np.array(
                [_OPEN if d.valid_to is None else _utc(d.valid_to) for d in ordered],
                dtype="datetime64[us]",
            ),
        )

    def at(self, instant: np.datetime64) -> tuple[Duty, ...]:
        held = np.flatnonzero((self.begins <= instant) & (self.ends > instant))
        return tuple(self.duties[i] for i in held)


class DutyHistory:
    """Duties of all times by target: opening it at an instant costs nothing by itself.

    Parameters
    ----------
    duties : iterable of Duty
        Those held to be true, whenever they are valid.
    """

    def __init__(self, duties: Iterable[Duty]) -> None:
        grouped: dict[Target, list[Duty]] = {}
        for duty in duties:
            grouped.setdefault((duty.target_kind, duty.target_code), []).append(duty)
        self._bound = {target: _Bound.of(found) for target, found in grouped.items()}

    @classmethod
    def from_frame(cls, duties: pd.DataFrame, *, known_at: datetime | None = None) -> DutyHistory:
        """Take the duties of a frame (contract DUTIES) that are, or were, held to be true."""
        return cls(duty_rows(duties[believed(duties, known_at)]))

    def at(self, instant: datetime) -> DutyBook:
        """Return the book of an aware instant; it looks up only the targets it is asked for."""
        return _Opened(self._bound, instant)


class _Opened(DutyBook):
    """The duties of a history at one instant, each target looked up when first asked for."""

    def __init__(self, bound: dict[Target, _Bound], at: datetime) -> None:
        super().__init__((), at)
        self._bound, self._instant = bound, _utc(at)

    def __len__(self) -> int:
        return sum(len(self.of(*target)) for target in self._bound)

    def all(self) -> tuple[Assignment, ...]:
        return tuple(
            Assignment(duty, target[0]) for target in sorted(self._bound)
            for duty in self.of(*target)
        )  # fmt: skip

    def of(self, kind: str, code: str) -> tuple[Duty, ...]:
        target = (kind, code)
        found = self._by_target.get(target)
        if found is None:
            bound = self._bound.get(target)
            found = () if bound is None else bound.at(self._instant)
            self._by_target[target] = found
        return found


def _utc(instant: datetime) -> np.datetime64:
    return pd.Timestamp(instant).tz_convert("UTC").tz_localize(None).to_datetime64()
