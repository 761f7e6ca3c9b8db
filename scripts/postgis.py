#!/usr/bin/env python3
"""A PostgreSQL cluster with PostGIS of the project's own, on a loopback port.

    python3 scripts/postgis.py start     make the cluster if needed, start it, print its URL
    python3 scripts/postgis.py url       print the URL of the running cluster
    python3 scripts/postgis.py status    say whether it runs
    python3 scripts/postgis.py stop      stop it; the data stay
    python3 scripts/postgis.py destroy   stop it and delete its data

Needs the Debian packages ``postgresql`` and ``postgresql-NN-postgis-3`` and nothing else; runs
with the system's Python. The cluster lies in ``.pgdata`` of the checkout. As root, which
PostgreSQL refuses, it runs as the user ``postgres``, and where that user cannot reach the
checkout the cluster lies in ``/var/tmp``.

Environment: ``GRIDSVC_PGDATA`` (folder), ``GRIDSVC_PGPORT`` (default 54329, else a free port).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DATABASE = "gridsvc"
DEFAULT_PORT = 54329
SERVER_USER = "postgres"
# Recovery after a crash, and processes of a killed server that have not noticed yet, take a while.
PATIENCE_S = 60.0

CONFIGURATION = """
# Loopback only, no password: reachable from this machine alone.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
# Durable as in production; only the sizes are small.
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 128MB
work_mem = 16MB
maintenance_work_mem = 64MB
max_wal_size = 512MB
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
"""


class Failure(Exception):
    """Something that a person has to see to; the message says what."""


def programs() -> Path:
    """Return the folder with initdb and pg_ctl of the newest installed server with PostGIS."""
    root = Path("/usr/lib/postgresql")
    found = [p for p in root.glob("*/bin") if (p / "initdb").exists() and (p / "pg_ctl").exists()]
    found.sort(key=lambda p: float(p.parent.name), reverse=True)
    for folder in found:
        share = Path("/usr/share/postgresql") / folder.parent.name / "extension/postgis.control"
        if share.exists():
            return folder
    if found:
        version = found[0].parent.name
        raise Failure(f"PostGIS is missing: apt-get install postgresql-{version}-postgis-3")
    raise Failure("PostgreSQL is missing: apt-get install postgresql postgresql-NN-postgis-3")


def is_root() -> bool:
    """Return whether the script runs as root."""
    return os.geteuid() == 0


def run(command: list[str], *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a program, as the server's user when the script runs as root."""
    if is_root():
        account = pwd.getpwnam(SERVER_USER)
        command = [
            "setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
            *command,
        ]  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, cwd="/", env=environment
    )
    if done.returncode != 0 and not quiet:
        raise Failure(f"{Path(command[-1]).name}: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done


def data_folder() -> Path:
    """Return the folder of the cluster."""
    stated = os.environ.get("GRIDSVC_PGDATA")
    if stated:
        return Path(stated).resolve()
    inside = REPOSITORY / ".pgdata"
    if not is_root() or run(["test", "-x", str(REPOSITORY)], quiet=True).returncode == 0:
        return inside
    name = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"gridsvc-pgdata-{name}"  # noqa: S108 - the server's user reaches it


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one script at a time work on a cluster."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    path = Path(tempfile.gettempdir()) / f"gridsvc-postgis-{os.geteuid()}-{name}.lock"
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def initialise(folder: Path) -> None:
    """Make the cluster unless it is there."""
    if (folder / "PG_VERSION").exists():
        return
    if folder.exists() and any(folder.iterdir()):
        raise Failure(f"{folder} is not empty and holds no cluster")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if is_root():
        shutil.chown(folder, SERVER_USER, SERVER_USER)
    run([
        str(programs() / "initdb"), "-D", str(folder), "-U", SERVER_USER, "-A", "trust",
        "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions",
    ])  # fmt: skip
    with (folder / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION)


def free_port() -> int:
    """Return the wanted port if nobody listens there, else a free one."""
    wanted = int(os.environ.get("GRIDSVC_PGPORT", DEFAULT_PORT))
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Failure("no free port")


def running_port(folder: Path) -> int | None:
    """Return the port of the running cluster, ``None`` when it does not run."""
    if not (folder / "PG_VERSION").exists():
        return None
    if run([str(programs() / "pg_ctl"), "-D", str(folder), "status"], quiet=True).returncode != 0:
        return None
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
        return int(lines[3])
    except (FileNotFoundError, IndexError, ValueError):
        return None  # it is just starting or ending


def answers(port: int) -> bool:
    """Return whether a server takes connections at a port."""
    command = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return run(command, quiet=True).returncode == 0


def url(port: int) -> str:
    """Return the SQLAlchemy URL of the project's database."""
    return f"postgresql+psycopg://{SERVER_USER}@127.0.0.1:{port}/{DATABASE}"


def query(port: int, database: str, statement: str) -> str:
    """Run a statement as superuser and return what psql prints."""
    return run([
        str(programs() / "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
        "-h", "127.0.0.1", "-p", str(port), "-U", SERVER_USER, "-d", database, "-c", statement,
    ]).stdout.strip()  # fmt: skip


def bring_up(folder: Path) -> int:
    """Return the port of the cluster once it takes connections, starting it when needed.

    After a crash the lock file of the dead server lies there, its number may belong to another
    program by now, and processes that it left hold its memory until they notice. All of that
    passes; only what lasts longer than ``PATIENCE_S`` is a failure.
    """
    log = folder / "server.log"
    end = time.monotonic() + PATIENCE_S
    while True:
        port = running_port(folder)
        if port is not None and answers(port):
            return port
        told = f"the server at port {port} does not answer"
        if port is None or not connectable(port):
            remove_stale_lock(folder)
            begun = log.stat().st_size if log.exists() else 0
            port = free_port()
            done = run([
                str(programs() / "pg_ctl"), "-D", str(folder), "-w", "-t", "60",
                "-l", str(log), "-o", f"-p {port}", "start",
            ], quiet=True)  # fmt: skip
            if done.returncode == 0 and answers(port):
                return port
            with log.open(errors="replace") as file:
                file.seek(begun)
                told = f"{done.stdout}{done.stderr}{file.read()}"
            if re.search(r"lock file|still in use|Address already in use", told) is None:
                raise Failure(f"the server does not start:\n{told}")
        if time.monotonic() > end:
            raise Failure(f"the server does not start:\n{told}")
        time.sleep(0.5)


def remove_stale_lock(folder: Path) -> None:
    """Remove the lock file of a dead server whose number another program has got.

    PostgreSQL refuses to start while any program of its user has that number. The file goes only
    when that program is no PostgreSQL and nobody is left in the dead server's shared memory.
    """
    lock = folder / "postmaster.pid"
    try:
        lines = lock.read_text().splitlines()
        number, memory = int(lines[0]), int(lines[6].split()[1])
        command = (Path("/proc") / str(number) / "cmdline").read_bytes()
        segments = Path("/proc/sysvipc/shm").read_text().splitlines()
    except (OSError, IndexError, ValueError):
        return  # no lock, no such program, or a file that the server itself has to judge
    if b"postgres" in command or b"postmaster" in command:
        return
    names = segments[0].split()
    for line in segments[1:]:
        row = dict(zip(names, line.split(), strict=False))
        if row["shmid"] == str(memory) and row["nattch"] != "0":
            return
    lock.unlink(missing_ok=True)


def connectable(port: int) -> bool:
    """Return whether anybody listens at a port: a server in recovery does, a dead one does not."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(folder: Path) -> int:
    """Start the cluster unless it runs; returns its port."""
    with alone(folder):
        initialise(folder)
        port = bring_up(folder)
        if not query(port, "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            query(port, "postgres", f"CREATE DATABASE {DATABASE}")
        query(port, DATABASE, "CREATE EXTENSION IF NOT EXISTS postgis")
    return port


def stop(folder: Path) -> bool:
    """Stop the cluster; returns whether it ran."""
    with alone(folder):
        if running_port(folder) is None:
            return False
        run([str(programs() / "pg_ctl"), "-D", str(folder), "-w", "-m", "fast", "stop"])
    return True


def destroy(folder: Path) -> None:
    """Stop the cluster and delete it, and nothing that is not one."""
    stop(folder)
    if (folder / "PG_VERSION").exists():
        shutil.rmtree(folder)


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code."""
    match = re.fullmatch(r"start|stop|url|status|destroy", arguments[0] if arguments else "")
    if match is None or len(arguments) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        folder = data_folder()
        if match[0] == "start":
            print(url(start(folder)))
        elif match[0] == "stop":
            print("stopped" if stop(folder) else "was not running")
        elif match[0] == "destroy":
            destroy(folder)
            print("destroyed")
        else:
            port = running_port(folder)
            if port is None:
                print("not running", file=sys.stderr)
                return 3
            print(url(port) if match[0] == "url" else f"running on 127.0.0.1:{port} in {folder}")
    except Failure as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
