"""``gridsvc db``: create, upgrade, back up and restore the database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from api.cli.state import emit, state_of
from api.settings import Settings
from api.surfaces import cli
from geodata.storage import open_storage
from gridsvc.errors import ConflictError, Language, SchemaOutdated
from gridsvc.layers import RECORD_LAYERS
from gridsvc.services.ports import Storage


def register(app: typer.Typer) -> None:
    """Add the group ``db`` to the command."""
    group = typer.Typer(help="数据库 · database", no_args_is_help=True)

    @group.command()
    def upgrade(context: typer.Context) -> None:
        """建库或升级 Create the database or bring it to the present revision."""
        storage = _open()
        try:
            storage.upgrade()
            document = {"database": shown(storage.url), "kind": storage.kind, "ready": True}
            where = f"{shown(storage.url)} ({storage.kind})"
            emit(context, document, _said(context, f"数据库已就绪:{where}", f"ready: {where}"))
        finally:
            storage.dispose()

    @group.command()
    def backup(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="备份文件 file to write", dir_okay=False)],
        force: Annotated[
            bool, typer.Option("--force", help="替换已有文件 replace a file that is there")
        ] = False,
    ) -> None:
        """备份(服务可继续运行) Write a consistent copy while the service runs."""
        if file.exists() and not force:
            raise ConflictError(
                reason_zh=f"{file} 已存在,未作改动;请换一个文件名,或用 {{way:force}} 替换它",
                reason_en=f"{file} is there already and was left alone; name another file, or "
                "replace it with {way:force}",
            )
        storage = _open()
        try:
            storage.backup(file)
            size = file.stat().st_size
            document = {"file": str(file), "bytes": size}
            zh, en = f"已备份:{file}({size:,} 字节)", f"written: {file} ({size:,} bytes)"
            emit(context, document, _said(context, zh, en))
        finally:
            storage.dispose()

    @group.command()
    def restore(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="备份文件 backup to read", dir_okay=False)],
    ) -> None:
        """恢复(整体替换,要么全部要么不变) Replace all content by a backup, all or nothing."""
        storage = _open()
        try:
            storage.restore(file)
            path = f"{file} → {shown(storage.url)}"
            text = _said(context, f"已恢复:{path}", f"restored: {path}")
            emit(context, {"file": str(file), "database": shown(storage.url)}, text)
        finally:
            storage.dispose()

    @group.command()
    def status(context: typer.Context) -> None:
        """状态 Say what the database holds, or what it needs."""
        storage = _open()
        try:
            document = describe(storage, state_of(context).language)
        finally:
            storage.dispose()
        lines = [f"{document['database']} ({document['kind']})"]
        if not document["ready"]:
            lines.append(document["needs"])
        for plan in document["plans"]:
            span = f"{plan['effective_from'] or '—'} → {plan['effective_to'] or '—'}"
            zh = f"方案 {plan['id']}:{plan['status']},{plan['cells']:,} 个网格,{span}"
            en = f"plan {plan['id']}: {plan['status']}, {plan['cells']:,} cells, {span}"
            lines.append(_said(context, zh, en))
        lines += [f"{name}: {count:,}" for name, count in document["rows"].items()]
        emit(context, document, "\n".join(lines))

    app.add_typer(group, name="db")


def _said(context: typer.Context, zh: str, en: str) -> str:
    return zh if state_of(context).language == "zh" else en


def _open() -> Storage:
    return open_storage(Settings().database.database_url)


def shown(url: str) -> str:
    """Return a database URL without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def describe(storage: Storage, language: Language = "zh") -> dict[str, Any]:
    """Return what a database holds: plans and numbers of rows, or which upgrade it needs."""
    found: dict[str, Any] = {
        "database": shown(storage.url), "kind": storage.kind, "ready": True, "needs": None,
        "plans": [], "rows": {},
    }  # fmt: skip
    try:
        storage.check()
    except SchemaOutdated as outdated:
        return {**found, "ready": False, "needs": outdated.text(language, cli)}
    with storage.unit_of_work() as work:
        now = datetime.now(UTC)
        for plan in work.plans.list():
            start, end = plan.effective_from, plan.effective_to
            found["plans"].append({
                "id": plan.id, "scheme": plan.scheme_id, "status": plan.as_of(now).status.value,
                "standing": plan.standing(now), "cells": plan.cell_count,
                "effective_from": start.isoformat() if start else None,
                "effective_to": end.isoformat() if end else None,
            })  # fmt: skip
        found["rows"] = {name: work.records(name).count() for name in RECORD_LAYERS}
    return found
