"""Schemathesis against the application's own OpenAPI document, in process.

Every answer has to be declared: its status, its media type, its schema; and nothing may crash.
Whether a well-formed value means something (a class that exists, a place on earth) the document
does not say, so a 422 for one is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from api.app import create_app
from api.bootstrap import open_services
from api.settings import DatabaseSettings, MapSettings, Settings
from geodata.storage import open_storage

load_all_checks()
# Streams do not end by themselves; uploads start work and have tests of their own.
LEFT_OUT = r"^/api/v1/(jobs/\{job_id\}/events|imports)$"
COSTLY = r"/(analysis|patrols|maps|findings|exports)|^/maps"
UNDECLARED = st.one_of(
    st.sampled_from(["class", "category", "from", "Limit", "cell ", "lon[]", "_", "bbox-crs"]),
    st.text(min_size=1, max_size=12),
)
PATIENCE_S = 120.0
NOT_MEANT = CHECKS.get_by_names(["positive_data_acceptance", "negative_data_rejection"])


def effort(examples: int) -> settings:
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


def failures(schema: Any, wanted: Callable[[str], bool], examples: int) -> list[str]:
    """Call the operations whose path is wanted and return what was not as declared."""
    found: list[str] = []
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if re.search(LEFT_OUT, operation.path) or not wanted(operation.path):
            continue
        tried += 1

        @effort(examples)
        @given(case=operation.as_strategy())
        def answers(case: Any) -> None:
            case.call_and_validate(excluded_checks=NOT_MEANT, timeout=PATIENCE_S)

        try:
            answers()
        except FailureGroup as group:
            found += [f"{operation.label}: {failure}" for failure in group.exceptions]
    assert tried > 0
    return found


def answered_unasked(schema: Any, examples: int) -> list[str]:
    """Add a parameter that is not declared to generated requests; return what was not refused."""
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if re.search(LEFT_OUT, operation.path):
            continue
        declared = {one.name for one in operation.query}
        named: list[str] = []

        @effort(examples)
        @given(case=operation.as_strategy(), name=UNDECLARED, value=st.text(max_size=5))
        def refuses(case: Any, name: str, value: str) -> None:
            if name in declared:  # noqa: B023
                return
            case.query = {**(case.query or {}), name: value}
            response = case.call_and_validate(excluded_checks=NOT_MEANT, timeout=PATIENCE_S)
            problem = response.json()
            if response.status_code < 400:
                found.append(f"{operation.label}: {name!r} was passed over")  # noqa: B023
            elif problem["type"] == "/problems/unknown-parameter":
                assert problem["field"] == name[:40]
                named.append(name)  # noqa: B023

        try:
            refuses()
        except FailureGroup as group:
            found += [f"{operation.label}: {failure}" for failure in group.exceptions]
        if not named:
            found.append(f"{operation.label}: no undeclared parameter was named")
    return found


def test_undeclared_parameters_are_refused(api_schema: Any) -> None:
    found = answered_unasked(api_schema, 5)
    assert not found, "\n".join(found)


def test_answers_are_as_declared(api_schema: Any) -> None:
    found = failures(api_schema, lambda path: not re.search(COSTLY, path), 12)
    assert not found, "\n".join(found)


def test_costly_answers_are_as_declared(api_schema: Any) -> None:
    found = failures(api_schema, lambda path: bool(re.search(COSTLY, path)), 2)
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_answers_are_as_declared_at_length(api_schema: Any) -> None:
    found = failures(api_schema, lambda path: not re.search(COSTLY, path), 150)
    found += failures(api_schema, lambda path: bool(re.search(COSTLY, path)), 10)
    found += answered_unasked(api_schema, 60)
    assert not found, "\n".join(found)
