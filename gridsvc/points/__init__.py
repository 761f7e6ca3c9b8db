"""Evaluation points (测评点位)."""

from gridsvc.points.visits import last_visits, visit_interval_days

__all__ = ["last_visits", "visit_interval_days"]
