"""Publishing over HTTP: whoever comes second is told, and the new version answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Services, open_services
from api.settings import DatabaseSettings, Settings
from gridsvc.layers import DUTIES, normalize
from gridsvc.plan.version import PlanVersion
from gridsvc.services import planning
from tests.unit.gridsvc.test_planning import SCHEME, T0, cells, split

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{tmp_path / 'plans.db'}"),
        log_level="error",
    )
    found = open_services(settings, upgrade=True)
    found.clock = lambda: NOW
    yield found
    found.close()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services=services), raise_server_exceptions=False) as found:
        yield found


def publish(client: TestClient, plan: PlanVersion, start: str) -> Response:
    seen = client.get(f"/api/v1/plans/{plan.id}")
    return client.post(
        f"/api/v1/plans/{plan.id}/publish",
        json={"effective_from": start},
        headers={"If-Match": seen.headers["etag"]},
    )


def test_a_publication_between_the_look_and_the_write_is_stale(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    real = planning.publish

    def somebody_else_first(*arguments: Any, **options: Any) -> PlanVersion:
        real(services.storage, plan.id, T0, T0)
        return real(*arguments, **options)

    monkeypatch.setattr("gridsvc.services.planning.publish", somebody_else_first)
    answer = publish(client, plan, "2026-02-01")
    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/stale-version")
    kept = client.get(f"/api/v1/plans/{plan.id}").json()
    assert datetime.fromisoformat(kept["effective_from"]) == T0


def test_the_new_version_is_known_when_the_answer_comes(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    assert publish(client, first, "2026-01-01").status_code == 200
    second = planning.create_draft(services.storage, SCHEME, split(), at=T0)
    known: list[str] = []
    refresh = services.locators.refresh

    def counted() -> str:
        stamp = refresh()
        known.append(services.locators.known_plan_at(NOW).id)
        return stamp

    monkeypatch.setattr(services.locators, "refresh", counted)
    assert publish(client, second, "2026-02-01").status_code == 200
    assert known[-1] == second.id


def test_findings_are_computed_once(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    asked: list[str] = []
    real = planning.certify_plan

    def counted(work: Any, plan_id: str, at: datetime | None = None) -> Any:
        asked.append(plan_id)
        return real(work, plan_id, at)

    monkeypatch.setattr("gridsvc.services.planning.certify_plan", counted)
    for _ in range(3):
        assert client.get(f"/api/v1/plans/{plan.id}/findings").json()["features"] == []
    assert asked == [plan.id]
    assert client.get("/api/v1/plans/nothing/findings").status_code == 404


def test_a_scheduled_version_supersedes_only_when_its_time_comes(
    services: Services, client: TestClient
) -> None:
    first = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    assert publish(client, first, "2026-01-01").status_code == 200
    second = planning.create_draft(services.storage, SCHEME, split(), at=T0)
    assert publish(client, second, "2027-01-01").json()["standing"] == "scheduled"

    def listed(query: str) -> list[str]:
        plans = client.get(f"/api/v1/plans?{query}").json()["plans"]
        return [p["id"] for p in plans]

    def located() -> dict[str, Any]:
        with services.storage.unit_of_work() as work:
            inside = work.plans.cells(first.id).geometry.iloc[0].representative_point()
        answer = client.get(f"/api/v1/locate?lon={inside.x}&lat={inside.y}&datum=cgcs2000")
        plan: dict[str, Any] = answer.json()["plan"]
        return plan

    states = ("published", "superseded")
    assert [listed(f"status={s}") for s in states] == [[first.id, second.id], []]
    assert listed("standing=in_force") == [first.id]
    assert listed("standing=scheduled") == [second.id]
    assert client.get("/api/v1/plans/in-force").json()["status"] == "published"
    assert (located()["status"], located()["standing"]) == ("published", "in_force")
    seen = client.get("/api/v1/plans", headers={})
    one = client.get(f"/api/v1/plans/{first.id}")

    services.clock = lambda: datetime(2027, 1, 2, tzinfo=UTC)
    services.locators.expire()  # otherwise noticed within a moment
    assert [listed(f"status={s}") for s in states] == [[second.id], [first.id]]
    assert located()["id"] == second.id
    for path, before in (("/api/v1/plans", seen), (f"/api/v1/plans/{first.id}", one)):
        again = client.get(path, headers={"If-None-Match": before.headers["etag"]})
        assert again.status_code == 200, path


def test_the_map_of_a_version_says_where_it_stands_by_the_clock(
    services: Services, client: TestClient
) -> None:
    plan = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    planning.publish(services.storage, plan.id, datetime(2027, 1, 1, tzinfo=UTC), NOW)
    page = f"/maps/plan?plan={plan.id}&language=en"
    waiting = client.get(page)
    services.clock = lambda: datetime(2027, 1, 2, tzinfo=UTC)
    standing = client.get(page, headers={"If-None-Match": waiting.headers["etag"]})
    assert standing.status_code == 200
    # The document holds the fact and the catalogue of phrases.
    told = '{"zh":"生效中","en":"in force"}'
    assert told not in waiting.text
    assert told in standing.text


def test_a_publication_says_what_falls_vacant_and_can_be_withdrawn(
    services: Services, client: TestClient
) -> None:
    first = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    assert publish(client, first, "2026-01-01").json()["takeover"] is None
    code = "350404001001001"
    row = {
        "duty_id": "D1", "person_id": "p", "role": "cell_leader", "target_kind": "cell",
        "target_code": code, "valid_from": T0.isoformat(), "recorded_at": T0.isoformat(),
    }  # fmt: skip
    with services.storage.unit_of_work() as work:
        work.records("duties").append(normalize(pd.DataFrame([row]), DUTIES))
        work.commit()
    second = planning.create_draft(services.storage, SCHEME, split(), at=T0)
    address = f"/api/v1/plans/{second.id}"
    seen = client.get(f"{address}/diff").json()["takeover"]
    assert (seen["old_plan"], seen["counts"]["duties"]) == (first.id, 1)
    assert seen["counts"]["roles_vacant"] == 2
    csv = client.get(f"{address}/diff?f=csv&carry=all").text
    assert f"duty,D1,p,cell_leader,{code}" in csv
    answer = publish(client, second, "2027-01-01").json()
    assert answer["takeover"]["counts"] == seen["counts"]
    assert {r["key"] for r in answer["takeover"]["rows"] if r["becomes"] == "vacant"} == {
        "350404001001003", "350404001001004",
    }  # fmt: skip
    listed = f"/api/v1/duties?cell={code}&at="
    assert len(client.get(f"{listed}2026-12-31").json()["rows"]) == 1
    assert client.get(f"{listed}2027-01-01").json()["rows"] == []

    body = {"reason": "年份有误", "by": "规划员"}
    etag = client.get(address).headers["etag"]
    assert client.post(f"{address}/withdraw", json=body).status_code == 428
    stale = client.post(f"{address}/withdraw", json=body, headers={"If-Match": 'W/"x"'})
    assert stale.status_code == 412
    done = client.post(f"{address}/withdraw", json=body, headers={"If-Match": etag})
    assert (done.status_code, done.json()["status"], done.json()["standing"]) == (
        200, "draft", None,
    )  # fmt: skip
    assert len(client.get(f"{listed}2027-01-01").json()["rows"]) == 1
    again = client.post(
        f"{address}/withdraw", json=body, headers={"If-Match": done.headers["etag"]}
    )
    assert again.status_code == 409
    seen = client.get(address)
    given = {"effective_from": "2026-12-15", "successors": {code: ["350404001001003"]}}
    carried = client.post(
        f"{address}/publish", json=given, headers={"If-Match": seen.headers["etag"]}
    )
    assert carried.json()["takeover"]["counts"]["duties_carried"] == 1
    there = client.get("/api/v1/duties?cell=350404001001003&at=2026-12-15").json()["rows"]
    assert [d["person_id"] for d in there] == ["p"]
    certificate = client.get(f"{address}/certificate").json()
    assert certificate["ok"] is True
    assert certificate["digest"] == certificate["certificate"]["digest"]
    assert datetime.fromisoformat(certificate["at"]) == NOW
