"""The ``gridsvc`` command: each feature registers its commands here."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import orjson
import typer

from api.cli.state import State, err_console, exit_code, zone_of_settings
from api.local_times import in_zone
from api.surfaces import cli
from gridsvc.errors import GridsvcError
from gridsvc.ways import spoken_fields

# Every module has ``register(app: typer.Typer) -> None``; here with the commands it brings.
FEATURES = {
    "importing": ("import",),
    "checking": ("repair", "check"),
    "plans": ("plans", "publish", "diff", "export", "sample"),
    "planning": ("plan", "scheme"),
    "locating": ("locate",),
    "analysis": ("hotspot", "patrol"),
    "mapping": ("map",),
    "database": ("db",),
    "serving": ("serve", "demo"),
}


def build(command: str | None = None) -> typer.Typer:
    """Return the command line.

    Parameters
    ----------
    command : str, optional
        Only the feature of this command is imported, which spares the others' libraries; any
        other text, or none, registers all.
    """
    wanted = [f for f, commands in FEATURES.items() if command in commands] or list(FEATURES)
    app = typer.Typer(
        name="gridsvc",
        help="城市网格化管理 · urban grid management",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )

    @app.callback()
    def options(
        context: typer.Context,
        json: Annotated[bool, typer.Option("--json", help="机器可读输出 machine output")] = False,
        lang: Annotated[str, typer.Option("--lang", help="zh | en")] = "zh",
    ) -> None:
        context.obj = State(json=json, language="en" if lang == "en" else "zh")

    for feature in wanted:
        importlib.import_module(f"api.cli.{feature}").register(app)
    return app


def run(arguments: list[str] | None = None) -> None:
    """Run the command and turn typed errors into exit codes 2, 3, 4 and 5."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    # --json and --lang may stand anywhere, which is how people type them.
    as_json = "--json" in argv
    front: list[str] = ["--json"] if as_json else []
    argv = [a for a in argv if a != "--json"]
    if "--lang" in argv and argv.index("--lang") + 1 < len(argv):
        at = argv.index("--lang")
        front += argv[at : at + 2]
        argv = argv[:at] + argv[at + 2 :]
    language = "en" if "en" in front else "zh"
    try:
        build(argv[0] if argv else None)(args=[*front, *argv], prog_name="gridsvc")
    except GridsvcError as error:
        if as_json:
            fields = {k: v for k, v in error.fields.items() if not k.startswith("listing")}
            body = {
                "error": type(error).__name__,
                "detail": error.text("en", cli),
                "fields": spoken_fields(fields, "en", cli),
            }
            sys.stderr.write(orjson.dumps(body, default=str).decode() + "\n")
        else:
            text = in_zone(error.text("en" if language == "en" else "zh", cli), zone_of_settings())
            err_console.print(text, style="red",
                              markup=False, highlight=False, soft_wrap=True)  # fmt: skip
        raise SystemExit(exit_code(error)) from None
