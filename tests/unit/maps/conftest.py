"""The browser assets, built once from their sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session", autouse=True)
def web_assets() -> Path:
    """Folder with the built assets; building is skipped when they are up to date."""
    script = REPOSITORY / "scripts" / "build_web.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return REPOSITORY / "maps" / "static"
