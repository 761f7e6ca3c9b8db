"""``gridsvc db`` on an embedded database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from api.cli.database import describe, register, shown
from api.cli.state import State
from api.surfaces import cli
from geodata.storage import open_storage
from gridsvc.errors import ConflictError, StorageError
from gridsvc.layers import LAYERS
from gridsvc.plan.version import PlanStatus
from tests.contract import data

runner = CliRunner()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'city.db'}"
    monkeypatch.setenv("GRIDSVC_DATABASE_URL", url)
    return url


def run(*arguments: str, as_json: bool = True) -> Any:
    app = typer.Typer()

    @app.callback()
    def options(context: typer.Context) -> None:
        context.obj = State(json=as_json, language="en")

    register(app)
    done = runner.invoke(app, ["db", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if as_json else done.stdout


def fill(url: str) -> None:
    storage = open_storage(url)
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        plan = data.plan("p1", 1, PlanStatus.PUBLISHED, effective_from=data.T0)
        work.plans.add(plan, data.cells())
        work.records("cases").append(data.layer_rows(LAYERS["cases"], 30))
        work.commit()
    storage.dispose()


def test_status_before_and_after_upgrade(database: str) -> None:
    before = run("status")
    assert before["ready"] is False
    assert "gridsvc db upgrade" in before["needs"]
    assert run("upgrade")["ready"] is True
    assert run("upgrade")["ready"] is True
    after = run("status")
    assert after["ready"] is True
    assert after["plans"] == []
    assert set(after["rows"].values()) == {0}


def test_backup_and_restore(database: str, tmp_path: Path) -> None:
    run("upgrade")
    fill(database)
    copy = tmp_path / "copy.gridsvc"
    assert run("backup", str(copy))["bytes"] == copy.stat().st_size
    storage = open_storage(database)
    with storage.unit_of_work() as work:
        work.records("cases").upsert(data.layer_rows(LAYERS["cases"], 50, seed=3))
        work.commit()
    storage.dispose()
    assert run("status")["rows"]["cases"] == 50
    run("restore", str(copy))
    status = run("status")
    assert status["rows"]["cases"] == 30
    assert status["plans"][0]["id"] == "p1"
    assert status["plans"][0]["effective_from"] == data.T0.isoformat()
    text = run("status", as_json=False)
    assert "p1" in text
    assert "published" in text


def test_what_is_no_backup_is_refused(database: str, tmp_path: Path) -> None:
    run("upgrade")
    (tmp_path / "x").write_text("no backup")
    with pytest.raises(StorageError, match="x is no backup"):
        run("restore", str(tmp_path / "x"))


def test_passwords_are_not_shown() -> None:
    assert "secret" not in shown("postgresql://u:secret@127.0.0.1/x")
    storage = open_storage("postgresql+psycopg://u:secret@127.0.0.1:1/x")
    with pytest.raises(StorageError) as caught:
        describe(storage)
    assert "secret" not in str(caught.value)
    storage.dispose()


def test_a_backup_replaces_a_file_only_when_told_to(database: str, tmp_path: Path) -> None:
    run("upgrade")
    target = tmp_path / "copy.db"
    target.write_bytes(b"last year's backup")
    with pytest.raises(ConflictError) as refused:
        run("backup", str(target))
    assert target.read_bytes() == b"last year's backup"
    for language in ("zh", "en"):
        assert "--force" in refused.value.text(language, cli)
    assert run("backup", str(target), "--force")["bytes"] == target.stat().st_size
    assert target.read_bytes().startswith(b"SQLite format 3")
