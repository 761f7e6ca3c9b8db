"""The import rules hold, and installed packages are ours."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ["gridsvc", "geodata", "maps", "api"]


def test_imports_run_downwards_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(lint), "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_ours_and_typed(name: str) -> None:
    module = __import__(name)
    folder = Path(str(module.__file__)).parent
    assert folder == REPOSITORY / name
    assert (folder / "py.typed").is_file()
    assert module.__doc__


def test_wheel_names_exactly_the_four_packages() -> None:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wheel = config["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == PACKAGES
    assert config["project"]["name"] == "gridsvc"


def test_every_dependency_is_pinned_for_repeatable_installs() -> None:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    wanted = config["project"]["dependencies"] + config["project"]["optional-dependencies"]["dev"]
    names = {
        requirement.split(">")[0].split("<")[0].split("=")[0].split("[")[0].strip().lower()
        for requirement in wanted
    }
    assert names - pinned == set()
