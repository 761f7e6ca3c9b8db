"""The page of settings follows from the settings classes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from api.cli.main import run
from api.settings import BadSetting, ServerSettings, Settings

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
    with pytest.raises(BadSetting, match=r"127\.0\.0\.1") as caught:
        ServerSettings()
    assert caught.value.variable == "GRIDSVC_HOST"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GRIDSVC_PORT", "abc"),
        ("GRIDSVC_PORT", "70000"),
        ("GRIDSVC_ALLOWED_HOSTS", "localhost"),
        ("GRIDSVC_LANGUAGE", "de"),
        ("GRIDSVC_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_names_variable_value_and_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    for language, way_out in (("zh", "默认值"), ("en", "default")):
        with pytest.raises(SystemExit) as caught:
            run(["plans", "--lang", language])
        assert caught.value.code == 2
        said = capsys.readouterr().err
        assert variable in said
        assert value in said
        assert way_out in said
        assert "Traceback" not in said


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
