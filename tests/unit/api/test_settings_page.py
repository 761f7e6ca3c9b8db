"""The page of settings follows from the settings classes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from api.settings import ServerSettings, Settings

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location(
        "settings_page", REPOSITORY / "scripts" / "settings_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python scripts/settings_page.py"


def test_the_service_cannot_be_told_to_listen_on_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRIDSVC_HOST", "0.0.0.0")  # noqa: S104
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        ServerSettings()


def test_groups_read_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSVC_DATABASE_URL", "sqlite:///other.db")
    monkeypatch.setenv("GRIDSVC_PORT", "8123")
    found = Settings()
    assert found.database.database_url == "sqlite:///other.db"
    assert found.server.port == 8123


def test_the_host_name_of_test_clients_is_not_served_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GRIDSVC_ALLOWED_HOSTS")
    assert ServerSettings().allowed_hosts == ("127.0.0.1", "localhost", "::1")
