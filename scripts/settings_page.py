"""Write docs/settings.md from the settings classes: ``python scripts/settings_page.py``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from api.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
HEAD = """# Settings

Read once at the start from the environment (`GRIDSVC_*`) and from a file `.env` in the working
folder; the environment wins. This page is written by `scripts/settings_page.py` from
`api/settings.py`; a test checks that it is current.
"""


def page() -> str:
    """Return the page as Markdown."""
    groups: list[tuple[str, type[BaseSettings]]] = []
    own: list[str] = []
    for name, field in Settings.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseSettings):
            groups.append((name, kind))
        else:
            own.append(name)
    parts = [HEAD]
    for name, kind in groups:
        summary = (kind.__doc__ or "").strip().splitlines()[0]
        parts.append(
            f"## {name.capitalize()}\n\n{summary}\n\n{_table(kind, list(kind.model_fields))}"
        )
    parts.append(f"## Logs\n\n{_table(Settings, own)}")
    return "\n".join(parts)


def _table(kind: type[BaseSettings], names: list[str]) -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name in names:
        field = kind.model_fields[name]
        default = field.default
        shown = "" if default in (PydanticUndefined, "") else f"`{_text(default)}`"
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `GRIDSVC_{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{v}"' for v in value) + "]"
    return str(value)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")


if __name__ == "__main__":
    main()
