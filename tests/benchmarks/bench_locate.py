"""Locating against its peers, in one run on one machine; rates are per CPU second.

``python -m tests.benchmarks locate [--full]``. CPU time of all processes that do the work counts
(client and PostGIS backend; for HTTP the server). ``--full`` adds 100,000 cells.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pyarrow as pa
import shapely
from rich.console import Console
from rich.table import Table

from geodata.sample import build_city
from gridsvc.locate import Locator
from tests.benchmarks.coverages import jittered
from tests.benchmarks.locate_server import city_of, fill
from tests.benchmarks.places import lowest_covering, places
from tests.benchmarks.postgis_answer import CELL, drop, load

REPOSITORY = Path(__file__).resolve().parent.parent.parent
KINDS = (("uniform", "uniform"), ("near border", "1 m off a border"), ("on vertex", "on a vertex"))
TICKS = os.sysconf("SC_CLK_TCK")
console = Console(width=120)


def cpu_of(*pids: int) -> float:
    """Return the CPU seconds that processes have used so far."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def rate(work: Callable[[], Any], count: int, *, pids: tuple[int, ...] = ()) -> float:
    """Return units per CPU second, best of three runs."""
    return count / min(_spent(work, pids) for _ in range(3))


def _spent(work: Callable[[], Any], pids: tuple[int, ...] = ()) -> float:
    other = cpu_of(*pids)
    mine = time.process_time()
    work()
    return time.process_time() - mine + cpu_of(*pids) - other


# --- in process ---------------------------------------------------------------------------------


def tree_query(cells: gpd.GeoDataFrame, x: Any, y: Any) -> Any:
    """Find cells by ``STRtree.query`` with a predicate, points built beforehand not counted."""
    return shapely.STRtree(cells.geometry.to_numpy()).query(shapely.points(x, y), "covered_by")


def sjoin(cells: gpd.GeoDataFrame, points: gpd.GeoDataFrame) -> Any:
    """Find cells by geopandas."""
    return gpd.sjoin(points, cells, predicate="covered_by")


def bulk_table(cells: gpd.GeoDataFrame, title: str, *, own: int, peers: int) -> None:
    """Print rates and disagreements with GEOS for all engines."""
    locator = Locator.from_cells(cells)
    table = Table(title=title, title_justify="left")
    table.add_column("engine")
    for _, name in KINDS:
        table.add_column(f"{name}\nM points/CPU-s", justify="right")
        table.add_column("ours is", justify="right")
    table.add_column("wrong", justify="right")
    data = {kind: places(cells, kind, own, seed=7) for kind, _ in KINDS}
    ours = {}
    wrong = 0
    codes = np.array([*locator.codes, ""], dtype=object)
    for kind, (x, y) in data.items():
        ours[kind] = rate(partial(locator.locate_many, x, y), own)
        some = slice(0, 100_000)
        expected, _ = lowest_covering(cells, x[some], y[some])
        wrong += int((codes[locator.locate_many(x[some], y[some])] != expected).sum())
    table.caption = "targets: 80 × and 20 × geopandas.sjoin with points ready; 15 M points/CPU-s"
    row = [f"{ours[k] / 1e6:.2f}" for k, _ in KINDS]
    table.add_row("Locator.locate_many", *[c for r in row for c in (r, "")], str(wrong))

    def peer(name: str, measure: Callable[[Any, Any], float], count: int) -> None:
        cells_of_row = []
        for kind, _ in KINDS:
            x, y = (v[:count] for v in data[kind])
            found = measure(x, y)
            # Once more beside the peer, as the speed of a shared machine changes by the minute.
            a, b = data[kind]
            beside = rate(partial(locator.locate_many, a, b), own)
            cells_of_row += [f"{found / 1e6:.4f}", f"{beside / found:,.0f} ×"]
        table.add_row(name, *cells_of_row, "")

    def by_sjoin(x: Any, y: Any) -> float:
        points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=cells.crs)
        return rate(lambda: sjoin(cells, points), len(x))

    def by_sjoin_of_numbers(x: Any, y: Any) -> float:
        def work() -> Any:
            points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=cells.crs)
            return sjoin(cells, points)

        return rate(work, len(x))

    peer("geopandas.sjoin, points ready", by_sjoin, peers)
    peer("geopandas.sjoin from lon/lat", by_sjoin_of_numbers, peers)
    peer(
        "STRtree.query covered_by",
        lambda x, y: rate(lambda: tree_query(cells, x, y), len(x)),
        peers,
    )
    peer(
        "STRtree + prepared intersects_xy",
        lambda x, y: rate(lambda: lowest_covering(cells, x, y), len(x)),
        peers,
    )
    with postgis(cells) as (url, why):
        if url is None:
            table.add_row("PostGIS", *[""] * 6, why)
        else:
            peer("PostGIS, COPY and one join", lambda x, y: postgis_bulk(url, x, y), 20_000)
            peer("PostGIS, one statement a point", lambda x, y: postgis_single(url, x, y), 2_000)
    console.print(table)


def _each(call: Callable[[float, float], Any], pairs: list[tuple[float, float]]) -> None:
    for x, y in pairs:
        call(x, y)


def one_table(cells: gpd.GeoDataFrame) -> None:
    """Print the cost of one lookup."""
    locator = Locator.from_cells(cells)
    table = Table(title="One place in process, µs CPU", title_justify="left")
    table.add_column("call")
    for name in ("uniform", "near border"):
        table.add_column(name, justify="right")
    calls: dict[str, Callable[[float, float], Any]] = {
        "Locator.position": locator.position,
        "Locator.locate": locator.locate,
        "Locator.locate + distance + neighbours": lambda a, b: locator.locate(a, b).neighbours,
    }
    for name, call in calls.items():
        row = []
        for kind in ("uniform", "near border"):
            x, y = (v.tolist() for v in places(cells, kind, 20_000, seed=3))
            pairs = list(zip(x, y, strict=True))
            row.append(f"{1e6 / rate(partial(_each, call, pairs), len(x)):.2f}")
        table.add_row(name, *row)
    console.print(table)


def full_table() -> None:
    """Print the row of 100,000 cells."""
    cells = jittered(316, 317, seed=1)
    table = Table(title=f"{len(cells):,} cells", title_justify="left")
    for name in ("build, CPU-s", "index, MB", "uniform, M/CPU-s", "near, M/CPU-s", "wrong"):
        table.add_column(name, justify="right")
    start = time.process_time()
    locator = Locator.from_cells(cells)
    build = time.process_time() - start
    rates, wrong = [], 0
    codes = np.array([*locator.codes, ""], dtype=object)
    for kind in ("uniform", "near border"):
        x, y = places(cells, kind, 3_000_000, seed=5)
        rates.append(rate(partial(locator.locate_many, x, y), len(x)) / 1e6)
        expected, _ = lowest_covering(cells, x[:20_000], y[:20_000])
        wrong += int((codes[locator.locate_many(x[:20_000], y[:20_000])] != expected).sum())
    row = (f"{build:.1f}", f"{locator.nbytes / 1e6:.0f}", *[f"{r:.1f}" for r in rates], str(wrong))
    table.add_row(*row)
    console.print(table)


# --- PostGIS ------------------------------------------------------------------------------------


@contextmanager
def postgis(cells: gpd.GeoDataFrame) -> Iterator[tuple[str | None, str]]:
    """Give the URL of a server with the cells in ``bench_cells``, or the reason for none."""
    url = os.environ.get("GRIDSVC_TEST_POSTGIS_URL")
    if not url:
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "scripts" / "postgis.py"), "start"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        url = done.stdout.strip()
        if done.returncode != 0:
            yield None, f"no server: {done.stderr.strip()[:60]}"
            return
    import psycopg

    url = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        load(connection, city_of(cells))
        try:
            yield url, ""
        finally:
            drop(connection)


def postgis_bulk(url: str, x: Any, y: Any) -> float:
    """Return points per CPU second of COPY in and one join."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:

        def work() -> None:
            connection.execute("CREATE TEMP TABLE q (i int, x float8, y float8)")
            with connection.cursor().copy("COPY q FROM STDIN") as copy:
                for row in zip(range(len(x)), x.tolist(), y.tolist(), strict=True):
                    copy.write_row(row)
            connection.execute(
                "SELECT q.i, min(c.code) FROM q JOIN bench_cells c ON "
                "ST_Covers(c.geom, ST_SetSRID(ST_MakePoint(q.x, q.y), 4490)) GROUP BY q.i"
            ).fetchall()
            connection.execute("DROP TABLE q")

        return rate(work, len(x), pids=(connection.info.backend_pid,))


def postgis_single(url: str, x: Any, y: Any) -> float:
    """Return points per CPU second of one prepared statement a point."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:

        def work() -> None:
            for pair in zip(x.tolist(), y.tolist(), strict=True):
                connection.execute(CELL, pair, prepare=True).fetchone()

        return rate(work, len(x), pids=(connection.info.backend_pid,))


# --- over HTTP ----------------------------------------------------------------------------------


@contextmanager
def served(
    cells: gpd.GeoDataFrame, url: str | None
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start the server in a process of its own; gives port and process."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        database = f"sqlite:///{folder}/city.db"
        fill(database, cells)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [sys.executable, "-m", "tests.benchmarks.locate_server", database, str(port)]
        process = subprocess.Popen([*command, *([url] if url else [])], cwd=REPOSITORY)
        try:
            for _ in range(1200):
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    raise RuntimeError(f"the server ended with {process.returncode}")
                time.sleep(0.1)
            yield port, process
        finally:
            process.terminate()
            process.wait(20)


async def drive(port: int, requests: list[bytes], connections: int) -> None:
    """Send requests over kept-alive connections, each waiting for its answer."""

    async def one(mine: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in mine:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(one(requests[i::connections]) for i in range(connections)))


def http_table(cells: gpd.GeoDataFrame) -> None:
    """Print server CPU per request and the rates of bulk bodies."""
    x, y = places(cells, "uniform", 60_000, seed=9)
    inside = lowest_covering(cells, x, y)[0] != ""
    pairs = list(zip(x[inside].tolist(), y[inside].tolist(), strict=True))

    def get(path: str, count: int) -> list[bytes]:
        return [
            f"GET {path}?lon={a}&lat={b} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
            for a, b in pairs[:count]
        ]

    with postgis(cells) as (url, why), served(cells, url) as (port, process):
        table = Table(title="GET over HTTP, one uvicorn process", title_justify="left")
        for name in ("route", "µs server CPU", "against empty"):
            table.add_column(name, justify="left" if name == "route" else "right")
        asyncio.run(drive(port, get("/api/v1/locate", 4000) + get("/empty", 1000), 8))
        costs: dict[str, float] = {}
        peer = "/postgis, same content, backend included"
        for _ in range(3):
            for path in ("/empty", "/constant", "/api/v1/locate"):
                requests = get(path, 20_000)
                before = cpu_of(process.pid)
                asyncio.run(drive(port, requests, 16))
                cost = (cpu_of(process.pid) - before) / len(requests) * 1e6
                costs[path] = min(costs.get(path, float("inf")), cost)
        if url is not None:
            requests = get("/postgis", 3000)
            asyncio.run(drive(port, requests[:200], 1))
            import psycopg

            with psycopg.connect(url, autocommit=True) as watch:
                found = watch.execute(
                    "SELECT pid FROM pg_stat_activity WHERE query LIKE '%AS MATERIALIZED%' "
                    "AND pid <> pg_backend_pid()"
                ).fetchall()
            if not found:
                raise RuntimeError("the PostGIS backend is not to be seen")
            pids = (process.pid, *(int(row[0]) for row in found))
            before = cpu_of(*pids)
            asyncio.run(drive(port, requests, 1))
            costs[peer] = (cpu_of(*pids) - before) / len(requests) * 1e6
        for name, cost in costs.items():
            table.add_row(name, f"{cost:.1f}", f"{cost / costs['/empty']:.2f} ×")
        if url is None:
            table.add_row(peer, why, "")
        else:
            table.add_row("PostGIS / ours", "", f"{costs[peer] / costs['/api/v1/locate']:.1f} ×")
        table.caption = "targets: locate ≤ 1.3 × empty; PostGIS ≥ 10 × locate"
        console.print(table)
        bulk_http(cells, port, process)


def bulk_http(cells: gpd.GeoDataFrame, port: int, process: subprocess.Popen[bytes]) -> None:
    """Print the rates of 100,000 points in one body."""
    count = 100_000
    x, y = places(cells, "uniform", count, seed=10)
    sink = io.BytesIO()
    columns = pa.table({"lon": x, "lat": y})
    with pa.ipc.new_stream(sink, columns.schema) as writer:
        writer.write_table(columns)
    text = (
        b"lon,lat\n"
        + "".join(f"{a!r},{b!r}\n" for a, b in zip(x.tolist(), y.tolist(), strict=True)).encode()
    )
    bodies = {
        "application/vnd.apache.arrow.stream": sink.getvalue(),
        "application/json": orjson.dumps({"lon": x.tolist(), "lat": y.tolist()}),
        "text/csv": text,
    }
    table = Table(title=f"POST of {count:,} points", title_justify="left")
    for name in ("body and answer", "M points/CPU-s of the server", "M points/s wall"):
        table.add_column(name, justify="left" if name.startswith("body") else "right")
    for kind, body in bodies.items():
        request = (
            f"POST /api/v1/locate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        asyncio.run(drive(port, [request], 1))
        before, start = cpu_of(process.pid), time.perf_counter()
        asyncio.run(drive(port, [request] * 20, 1))
        cpu, wall = cpu_of(process.pid) - before, time.perf_counter() - start
        table.add_row(kind, f"{20 * count / cpu / 1e6:.2f}", f"{20 * count / wall / 1e6:.2f}")
    console.print(table)


def main(arguments: list[str]) -> None:
    """Run all tables."""
    cells = jittered(26, 27, seed=1)
    vertices = int(shapely.get_num_coordinates(cells.geometry.to_numpy()).mean())
    bulk_table(cells, f"{len(cells)} cells, {vertices} vertices each", own=1_000_000, peers=100_000)
    city = build_city().cells
    bulk_table(city, f"sample city, {len(city)} cells", own=1_000_000, peers=50_000)
    one_table(cells)
    http_table(cells)
    if "--full" in arguments:
        full_table()


if __name__ == "__main__":
    main(sys.argv[1:])
