"""Evaluation points (测评点位)."""

from gridsvc.points.visits import last_visits

__all__ = ["last_visits"]
