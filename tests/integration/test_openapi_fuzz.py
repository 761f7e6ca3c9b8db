"""Schemathesis against the application's own OpenAPI document, in process.

Every answer has to be declared: its status, its media type, its schema; and nothing may crash.
Whether a well-formed value means something (a class that exists, a place on earth) the document
does not say, so a 422 for one is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks

from api.app import create_app
from api.bootstrap import open_services
from api.settings import DatabaseSettings, MapSettings, Settings
from geodata.storage import open_storage

load_all_checks()
# Streams do not end by themselves; uploads start work and have tests of their own.
LEFT_OUT = r"^/api/v1/(jobs/\{job_id\}/events|imports)$"
COSTLY = r"/(analysis|patrols|maps|findings|exports)|^/maps"
NOT_MEANT = CHECKS.get_by_names(["positive_data_acceptance", "negative_data_rejection"])


def effort(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def api_schema(demo_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("fuzz")
    source = open_storage(f"sqlite:///{demo_db}")
    source.backup(folder / "copy.db")
    source.dispose()
    services = open_services(
        Settings(
            database=DatabaseSettings(database_url=f"sqlite:///{folder / 'copy.db'}"),
            map=MapSettings(cache_dir=folder / "cache"),
            log_level="error",
        )
    )
    yield schemathesis.openapi.from_asgi("/openapi.json", create_app(services=services))
    services.close()


schema = schemathesis.pytest.from_fixture("api_schema").exclude(path_regex=LEFT_OUT)


@schema.exclude(path_regex=COSTLY).parametrize()
@effort(12)
def test_answers_are_as_declared(case: Any) -> None:
    case.call_and_validate(excluded_checks=NOT_MEANT)


@schema.include(path_regex=COSTLY).parametrize()
@effort(3)
def test_costly_answers_are_as_declared(case: Any) -> None:
    case.call_and_validate(excluded_checks=NOT_MEANT)


@pytest.mark.slow
@schema.parametrize()
@effort(100)
def test_answers_are_as_declared_at_length(case: Any) -> None:
    case.call_and_validate(excluded_checks=NOT_MEANT)
