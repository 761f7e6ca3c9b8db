"""Raw 311 reports of a real city: American dates, foreign columns, the zone of the city."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from geodata.sources import open_source
from gridsvc.errors import RejectedRows
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import ImportOptions
from tests.integration.importing import database

pytestmark = pytest.mark.shared_data
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def test_raw_reports(shared_data: Path, tmp_path: Path) -> None:
    boston = shared_data / "boston"
    storage = database(tmp_path)
    groups = open_source(boston / "boston_area_block_groups_2020.parquet")
    # The water block group comes in eight rows: parts of one cell, as a person decides.
    options = ImportOptions(
        constants={"subdistrict_code": "boston"},
        metric_epsg=26919,
        decisions={"250259801011": "merge"},
    )
    plan = import_layer(storage, groups, "cells", options, clock=clock)
    assert (plan.rows, plan.imported) == (687, 680)
    assert plan.plan_id is not None
    planning.publish(storage, plan.plan_id, FIRST_DAY, NOW)
    path = boston / "boston_311_raw_graffiti.csv.gz"
    raw = open_source(path, datum="wgs84")
    options = ImportOptions(timezone="America/New_York", mapping={"class_code": "TYPE"})
    report = import_layer(storage, raw, "cases", options, clock=clock)
    assert report.rows == report.imported == len(raw.frame)
    assert any("month/day/year" in n.en for n in report.notes)
    with storage.unit_of_work() as work:
        cases = work.records("cases").frame()
    told = raw.frame.set_index("CASE_ENQUIRY_ID")["OPEN_DT"]
    local = cases["reported_at"].dt.tz_convert("America/New_York").dt.tz_localize(None)
    stated = pd.to_datetime(told.loc[cases.index], format="%m/%d/%Y %I:%M:%S %p")
    assert (local.to_numpy() == stated.to_numpy()).all()
    assert report.placements["placed"] > 0.98 * report.rows
    short = raw.frame[~raw.frame["OPEN_DT"].str.match(r"\d\d/(1[3-9]|2|3)")].head(3)
    assert len(short) == 3
    few = tmp_path / "few.csv"
    short[["CASE_ENQUIRY_ID", "OPEN_DT", "TYPE", "LATITUDE", "LONGITUDE"]].to_csv(few, index=False)
    with pytest.raises(RejectedRows, match="date_order: month/day/year"):
        import_layer(storage, open_source(few, datum="wgs84"), "cases", options, clock=clock)
    storage.dispose()
