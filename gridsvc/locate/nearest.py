"""The nearest of many points, such as evaluation points, to a place."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
from scipy.spatial import cKDTree

from gridsvc.locate.surroundings import ComplexArray, metres_per_degree
from gridsvc.types import FloatArray

_BRUTE_UP_TO = 4000
_CANDIDATES = 8
_BANDS_PER_DEGREE = 100.0
_KEEP_BANDS = 256


class NearestPoints:
    """Finds the nearest point and its distance in metres (see ``surroundings`` for the metric).

    Parameters
    ----------
    lon, lat : ndarray of float
        Finite degrees.
    """

    def __init__(self, lon: FloatArray, lat: FloatArray) -> None:
        self._lon = np.asarray(lon, dtype=np.float64)
        self._lat = np.asarray(lat, dtype=np.float64)
        self._bands: OrderedDict[int, tuple[float, float, ComplexArray]] = OrderedDict()
        self._tree: cKDTree | None = None
        if len(self._lon) > _BRUTE_UP_TO:
            self._kx, self._ky = metres_per_degree(float(np.mean(self._lat)))
            self._tree = cKDTree(np.column_stack([self._lon * self._kx, self._lat * self._ky]))

    def __len__(self) -> int:
        return len(self._lon)

    def nearest(self, lon: float, lat: float) -> tuple[int, float] | None:
        """Return number and distance of the nearest point; ``None`` when there is none."""
        if len(self._lon) == 0:
            return None
        if self._tree is None:
            kx, ky, places = self._band(lat)
            gap = np.abs(places - complex(lon * kx, lat * ky))
            at = int(gap.argmin())
            return at, float(gap[at])
        # The tree measures with one length of a degree for all; the best few are measured again.
        found = np.asarray(self._tree.query((lon * self._kx, lat * self._ky), k=_CANDIDATES)[1])
        kx, ky = metres_per_degree(lat)
        gap = np.hypot((self._lon[found] - lon) * kx, (self._lat[found] - lat) * ky)
        at = int(gap.argmin())
        return int(found[at]), float(gap[at])

    def _band(self, lat: float) -> tuple[float, float, ComplexArray]:
        number = math.floor(lat * _BANDS_PER_DEGREE)
        found = self._bands.get(number)
        if found is None:
            kx, ky = metres_per_degree((number + 0.5) / _BANDS_PER_DEGREE)
            found = (kx, ky, self._lon * kx + 1j * (self._lat * ky))
            self._bands[number] = found
            while len(self._bands) > _KEEP_BANDS:
                self._bands.popitem(last=False)
        return found
