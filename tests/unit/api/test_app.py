"""The application is complete before its first request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi._compat.v2 import ModelField
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Services, open_services
from api.jobs.runner import JobRunner
from api.settings import DatabaseSettings, Settings


def test_services_are_closed_whatever_happens_while_warming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    settings = Settings(database=DatabaseSettings(database_url=url), log_level="error")
    open_services(settings, upgrade=True).close()
    closed: list[str] = []

    def fail(_services: Services) -> None:
        raise ZeroDivisionError("warming")

    monkeypatch.setattr("api.app._warm", fail)
    monkeypatch.setattr(JobRunner, "close", lambda _self: closed.append("jobs"))
    monkeypatch.setattr(Services, "close", lambda _self: closed.append("storage"))
    with pytest.raises(ZeroDivisionError), TestClient(create_app(settings)) as client:
        assert client.get("/api/v1/plans").status_code == 200
    assert closed == ["jobs", "storage"]


def test_no_parameter_is_built_during_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{tmp_path / 'empty.db'}"),
        log_level="error",
    )
    services = open_services(settings, upgrade=True)
    built: list[str] = []
    real: Any = ModelField.__post_init__

    def counted(self: ModelField) -> None:
        built.append(self.name)
        real(self)

    monkeypatch.setattr(ModelField, "__post_init__", counted)
    app = create_app(services=services)
    assert "set_aside" in built
    built.clear()
    with TestClient(app) as client:
        assert client.get("/api/v1/analysis/hotspots").status_code == 404
        assert client.get("/maps/hotspot").status_code == 404
        assert client.get("/api/v1/plans").json() == {"plans": []}
        assert client.post("/api/v1/imports").status_code == 422
    services.close()
    assert built == []
