"""Duties whose holder is not known: they are kept, and nobody holds a role by them."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import pandas as pd


def of_nobody(duties: pd.DataFrame, persons: Container[str], units: Container[str]) -> pd.Series:
    """Return which duties name a person, or only a unit, that is not there.

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES.
    persons, units : container of str
        Ids of the staff and of the units there are.

    Returns
    -------
    Series of bool
        Aligned to the duties. The unit of a duty that also names a person is the employer only.
    """
    strange = [
        (str(person) not in persons) if _named(person) else _named(unit) and str(unit) not in units
        for person, unit in zip(duties["person_id"], duties["unit_id"], strict=True)
    ]
    return pd.Series(np.array(strange, dtype=bool), index=duties.index)


def _named(value: object) -> bool:
    return isinstance(value, str) and value != ""
