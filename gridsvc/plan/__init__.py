"""Grid schemes and plan versions: hierarchy, numbering, derived areas, lineage, difference."""

from gridsvc.plan.areas import derive_areas
from gridsvc.plan.diff import PlanDiff, diff_plans
from gridsvc.plan.hierarchy import HierarchyResult, assign_hierarchy, largest_overlap
from gridsvc.plan.lineage import lineage
from gridsvc.plan.numbering import number_cells
from gridsvc.plan.version import (
    CodeSystem,
    GridScheme,
    PlanStatus,
    PlanVersion,
    Standing,
    in_force_at,
)

__all__ = [
    "CodeSystem",
    "GridScheme",
    "HierarchyResult",
    "PlanDiff",
    "PlanStatus",
    "PlanVersion",
    "Standing",
    "assign_hierarchy",
    "derive_areas",
    "diff_plans",
    "in_force_at",
    "largest_overlap",
    "lineage",
    "number_cells",
]
