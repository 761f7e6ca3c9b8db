"""What all commands share: options, output, exit codes, progress bars."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.local_times import in_zone
from api.surfaces import cli
from gridsvc.errors import (
    Cancelled,
    ConflictError,
    GridsvcError,
    InputError,
    Language,
    NotFoundError,
    StorageError,
)
from gridsvc.phrases import STAGES, phrase
from gridsvc.types import Progress as ProgressPort
from gridsvc.ways import spoken, spoken_document

EXIT_CODES: dict[type[GridsvcError], int] = {
    InputError: 2,
    NotFoundError: 3,
    ConflictError: 4,
    Cancelled: 4,
    StorageError: 5,
}

console = Console()
err_console = Console(stderr=True)


@dataclass(slots=True)
class State:
    """Options given before the command."""

    json: bool = False
    language: Language = "zh"


def state_of(context: typer.Context) -> State:
    """Return the state of the running command."""
    found = context.find_object(State)
    return found if found is not None else State()


def exit_code(error: GridsvcError) -> int:
    """Return the exit code of an error by its class (1 for others)."""
    for cls, code in EXIT_CODES.items():
        if isinstance(error, cls):
            return code
    return 1


def zone_of_settings() -> str:
    """Return the city's time zone."""
    from api.settings import BadSetting, Settings

    try:
        return Settings().grid.timezone
    except BadSetting:  # the message about it has no times in it
        return "UTC"


def emit(context: typer.Context, document: Any, text: str, *, ways: bool = True) -> None:
    """Print a result: the document as JSON with ``--json``, else the text.

    Without ``ways`` it names no options, and its words are printed as they are.
    """
    language = state_of(context).language
    if ways:
        document, text = spoken_document(document, language, cli), spoken(text, language, cli)
    if state_of(context).json:
        sys.stdout.write(
            orjson.dumps(
                document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str
            ).decode()
            + "\n"
        )
    else:
        console.print(
            in_zone(text, zone_of_settings()), markup=False, highlight=False, soft_wrap=True
        )


@contextmanager
def progress(context: typer.Context) -> Iterator[ProgressPort]:
    """Show a progress bar in the language of the session on a terminal, nothing elsewhere."""
    language = state_of(context).language
    quiet = state_of(context).json or not err_console.is_terminal
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
        console=err_console, disable=quiet, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=1.0)

        def report(stage: str, done: float) -> None:
            bar.update(task, description=phrase(STAGES, stage, language), completed=done)

        yield report
