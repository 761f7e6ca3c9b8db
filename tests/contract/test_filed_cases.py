"""What a case keeps as of filing: the same on both back ends, and unmoved by later changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Services
from api.importing_choices import ImportChoices
from api.settings import Settings
from geodata.storage.base import SqlStorage
from gridsvc.duties import book, history
from gridsvc.errors import RejectedRows
from gridsvc.services.import_filing import rules_of
from gridsvc.services.importing import import_layer
from gridsvc.services.locating import LocatorCache
from gridsvc.services.raw import ImportReport
from tests.integration.importing import NOW, published

UNITS = (
    "单位编号,单位名称,单位类型,区域编码\n"
    "U1,环卫中心,sanitation,\nU2,列东街道办事处,subdistrict,350404001\nU3,清运公司,contractor,\n"
)
STAFF = "人员编号,姓名,角色\nP1,张三,cell_leader\nP2,李四,cell_leader\nP3,王五,cell_officer\n"
CLASSES = (
    "小类代码,目录,部件事件,大类代码,大类名称,小类名称,责任单位类型,处置时限,计时方式\n"
    "06010,2018,matter,06,市容环境,暴露垃圾,sanitation,4,work_hour\n"
    "06011,2018,matter,06,市容环境,积存渣土,sanitation,2,urgent_hour\n"
    "06012,2018,matter,06,市容环境,权属不明,,16,workday\n"
    "06013,2018,matter,06,市容环境,无时限,,,work_hour\n"
)
DUTIES = (
    "责任编号,人员编号,责任单位编号,角色,对象类型,对象编码,类别代码,生效时间,失效时间\n"
    "D1,P1,,cell_leader,cell,350404001001001,,2018-02-01,2018-06-01\n"
    "D2,P2,,cell_leader,cell,350404001001001,,2018-06-01,\n"
    "D3,P3,,cell_officer,community,350404001001,,2018-02-01,\n"
    "D4,,U3,handler,cell,350404001001001,06011,2018-06-01,\n"
)
HEAD = "案件编号,小类代码,上报时间,经度,纬度\n"
ROWS = (
    "K1,06010,2018-05-04 16:00,117.605,26.205\n"
    "K2,06010,2018-07-02 09:00,117.605,26.205\n"
    "K3,06011,2018-07-01 23:30,117.605,26.205\n"
    "K4,06012,2018-05-03 15:00,117.615,26.205\n"
    "K5,06013,2018-01-15 10:00,117.605,26.205\n"
    "K6,06010,2018-05-04 10:00,,\n"
)
# Each import of a test has its own second, as batches have.
_SECONDS = (timedelta(seconds=n) for n in count())
FIELDS = ["unit_id", "person_id", "deadline", "derived"]


def utc(text: str) -> pd.Timestamp:
    """Return an instant of the city's clock."""
    return pd.Timestamp(text, tz="Asia/Shanghai").tz_convert("UTC")


def take(storage: SqlStorage, folder: Path, as_layer: str, text: str, **more: Any) -> ImportReport:
    """Import rows as the command does."""
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    settings = Settings()
    choices = ImportChoices(datum="wgs84", **more)
    raw = choices.open(path, settings)
    options = choices.options(settings)
    return import_layer(storage, raw, as_layer, options, clock=lambda: NOW + next(_SECONDS))


@pytest.fixture
def city(storage: SqlStorage, tmp_path: Path) -> SqlStorage:
    """Four cells in force with units, staff, classes and duties that change in June."""
    published(storage, tmp_path)
    for layer, text in (
        ("units", UNITS), ("staff", STAFF), ("classes", CLASSES), ("duties", DUTIES),
    ):  # fmt: skip
        take(storage, tmp_path, layer, text)
    return storage


def cases(storage: SqlStorage) -> pd.DataFrame:
    """Return the stored cases."""
    with storage.unit_of_work() as work:
        return pd.DataFrame(work.records("cases").frame())


def test_cell_class_and_duties_of_the_reporting_instant_fill_what_is_empty(
    city: SqlStorage, tmp_path: Path
) -> None:
    report = take(city, tmp_path, "cases", HEAD + ROWS)
    found = cases(city)[FIELDS]
    rows = {k: tuple(None if pd.isna(v) else v for v in row) for k, row in found.iterrows()}
    assert rows == {
        # A Friday at four in the afternoon: two hours that day, two on Monday.
        "K1": (
            "U1", "P1", utc("2018-05-07 10:00"),
            "unit_id=unit_kind, person_id=cell_leader:D1, deadline=work_hour:4",
        ),
        "K2": (
            "U1", "P2", utc("2018-07-02 15:00"),
            "unit_id=unit_kind, person_id=cell_leader:D2, deadline=work_hour:4",
        ),
        "K3": (
            "U3", "P2", utc("2018-07-02 01:30"),
            "unit_id=place_and_class:D4, person_id=cell_leader:D2, deadline=urgent_hour:2",
        ),
        "K4": (
            "U2", "P3", utc("2018-05-07 15:00"),
            "unit_id=territory, person_id=cell_officer:D3, deadline=workday:16",
        ),
        "K5": ("U2", None, None, "unit_id=territory"),
        "K6": ("U1", None, utc("2018-05-04 16:00"), "unit_id=unit_kind, deadline=work_hour:4"),
    }  # fmt: skip
    notes = [(n.zh, n.en) for n in report.notes]
    assert any("责任单位 6 件、责任人 4 件、截止时间 5 件" in zh for zh, _ in notes)
    assert any("6 responsible units, 4 persons, 5 deadlines" in en for _, en in notes)
    assert any("未计法定节假日" in zh and "public holidays" in en for zh, en in notes)


def test_what_the_file_states_is_kept(city: SqlStorage, tmp_path: Path) -> None:
    stated = (
        "案件编号,小类代码,上报时间,截止时间,责任单位编号,人员编号,经度,纬度\n"
        "K1,06010,2018-05-04 16:00,2018-05-09 12:00,U3,,117.605,26.205\n"
        "K2,06010,2018-05-04 16:00,,,P3,117.605,26.205\n"
    )
    take(city, tmp_path, "cases", stated)
    found = cases(city)
    first, second = found.loc["K1"], found.loc["K2"]
    assert (first["unit_id"], first["person_id"]) == ("U3", "P1")
    assert first["deadline"] == utc("2018-05-09 12:00")
    assert first["derived"] == "person_id=cell_leader:D1"
    assert (second["unit_id"], second["person_id"]) == ("U1", "P3")
    assert second["derived"] == "unit_id=unit_kind, deadline=work_hour:4"


def test_later_changes_of_duties_and_classes_change_no_filed_case(
    city: SqlStorage, tmp_path: Path
) -> None:
    take(city, tmp_path, "cases", HEAD + ROWS)
    before = cases(city)
    moved = DUTIES.replace("D1,P1", "D1,P3").replace("D2,P2", "D2,P3").replace("U3", "U2")
    take(city, tmp_path, "duties", moved, replace=True)
    take(city, tmp_path, "classes", CLASSES.replace("4,work", "40,work"), replace=True)
    assert cases(city)[FIELDS].equals(before[FIELDS])
    # Brought in again, the same rows keep what was filed.
    take(city, tmp_path, "cases", HEAD + ROWS, replace=True)
    assert cases(city)[FIELDS].equals(before[FIELDS])
    # A new case gets what holds now.
    take(city, tmp_path, "cases", HEAD + ROWS.splitlines()[0].replace("K1", "K9") + "\n")
    fresh = cases(city).loc["K9"]
    assert (fresh["person_id"], fresh["derived"].split(", ")[1]) == (
        "P3",
        "person_id=cell_leader:D1",
    )
    assert fresh["deadline"] == utc("2018-05-11 16:00")


def test_rows_brought_in_again_keep_stated_values_and_the_marks_of_derived_ones(
    city: SqlStorage, tmp_path: Path
) -> None:
    head = "案件编号,小类代码,上报时间,责任单位编号,人员编号,经度,纬度\n"
    take(city, tmp_path, "cases", head + "K1,06010,2018-05-04 16:00,U3,,117.605,26.205\n")
    # The derived person is repeated, the stated unit left out: neither changes.
    again = head + "K1,06010,2018-05-04 16:00,,P1,117.605,26.205\n"
    take(city, tmp_path, "cases", again, replace=True)
    row = cases(city).loc["K1"]
    assert (row["unit_id"], row["person_id"]) == ("U3", "P1")
    assert row["derived"] == "person_id=cell_leader:D1, deadline=work_hour:4"
    # Another person is stated: that one counts and is no longer derived.
    take(city, tmp_path, "cases", again.replace("P1", "P3"), replace=True)
    row = cases(city).loc["K1"]
    assert (row["person_id"], row["derived"]) == ("P3", "deadline=work_hour:4")


def test_a_corrected_class_or_place_derives_anew(city: SqlStorage, tmp_path: Path) -> None:
    take(city, tmp_path, "cases", HEAD + ROWS)
    corrected = HEAD + "K1,06011,2018-07-01 23:30,117.605,26.205\n"
    take(city, tmp_path, "cases", corrected, replace=True)
    found = cases(city)[FIELDS]
    first, like = found.loc[["K1"]], found.loc[["K3"]]
    assert first.reset_index(drop=True).equals(like.reset_index(drop=True))


def test_cases_are_served_as_filed(city: SqlStorage, tmp_path: Path) -> None:
    take(city, tmp_path, "cases", HEAD + ROWS)
    locators = LocatorCache(city, scheme_id="main")
    services = Services(Settings(), city, locators, clock=lambda: NOW)
    with TestClient(create_app(services=services), base_url="http://127.0.0.1") as client:
        one = client.get("/api/v1/cases/K3").json()["properties"]
        assert (one["unit_id"], one["person_id"]) == ("U3", "P2")
        assert pd.Timestamp(one["deadline"]) == utc("2018-07-02 01:30")
        rules = "unit_id=place_and_class:D4, person_id=cell_leader:D2, deadline=urgent_hour:2"
        assert one["derived"] == rules
        listed = client.get("/api/v1/cases").json()["features"]
        assert {f["id"]: f["properties"]["unit_id"] for f in listed} == {
            "K1": "U1", "K2": "U1", "K3": "U3", "K4": "U2", "K5": "U2", "K6": "U1",
        }  # fmt: skip
        assert {f["properties"]["derived"] for f in listed if f["id"] == "K3"} == {rules}


def test_duties_of_nobody_are_named_beside_the_gaps(city: SqlStorage, tmp_path: Path) -> None:
    rows = DUTIES.splitlines()[0] + "\nD9,NOPE,,cell_leader,cell,350404001001002,,2018-02-01,\n"
    take(city, tmp_path, "duties", rows, allow_unknown=True)
    locators = LocatorCache(city, scheme_id="main")
    services = Services(Settings(), city, locators, clock=lambda: NOW)
    with TestClient(create_app(services=services), base_url="http://127.0.0.1") as client:
        gaps = client.get("/api/v1/duties/gaps?role=cell_leader").json()
        assert "350404001001002" in {v["cell_code"] for v in gaps["vacancies"]}
        assert [u["person_id"] for u in gaps["unknown_holders"]] == ["NOPE"]
        url = "/api/v1/duties/responsible?cell=350404001001002"
        for language, words in (("zh", "不在人员表中"), ("en", "is not among the staff")):
            found = client.get(url, headers={"Accept-Language": language}).json()
            assert "NOPE" not in {p["person_id"] for p in found["persons"]}
            assert [u["duty_id"] for u in found["unknown_holders"]] == ["D9"]
            assert words in found["unknown_holders"][0]["reason"]
        located = client.get("/api/v1/locate?lon=117.615&lat=26.205").json()
        assert "cell_leader" not in located["persons"]
        assert located["unknown_holders"][0]["person_id"] == "NOPE"


def test_a_refused_file_changes_nothing(city: SqlStorage, tmp_path: Path) -> None:
    before = cases(city)
    with pytest.raises(RejectedRows):
        take(city, tmp_path, "cases", HEAD + ROWS + "K7,99999,2018-05-04,117.605,26.205\n")
    assert len(cases(city)) == len(before) == 0


def test_people_of_unknown_duties_get_no_case(city: SqlStorage, tmp_path: Path) -> None:
    rows = DUTIES.splitlines()[0] + "\nD9,NOPE,,cell_leader,cell,350404001001002,,2018-02-01,\n"
    take(city, tmp_path, "duties", rows, decisions={"NOPE": "keep"})
    take(city, tmp_path, "cases", HEAD + "K4,06012,2018-05-03 15:00,117.615,26.205\n")
    row = cases(city).loc["K4"]
    assert (row["person_id"], row["reported_at"]) == (
        "P3", pd.Timestamp(datetime(2018, 5, 3, 7, tzinfo=UTC)),
    )  # fmt: skip


def test_duties_are_read_once_for_cases_of_many_instants(
    city: SqlStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = pd.date_range("2018-02-01", "2018-03-01", freq="D")
    rows = [f"E{i},P1,,handler,cell,350404001001001,,{d:%Y-%m-%d}," for i, d in enumerate(days)]
    take(city, tmp_path, "duties", "\n".join([DUTIES.splitlines()[0], *rows]) + "\n")
    read: list[int] = []
    plain = book.duty_rows

    def counted(duties: pd.DataFrame) -> Iterable[book.Duty]:
        read.append(len(duties))
        return plain(duties)

    monkeypatch.setattr(book, "duty_rows", counted)
    monkeypatch.setattr(history, "duty_rows", counted)
    cases_of_days = [f"K{i},06010,{d:%Y-%m-%d} 12:00,117.605,26.205" for i, d in enumerate(days)]
    take(city, tmp_path, "cases", HEAD + "\n".join(cases_of_days) + "\n")
    assert read == [len(rows) + 4]
    assert set(cases(city)["person_id"]) == {"P1"}


@pytest.mark.parametrize("duty_id", ["D1, 东区", "D1, deadline=urgent_hour:0", "50%2C"])
def test_ids_of_duties_are_any_text(city: SqlStorage, tmp_path: Path, duty_id: str) -> None:
    head = DUTIES.splitlines()[0]
    row = f'"{duty_id}",P3,,cell_leader,cell,350404001001002,,2018-02-01,'
    take(city, tmp_path, "duties", f"{head}\n{row}\n")
    # The deadline is stated: no rule may be told for it, the first time or again.
    stated = (
        "案件编号,小类代码,上报时间,截止时间,经度,纬度\n"
        "K1,06010,2018-05-04 16:00,2018-05-09 12:00,117.615,26.205\n"
    )
    for again in (False, True):
        take(city, tmp_path, "cases", stated, replace=again)
        row_found = cases(city).loc["K1"]
        assert rules_of(row_found["derived"]) == {
            "unit_id": "unit_kind",
            "person_id": f"cell_leader:{duty_id}",
        }
        assert row_found["deadline"] == utc("2018-05-09 12:00")
