"""A small published city in an SQLite file, for the tests of analyses over HTTP and commands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from geodata.sample import SampleCity
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PLAN = "main-1"


def store(city: SampleCity, path: Path) -> str:
    """Write a sample city as the plan in force and return the database's URL."""
    from geodata.storage import open_storage

    url = f"sqlite:///{path}"
    storage = open_storage(url)
    storage.upgrade()
    with storage.unit_of_work() as work:
        work.plans.add_scheme(
            GridScheme("main", "示例", city.metric_epsg, territory=city.territory)
        )
        plan = PlanVersion(
            id=PLAN, scheme_id="main", number=1, title="示例", status=PlanStatus.PUBLISHED,
            created_at=NOW, cell_count=len(city.cells), published_at=NOW,
            effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        work.plans.add(plan, city.cells, city.exclusions)
        for layer in ("streets", "units", "staff", "points", "classes", "duties", "facilities",
                      "visits", "cases"):  # fmt: skip
            work.records(layer).append(getattr(city, layer))
        work.commit()
    storage.dispose()
    return url
