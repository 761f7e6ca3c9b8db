"""Cells without a code are given one that was never used before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import shapely

from geodata.sources import open_source
from gridsvc.errors import GridsvcError
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import ImportOptions
from tests.integration.importing import FIRST_DAY, NOW, database, published, run, save, squares
from tests.integration.test_import_commands import Command, gridsvc

__all__ = ["gridsvc"]
COMMUNITY = "350404001001"


def test_retired_sequences_are_not_used_again(tmp_path: Path) -> None:
    made = database(tmp_path)
    published(made, tmp_path)
    # The fourth cell goes into the third: its code must not come back.
    three = squares(3)
    three.loc[2, "geometry"] = shapely.union_all(squares(4).geometry.to_numpy()[2:])
    report = import_layer(
        made, open_source(save(three, tmp_path / "three.gpkg")), "cells",
        clock=lambda: NOW + timedelta(days=1),
    )  # fmt: skip
    later = FIRST_DAY + timedelta(days=30)
    planning.publish(made, str(report.plan_id), later, NOW + timedelta(days=1))
    frame = squares(4)
    frame["社区编码"] = COMMUNITY
    frame.loc[3:, "网格编码"] = None
    path = save(frame, tmp_path / "four.gpkg")
    with pytest.raises(GridsvcError):
        run(made, path, "cells")
    raw = open_source(path)
    found = import_layer(
        made, raw, "cells", ImportOptions(number=True), clock=lambda: NOW + timedelta(days=2)
    )
    with made.unit_of_work() as work:
        cells = work.plans.cells(str(found.plan_id))
    assert [c[-3:] for c in cells.index] == ["001", "002", "003", "005"]
    assert cells["subdistrict_code"].unique().tolist() == [COMMUNITY[:9]]
    assert found.certificate is not None
    assert found.certificate.ok
    made.dispose()


def test_first_numbering_from_the_command_line(gridsvc: Command, tmp_path: Path) -> None:
    frame = squares(4).drop(columns=["网格编码", "网格名称"])
    frame["社区编码"] = COMMUNITY
    save(frame.iloc[[2, 0, 3, 1]], tmp_path / "cells.gpkg")
    assert gridsvc("import", "cells.gpkg", "--as", "cells").code == 2
    done = gridsvc("import", "cells.gpkg", "--as", "cells", "--number")
    assert done.code == 0, done.err
    assert f"4 个没有编码的网格已编号:{COMMUNITY}001 至 {COMMUNITY}004" in done.out
    assert gridsvc("publish", "main-v1", "--from", "2018-01-01").code == 0
    assert gridsvc("export", "cells", "-o", "out.gpkg").code == 0
    out = open_source(tmp_path / "out.gpkg").frame.sort_values("code")
    assert out["code"].tolist() == [f"{COMMUNITY}{i:03d}" for i in range(1, 5)]
    assert out["name"].tolist() == out["code"].tolist()
    # From west to east, whatever the order of the file.
    assert out.geometry.bounds["minx"].is_monotonic_increasing
    done = gridsvc("import", "cells.gpkg", "--as", "cells", "--number", "--code-system", "free")
    assert done.code == 2
