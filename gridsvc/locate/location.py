"""The answer to "which cell is this place in"."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gridsvc.locate.surroundings import Neighbour

if TYPE_CHECKING:
    from gridsvc.locate.locator import Locator


@dataclass(frozen=True)
class Location:
    """Where a place is. Distances are computed when they are first read.

    Attributes
    ----------
    lon, lat : float
        The place asked for, degrees.
    code : str or None
        Cell; of several that cover the place the one with the lowest code. ``None`` outside.
    on_border : bool
        Whether the place lies exactly on the boundary of a cell.
    covering : tuple of str
        All cells that cover the place, ascending.
    accuracy_m : float or None
        Accuracy of the coordinate as given.
    """

    lon: float
    lat: float
    code: str | None
    on_border: bool
    covering: tuple[str, ...]
    accuracy_m: float | None = None
    _locator: Locator | None = field(default=None, repr=False, compare=False)
    _position: int = field(default=-1, repr=False, compare=False)

    @cached_property
    def _around(self) -> tuple[float | None, tuple[Neighbour, ...]]:
        if self._locator is None or self._position < 0:
            return None, ()
        return self._locator.surroundings(
            self._position, self.lon, self.lat, self.accuracy_m, on_border=self.on_border
        )

    @property
    def boundary_distance_m(self) -> float | None:
        """Metres to the boundary of the cell, 0 on it; ``None`` outside all cells."""
        return self._around[0]

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Cells across the nearest boundary and all within ``accuracy_m``, nearest first."""
        return self._around[1]

    @property
    def ambiguous(self) -> bool:
        """Whether another cell may be the right one as well.

        So on a boundary, whatever the accuracy: the lowest code answers by rule, not by place.
        Otherwise when the accuracy given exceeds the distance to the boundary.
        """
        if self.on_border:
            return True
        if self.accuracy_m is None:
            return False
        distance = self.boundary_distance_m if self.code is not None else self.nearest_distance_m
        return distance is not None and self.accuracy_m > distance

    @cached_property
    def _nearest(self) -> tuple[str | None, float | None]:
        if self.code is not None or self._locator is None:
            return self.code, 0.0 if self.code is not None else None
        return self._locator.nearest(self.lon, self.lat)

    @property
    def nearest_code(self) -> str | None:
        """The cell itself, or outside the nearest one."""
        return self._nearest[0]

    @property
    def nearest_distance_m(self) -> float | None:
        """Metres to the nearest cell, 0 inside."""
        return self._nearest[1]

    def __reduce__(self) -> tuple[Any, ...]:
        self._around, self._nearest  # noqa: B018 - computed before the locator is left behind
        state = {k: v for k, v in self.__dict__.items() if k not in ("_locator", "_position")}
        return (_restore, (state,))


def _restore(state: dict[str, Any]) -> Location:
    location = object.__new__(Location)
    location.__dict__.update(state, _locator=None, _position=-1)
    return location
