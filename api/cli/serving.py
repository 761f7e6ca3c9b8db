"""``gridsvc serve`` and ``gridsvc demo``."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.state import emit, err_console, progress, state_of
from api.settings import DatabaseSettings, ServerSettings, Settings
from gridsvc.errors import ConflictError, Language

# Open requests, and whoever follows a job, hold up the end for at most so many seconds.
GRACE_S = 5


class PortTaken(ConflictError):
    """Another program listens on the port."""

    zh = "端口 {port} 已被占用;请用 --port 另选一个"
    en = "port {port} is taken; choose another one with --port"


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def serve(
        context: typer.Context,
        db: Annotated[str, typer.Option("--db", help="数据库 URL database URL")] = "",
        port: Annotated[
            int | None, typer.Option("--port", min=0, max=65535, help="端口 port")
        ] = None,
        upgrade: Annotated[
            bool, typer.Option("--upgrade", help="先升级数据库 migrate the schema first")
        ] = False,
    ) -> None:
        """启动服务(仅本机)。Serve on this machine only."""
        from api.bootstrap import open_services

        settings = _with(Settings(), db, port)
        # Opened once here, so that a missing or outdated database is a plain message.
        open_services(settings, upgrade=upgrade).close()
        _listen(context, settings)

    @app.command()
    def demo(
        context: typer.Context,
        build_only: Annotated[
            bool, typer.Option("--build-only", help="只生成,不启动 build, do not serve")
        ] = False,
        out: Annotated[Path, typer.Option("--out", help="目录 folder")] = Path("demo"),
        port: Annotated[
            int | None, typer.Option("--port", min=0, max=65535, help="端口 port")
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="重新生成 build anew")] = False,
    ) -> None:
        """生成样例城市并启动服务。Build the sample city and serve it."""
        from api.demo import ensure_demo

        settings = _with(Settings(), "", port)
        if not build_only:
            _require_free(settings.server)
        with progress(context) as report:
            ready = ensure_demo(
                out, force=force, language=state_of(context).language, progress=report
            )
        document = {"folder": str(ready.folder), "url": ready.url, "reused": ready.reused}
        rows = ready.facts.get("rows", {})
        counts = ", ".join(f"{name} {count}" for name, count in rows.items())
        if state_of(context).language == "zh":
            words = "已就绪(沿用已有)" if ready.reused else "已生成"
            told = f"样例城市{words}:{ready.folder}({counts})"
        else:
            words = "found" if ready.reused else "built"
            told = f"sample city {words}: {ready.folder} ({counts})"
        if build_only:
            emit(context, {**document, **ready.facts}, told)
            return
        err_console.print(told, markup=False)
        _listen(context, ready.settings(settings))


def _with(settings: Settings, db: str, port: int | None) -> Settings:
    changes: dict[str, Any] = {}
    if db:
        changes["database"] = DatabaseSettings(database_url=db)
    if port is not None:
        changes["server"] = settings.server.model_copy(update={"port": port})
    return settings.model_copy(update=changes)


def _require_free(server: ServerSettings) -> None:
    """Raise ``PortTaken`` unless the port can be bound."""
    if server.port == 0:
        return
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as error:
            raise PortTaken(port=server.port) from error


def _free_port(server: ServerSettings) -> int:
    """Return a port that is free now."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((server.host, 0))
        return int(probe.getsockname()[1])


def _listen(context: typer.Context, settings: Settings) -> None:
    import uvicorn

    from api.app import create_app
    from api.locate_protocol import LocateProtocol

    server = settings.server
    _require_free(server)
    if server.workers > 1:
        # Every process reads its settings from the environment.
        os.environ["GRIDSVC_DATABASE_URL"] = settings.database.database_url
        os.environ["GRIDSVC_CACHE_DIR"] = str(settings.map.cache_dir)
        os.environ["GRIDSVC_WORKERS"] = str(server.workers)
        port = server.port or _free_port(server)
        _announce(settings, port, state_of(context).language)
        uvicorn.run(
            "api.app:create_app", factory=True, host=server.host, port=port,
            workers=server.workers, log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=GRACE_S, http=LocateProtocol,
        )  # fmt: skip
        return
    app = create_app(settings)
    config = uvicorn.Config(
        app, host=server.host, port=server.port, log_level="warning",
        access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_S,
        http=LocateProtocol,
    )  # fmt: skip
    listener = config.bind_socket()
    port = int(listener.getsockname()[1])

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                _announce(settings, port, state_of(context).language)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # First of all: connections that follow a job stay open until it is over.
            if self.started:
                app.state.jobs.stop()
            await super().shutdown(sockets)

    Server(config).run(sockets=[listener])


def _announce(settings: Settings, port: int, language: Language) -> None:
    host = settings.server.host
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if settings.log_format == "json":
        import structlog

        from api.logs import configure_logs

        configure_logs(settings)
        structlog.get_logger("gridsvc.serve").info("listening", url=f"{base}/")
        return
    zh = (
        f"开始页     {base}/",
        f"覆盖图     {base}/maps/coverage",
        f"热点图     {base}/maps/hotspot",
        f"巡查路线   {base}/maps/patrol",
        f"接口文档   {base}/docs",
        "停止       Ctrl+C",
    )
    en = (
        f"start page      {base}/",
        f"coverage map    {base}/maps/coverage",
        f"hotspot map     {base}/maps/hotspot",
        f"patrol routes   {base}/maps/patrol",
        f"API             {base}/docs",
        "stop            Ctrl+C",
    )
    for line in zh if language == "zh" else en:
        typer.echo(line, err=True)
