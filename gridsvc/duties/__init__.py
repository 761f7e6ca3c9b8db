"""Duties: who is responsible for which place, role and class, and when."""

from gridsvc.duties.book import Assignment, Duty, DutyBook, Place, duties_in_force
from gridsvc.duties.routing import RULES, UnitChoice, UnitRouter

__all__ = [
    "RULES",
    "Assignment",
    "Duty",
    "DutyBook",
    "Place",
    "UnitChoice",
    "UnitRouter",
    "duties_in_force",
]
