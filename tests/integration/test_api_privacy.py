"""No answer without login holds a phone number or a reporter."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from geodata.sample import SampleCity


def get_routes(client: TestClient) -> list[str]:
    """Return the addresses of all GET operations, filled with things that exist."""
    assert isinstance(client.app, FastAPI)
    paths = client.app.openapi()["paths"]
    plan = client.get("/api/v1/plans/in-force").json()["id"]
    first = {
        "plan_id": plan,
        "code": client.get("/api/v1/cells?limit=1").json()["features"][0]["id"],
        "point_id": client.get("/api/v1/points?limit=1").json()["features"][0]["id"],
        "case_id": client.get("/api/v1/cases?limit=1").json()["features"][0]["id"],
        "street_id": client.get("/api/v1/streets?limit=1").json()["features"][0]["id"],
        "duty_id": client.get("/api/v1/duties?limit=1").json()["rows"][0]["duty_id"],
        "job_id": "none",
    }
    found = []
    for path, operations in paths.items():
        if "get" not in operations:
            continue
        address = re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: first.get(m.group(1), "none"), path)
        found.append(address)
    return found


@pytest.fixture(scope="module")
def planted(sample_city: SampleCity) -> tuple[set[str], set[str]]:
    """Phone numbers of staff, units and reporters, and names of reporters."""
    phones = {
        str(p)
        for frame in (sample_city.staff, sample_city.units, sample_city.cases)
        for p in frame["phone"].dropna()
    }
    # Names that also are part of a public name (a shop, a street, a person on duty) say nothing.
    public = "\n".join(
        str(text)
        for frame in sample_city.frames().values()
        for column in frame.columns.intersection(["name", "title", "address", "community_name"])
        for text in frame[column].dropna().unique()
    )
    reporters = {r for r in sample_city.cases["reporter"].dropna().unique() if r not in public}
    assert len(phones) > 1000
    assert len(reporters) > 100
    return phones, reporters


def test_no_get_route_tells_phones_or_reporters(
    app_client: TestClient, planted: tuple[set[str], set[str]]
) -> None:
    phones, reporters = planted
    digits = re.compile(r"(?<!\d)\d{11}(?!\d)")
    names = re.compile("|".join(map(re.escape, sorted(reporters))))
    answered = 0
    for address in get_routes(app_client):
        for query in ("", "?limit=10000", "?f=csv&limit=10000", "?f=json&limit=10000"):
            answer = app_client.get(address + query)
            answered += answer.status_code == 200
            assert not phones.intersection(digits.findall(answer.text)), address + query
            assert not names.search(answer.text), address + query
            assert '"phone"' not in answer.text
            assert '"reporter"' not in answer.text
            header = answer.text.split("\r\n", 1)[0].split(",")
            assert not {"phone", "reporter"} & set(header)
    assert answered > 40


def test_nobody_finds_a_case_by_its_phone(app_client: TestClient, sample_city: SampleCity) -> None:
    phone = str(sample_city.cases["phone"].dropna().iloc[0])
    asked = app_client.get(f"/api/v1/cases?limit=1&phone={phone}")
    assert asked.status_code == 422
    assert asked.json()["field"] == "phone"
    assert phone not in asked.text
    assert not {"phone", "reporter"} & set(asked.json()["known"])
