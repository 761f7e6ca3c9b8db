"""What imported records name has to be there: each fault with row, field, value and way out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from api.importing_choices import ImportChoices
from api.settings import Settings
from api.surfaces import cli, http, page
from gridsvc.errors import RejectedRows
from gridsvc.services import planning
from gridsvc.services.answers import AnswerDesk
from gridsvc.services.coverage import plan_coverage
from gridsvc.services.importing import import_layer
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportReport
from gridsvc.services.responsibility import ResponsibilityService
from tests.integration.importing import FIRST_DAY, NOW, contents, database, published, squares

CELL = "350404001001001"
PLACE = (117.605, 26.205)
UNITS = (
    "单位编号,单位名称,单位类型,区域编码\n"
    "U1,环卫中心,sanitation,\nU2,列东街道办事处,subdistrict,350404001\n"
)
STAFF = (
    "人员编号,姓名,角色,人员来源,所属单位编号\nP1,张三,网格长,社区,U2\nP2,李四,cell_officer,,U2\n"
)
CLASSES = (
    "小类代码,目录,部件事件,大类代码,大类名称,小类名称,责任单位类型,处置时限,计时方式\n"
    "06010,2018,matter,06,市容环境,暴露垃圾,sanitation,4,work_hour\n"
    "06011,2018,matter,06,市容环境,积存渣土,,2,紧急工作时\n"
)
DUTIES = "责任编号,人员编号,责任单位编号,角色,对象类型,对象编码,类别代码,生效时间,失效时间\n"
POINTS = "点位编号,点位名称,类别,经度,纬度\nT1,东门市场,集贸市场,117.605,26.205\n"
STREETS = gpd.GeoDataFrame(
    {"编号": ["s1"], "名称": ["列东街"]},
    geometry=gpd.GeoSeries.from_wkt(["LINESTRING (117.6 26.2, 117.61 26.21)"]),
    crs=4490,
)


def take(storage: Storage, path: Path, as_layer: str, **choices: Any) -> ImportReport:
    """Import as the command and the upload do."""
    settings = Settings()
    made = ImportChoices(**{"datum": "wgs84", **choices})
    raw = made.open(path, settings)
    return import_layer(storage, raw, as_layer, made.options(settings), clock=lambda: NOW)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def put(text: str) -> Path:
        path = tmp_path / "rows.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return put


@pytest.fixture
def city(tmp_path: Path, write: Callable[[str], Path]) -> Storage:
    """Four cells in force, two units, two persons, two classes, a point and a street."""
    storage = database(tmp_path)
    published(storage, tmp_path)
    for layer, text in (
        ("units", UNITS), ("staff", STAFF), ("classes", CLASSES), ("points", POINTS),
    ):  # fmt: skip
        take(storage, write(text), layer)
    STREETS.to_file(tmp_path / "streets.gpkg")
    take(storage, tmp_path / "streets.gpkg", "streets", datum="")
    return storage


def refusal(storage: Storage, path: Path, as_layer: str, **choices: Any) -> RejectedRows:
    """Expect a refusal that keeps nothing and reads in both languages on every surface."""
    before = contents(storage)
    with pytest.raises(RejectedRows) as caught:
        take(storage, path, as_layer, **choices)
    assert contents(storage) == before
    for language in ("zh", "en"):
        for fault in caught.value.faults:
            for speak in (cli, http, page):
                assert "{way" not in fault.text(language, speak)
    return caught.value


def told(error: RejectedRows) -> list[tuple[int | None, str | None, str]]:
    return [(f.sheet_row or f.row, f.field, f.value) for f in error.faults]


GOOD = "D1,P1,,cell_leader,cell,350404001001001,,2018-02-01,,\n"

BAD_DUTIES = [
    # row, field, value, words of the Chinese text, words of the English text
    (
        "D1,NOPE,,cell_leader,cell,350404001001001,,2018-02-01,",
        "人员编号", "NOPE", ("没有这个人员", "--as staff", "--decide NOPE=keep", "不计为任职"),
        ("no such person", "--as staff", "--decide NOPE=keep", "nobody holds the role"),
    ),
    (
        "D1,P11,,cell_leader,cell,350404001001001,,2018-02-01,",
        "人员编号", "P11", ("相近的:P1 张三",), ("near ones: P1 张三",),
    ),
    (
        "D1,,U9,handler,class,06010,06010,2018-02-01,",
        "责任单位编号", "U9", ("没有这个责任单位", "U1 环卫中心"), ("no such unit", "U1 环卫中心"),
    ),
    (
        "D1,P1,,emperor,cell,350404001001001,,2018-02-01,",
        "角色", "emperor", ("未知的角色", "--allow-unknown"), ("unknown role", "--allow-unknown"),
    ),
    (
        "D1,P1,,cell_leader,planet,350404001001001,,2018-02-01,",
        "对象类型", "planet", ("未知的责任对象类型", "point 点位"),
        ("unknown kind of target", "point 点位"),
    ),
    (
        "D1,P1,,cell_leader,cell,350404001001009,,2018-02-01,",
        "对象编码", "350404001001009", ("没有这个网格", "350404001001004 第4网格"),
        ("no such cell", "350404001001004 第4网格"),
    ),
    (
        "D1,P1,,first_responsible,community,350404001009,,2018-02-01,",
        "对象编码", "350404001009", ("没有这个社区", "350404001001"),
        ("no such community", "350404001001"),
    ),
    (
        "D1,P1,,first_responsible,subdistrict,350404009,,2018-02-01,",
        "对象编码", "350404009", ("没有这个街道", "350404001"),
        ("no such subdistrict", "350404001"),
    ),
    (
        "D1,P1,,sponsor_leader,point,T11,,2018-02-01,",
        "对象编码", "T11", ("没有这个测评点位", "T1 东门市场"),
        ("no such evaluation point", "T1 东门市场"),
    ),
    (
        "D1,P1,,road_chief,road,列东大街,,2018-02-01,",
        "对象编码", "列东大街", ("没有这个道路", "列东街"), ("no such road", "列东街"),
    ),
    (
        "D1,P1,,river_chief,river,river-9,,2018-02-01,",
        "对象编码", "river-9", ("没有这个河流", "--as exclusions"),
        ("no such river", "--as exclusions"),
    ),
    (
        "D1,,U1,handler,class,99999,,2018-02-01,",
        "对象编码", "99999", ("没有这个问题类别",), ("no such issue class",),
    ),
    (
        "D1,,U1,handler,class,06010,09999,2018-02-01,",
        "类别代码", "09999", ("没有这个问题类别",), ("no such issue class",),
    ),
    (
        "D1,P1,,cell_leader,cell,350404001001001,,2018-02-01,2018-01-31",
        "失效时间", "2018-01-30T16:00:00+00:00", ("不晚于 生效时间",), ("not after 生效时间",),
    ),
    (
        "D1,P1,,cell_leader,cell,350404001001001,,2018-02-01,2018-02-01",
        "失效时间", "2018-01-31T16:00:00+00:00", ("不晚于 生效时间",), ("not after 生效时间",),
    ),
    (
        "D1,,,cell_leader,cell,350404001001001,,2018-02-01,",
        "人员编号", "", ("没有写明人员或单位",), ("neither a person nor a unit",),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "field", "value", "zh", "en"), BAD_DUTIES, ids=[f"{r[1]}-{r[2]}" for r in BAD_DUTIES]
)
def test_each_fault_of_a_duty(
    city: Storage, write: Callable[[str], Path], row: str, field: str, value: str,
    zh: tuple[str, ...], en: tuple[str, ...],
) -> None:  # fmt: skip
    error = refusal(city, write(DUTIES + "D0,P1,,cell_leader,cell," + CELL + ",,2018-02-01,\n"
                                + row + "\n"), "duties")  # fmt: skip
    assert told(error) == [(3, field, value)]
    fault = error.faults[0]
    for word in zh:
        assert word in fault.text("zh", cli), fault.text("zh", cli)
    for word in en:
        assert word in fault.text("en", cli), fault.text("en", cli)


def test_duties_that_hold_are_imported_by_names_of_roles_kinds_and_classes(
    city: Storage, write: Callable[[str], Path]
) -> None:
    rows = (
        "D1,P1,,网格长,网格,350404001001001,,2018-02-01,2019-02-01\n"
        "D2,,U2,first_responsible,社区,350404001001,,2018-02-01,\n"
        "D3,,U1,handler,类别,06,暴露垃圾,2018-02-01,\n"
        "D4,P2,,sponsor_leader,点位,T1,,2018-02-01,\n"
        "D5,P2,,路长,road,列东街,,2018-02-01,\n"
    )
    assert take(city, write(DUTIES + rows), "duties").imported == 5
    with city.unit_of_work() as work:
        duties = work.records("duties").frame()
    assert duties["role"].tolist() == [
        "cell_leader", "first_responsible", "handler", "sponsor_leader", "road_chief",
    ]  # fmt: skip
    assert duties["target_kind"].tolist() == ["cell", "community", "class", "point", "road"]
    assert duties.loc["D3", "class_code"] == "06010"


def test_a_cell_has_to_be_in_force_when_the_duty_begins(
    city: Storage, tmp_path: Path, write: Callable[[str], Path]
) -> None:
    later = datetime(2019, 1, 1, tzinfo=UTC)
    boxes = squares().geometry
    west, south, east, north = boxes[3].bounds
    middle = (south + north) / 2
    shapes = [
        boxes[0].union(boxes[1]), boxes[2],
        shapely.box(west, middle, east, north), shapely.box(west, south, east, middle),
    ]  # fmt: skip
    codes = [f"350404001001{i:03d}" for i in (1, 3, 4, 5)]
    frame = gpd.GeoDataFrame({"网格编码": codes}, geometry=shapes, crs=4490)
    frame.to_file(tmp_path / "next.gpkg")
    report = take(city, tmp_path / "next.gpkg", "cells", datum="")
    assert report.plan_id is not None
    planning.publish(city, report.plan_id, later, NOW)
    fresh, gone = "350404001001005", "350404001001002"
    error = refusal(
        city,
        write(
            DUTIES
            + f"D1,P1,,cell_leader,cell,{fresh},,2018-02-01,\n"
            + f"D2,P1,,cell_leader,cell,{gone},,2019-02-01,\n"
            + f"D3,P1,,cell_leader,cell,{fresh},,2019-02-01,\n"
            + f"D4,P1,,cell_leader,cell,{gone},,2018-02-01,\n"
            + f"D5,P1,,cell_leader,cell,{gone},,2010-02-01,\n"
        ),
        "duties",
    )
    # Before there was any plan the first one counts.
    assert told(error) == [(2, "对象编码", fresh), (3, "对象编码", gone)]
    assert f"{report.plan_id}(2019-01-01T00:00Z" in error.faults[0].text("zh", cli)
    assert "not in force when the duty begins" in error.faults[0].text("en", cli)
    assert "2018-01-01T00:00Z to 2019-01-01T00:00Z" in error.faults[1].text("en", cli)


def test_a_draft_is_no_place_for_duties(tmp_path: Path, write: Callable[[str], Path]) -> None:
    storage = database(tmp_path)
    squares().to_file(tmp_path / "plan.gpkg")
    take(storage, tmp_path / "plan.gpkg", "cells", datum="")
    take(storage, write(UNITS), "units")
    take(storage, write(STAFF), "staff")
    error = refusal(storage, write(DUTIES + GOOD), "duties")
    assert told(error) == [(2, "对象编码", CELL)]
    assert "请先导入并发布网格(--as cells)" in error.text("zh", cli)
    assert "import and publish it first (--as cells)" in error.text("en", cli)


def test_persons_kept_by_decision_hold_no_role(city: Storage, write: Callable[[str], Path]) -> None:
    later = "350404001001099"
    rows = (
        f"D1,NOPE,,cell_leader,cell,{CELL},,2018-02-01,\n"
        "D2,P1,,cell_leader,cell,350404001001002,,2018-02-01,\n"
        "D3,,U9,handler,class,06010,06010,2018-02-01,\n"
        f"D4,P1,,cell_officer,cell,{later},,2018-02-01,\n"
    )
    error = refusal(city, write(DUTIES + rows), "duties", decisions={"NOPE": "keep"})
    assert [v for _, _, v in told(error)] == ["U9", later]
    keep = {"NOPE": "keep", "U9": "keep", later: "keep"}
    report = take(city, write(DUTIES + rows), "duties", decisions=keep)
    assert report.imported == 4
    notes = "\n".join(n.zh for n in report.notes), "\n".join(n.en for n in report.notes)
    assert "NOPE" in notes[0] and "不计为任职" in notes[0] and later in notes[0]
    assert "U9" in notes[1] and "nobody holds the role" in notes[1]

    locators = LocatorCache(city, scheme_id="main")
    answer = AnswerDesk(city, locators).answer(*PLACE, NOW, category="06010")
    assert "cell_leader" not in answer["persons"]
    assert [(u["role"], u["person_id"], u["duty_id"]) for u in answer["unknown_holders"]] == [
        ("cell_leader", "NOPE", "D1")
    ]
    assert "NOPE 不在人员表中" in answer["unknown_holders"][0]["reason_zh"]
    assert "NOPE is not among the staff" in answer["unknown_holders"][0]["reason_en"]
    # U9 is nobody to send a case to: the department of the class answers.
    assert answer["responsible_unit"]["unit_id"] == "U1"
    service = ResponsibilityService(city)
    assert set(service.duties().index) == {"D2", "D4"}
    assert set(service.unknown_duties().index) == {"D1", "D3"}

    with city.unit_of_work() as work:
        plan = work.plans.list()[0]
    found = plan_coverage(city, locators, plan, as_of=NOW)
    vacant = found.vacant_cells.set_index("cell_code")["unknown_holder"]
    assert list(vacant.index) == [CELL, "350404001001003", "350404001001004"]
    assert vacant[CELL] == "NOPE" and vacant.drop(CELL).isna().all()
    assert found.summary["duties"]["unknown_holders"] == 2
    assert found.cells.loc[CELL, "staff"] == 0

    # Once the person is there, the duty that was kept is held.
    take(city, write("人员编号,姓名,角色\nNOPE,王五,cell_leader\n"), "staff")
    answer = AnswerDesk(city, locators).answer(*PLACE, NOW)
    assert [p["name"] for p in answer["persons"]["cell_leader"]] == ["王五"]
    assert answer["unknown_holders"] == []
    found = plan_coverage(city, locators, plan, as_of=NOW)
    assert CELL not in set(found.vacant_cells["cell_code"])


def test_an_unknown_leader_does_not_hide_the_one_of_the_community(
    city: Storage, write: Callable[[str], Path]
) -> None:
    rows = (
        f"D1,NOPE,,cell_leader,cell,{CELL},,2018-02-01,\n"
        "D2,P1,,cell_leader,community,350404001001,,2018-02-01,\n"
    )
    take(city, write(DUTIES + rows), "duties", allow_unknown=True)
    answer = AnswerDesk(city, LocatorCache(city, scheme_id="main")).answer(*PLACE, NOW)
    assert [p["person_id"] for p in answer["persons"]["cell_leader"]] == ["P1"]


def test_staff_roles_and_sources_come_from_their_lists(
    city: Storage, write: Callable[[str], Path]
) -> None:
    rows = "人员编号,姓名,角色,人员来源,所属单位编号\nS1,林,emperor,mars,U2\nS2,高,网格员,环卫,U7\n"
    error = refusal(city, write(rows), "staff")
    assert told(error) == [
        (2, "角色", "emperor"), (2, "人员来源", "mars"), (3, "所属单位编号", "U7"),
    ]  # fmt: skip
    assert "未知的人员来源" in error.text("zh", cli)
    assert "unknown source of staff" in error.text("en", cli)
    take(city, write(rows), "staff", allow_unknown=True)
    with city.unit_of_work() as work:
        staff = work.records("staff").frame()
    assert (staff.loc["S1", "role"], staff.loc["S1", "source"]) == ("emperor", "mars")
    assert (staff.loc["S2", "role"], staff.loc["S2", "source"]) == ("cell_officer", "sanitation")
    assert (staff.loc["P1", "role"], staff.loc["P1", "source"]) == ("cell_leader", "community")


def test_units_have_parents_that_exist_and_no_circle(
    city: Storage, write: Callable[[str], Path]
) -> None:
    head = "单位编号,单位名称,单位类型,上级单位编号\n"
    rows = (
        "A,甲,team,NOPE\nB,乙,team,C\nC,丙,team,D\nD,丁,team,B\nE,戊,team,E\nF,己,team,D\n"
        "G,庚,team,U1\nH,辛,team,G\n"
    )
    error = refusal(city, write(head + rows), "units")
    assert told(error) == [
        (2, "上级单位编号", "NOPE"), (3, "上级单位编号", "C"), (4, "上级单位编号", "D"),
        (5, "上级单位编号", "B"), (6, "上级单位编号", "E"),
    ]  # fmt: skip
    assert "成环:B → C → D → B" in error.faults[1].text("zh", cli)
    assert "in a circle: E → E" in error.faults[4].text("en", cli)
    good = head + "G,庚,team,环卫中心\nH,辛,team,G\n"
    take(city, write(good), "units")
    with city.unit_of_work() as work:
        parents = work.records("units").frame()["parent_id"]
    assert (parents["G"], parents["H"]) == ("U1", "G")
    # A circle that closes through what is stored is one as well.
    error = refusal(city, write(head + "U1,环卫中心,sanitation,H\n"), "units", replace=True)
    assert "U1 → H → G → U1" in error.faults[0].text("zh", cli)


def test_a_kind_of_unit_outside_the_list_is_told(
    city: Storage, write: Callable[[str], Path]
) -> None:
    rows = "单位编号,单位名称,单位类型\nX,月球办,moon\nY,所,环境卫生中心\n"
    report = take(city, write(rows), "units")
    assert any("moon" in n.zh for n in report.notes) and any("moon" in n.en for n in report.notes)
    with city.unit_of_work() as work:
        assert work.records("units").get("Y")["kind"] == "sanitation"


CASES = "案件编号,小类代码,上报时间,截止时间,结案时间,责任单位编号,人员编号,经度,纬度\n"


def test_cases_name_persons_and_units_that_exist_and_close_after_they_were_reported(
    city: Storage, write: Callable[[str], Path]
) -> None:
    place = "117.605,26.205\n"
    error = refusal(
        city,
        write(
            CASES
            + "1,06010,2018-05-01 08:00,,,NOPE,P1," + place
            + "2,06010,2018-05-01 08:00,,,U1,NOPE," + place
            + "3,06010,2018-05-01 08:00,,2001-01-01,U1,P1," + place
            + "4,06010,2018-05-01 08:00,2018-04-01,,U1,P1," + place
            + "5,06010,2099-05-01 08:00,,,U1,P1," + place
            + "6,06010,2018-05-01 08:00,,2018-05-01,U1,P1," + place
            + "7,06010,2018-05-01 08:00:30,,2018-05-01 08:00:05,U1,P1," + place
        ),
        "cases",
    )  # fmt: skip
    assert [(r, f) for r, f, _ in told(error)] == [
        (2, "责任单位编号"), (3, "人员编号"), (4, "结案时间"), (5, "截止时间"), (6, "上报时间"),
    ]  # fmt: skip
    assert "早于 上报时间" in error.faults[2].text("zh", cli)
    assert "is before 上报时间" in error.faults[2].text("en", cli)
    assert "在将来" in error.faults[4].text("zh", cli)
    assert "has not come yet" in error.faults[4].text("en", cli)
    assert "--at" in error.faults[4].text("en", cli)


def test_steps_within_a_minute_and_plain_days_are_kept(
    city: Storage, write: Callable[[str], Path]
) -> None:
    rows = (
        "1,06010,2018-05-01 08:00:30,,2018-05-01 08:00:05,U1,P1,117.605,26.205\n"
        "2,06010,2018-05-01 08:00,,2018-05-01,U1,P1,117.605,26.205\n"
    )
    report = take(city, write(CASES + rows), "cases")
    assert report.imported == 2
    assert any("60 秒" in n.zh for n in report.notes)
    assert any("60 seconds" in n.en for n in report.notes)


def test_visits_are_over_of_known_points_and_pass_no_more_than_was_observed(
    city: Storage, write: Callable[[str], Path]
) -> None:
    head = "检查编号,点位编号,人员编号,检查时间,时段,合格项,检查项\n"
    rows = (
        "W1,NOPE,P1,2018-05-01 08:00,day,11,12\nW2,T1,P1,2099-01-01,day,11,12\n"
        "W3,T1,P1,2018-05-01 08:00,day,99,17\nW4,T1,P9,2018-05-01 08:00,dawn,1,2\n"
        "W5,T1,P1,2018-05-01 08:00,夜间,-1,2\n"
    )
    error = refusal(city, write(head + rows), "visits")
    assert told(error) == [
        (2, "点位编号", "NOPE"), (3, "检查时间", "2098-12-31T16:00:00+00:00"),
        (4, "合格项", "99"), (5, "人员编号", "P9"), (5, "时段", "dawn"), (6, "合格项", "-1"),
    ]  # fmt: skip
    assert "比 检查项(17)还多" in error.text("zh", cli)
    assert "is more than 检查项 (17)" in error.text("en", cli)
    good = head + "W1,T1,P1,2018-05-01 08:00,夜间,11,12\n"
    take(city, write(good), "visits")
    with city.unit_of_work() as work:
        assert work.records("visits").get("W1")["window"] == "night"
    # A machine whose clock is behind is told the present.
    ahead = write(head + "W9,T1,P1,2018-12-01 08:00,day,11,12\n")
    refusal(city, ahead, "visits")
    assert take(city, ahead, "visits", at=NOW + timedelta(days=30)).imported == 1


def test_points_name_known_units_and_windows(city: Storage, write: Callable[[str], Path]) -> None:
    head = "点位编号,点位名称,类别,责任单位编号,检查时段,每周次数,经度,纬度\n"
    rows = "T2,南门,集贸市场,U9,day,1,117.605,26.205\nT3,北门,集贸市场,U1,dawn,-2,117.605,26.205\n"
    error = refusal(city, write(head + rows), "points")
    assert told(error) == [
        (2, "责任单位编号", "U9"), (3, "检查时段", "dawn"), (3, "每周次数", "-2"),
    ]  # fmt: skip
    assert "U1 环卫中心" in error.faults[0].text("zh", cli)


def test_classes_have_a_clock_that_is_known(city: Storage, write: Callable[[str], Path]) -> None:
    rows = CLASSES.splitlines()[0] + "\n06012,2018,matter,06,市容,道路不洁,,-4,moon_hour\n"
    error = refusal(city, write(rows), "classes")
    assert told(error) == [(2, "计时方式", "moon_hour"), (2, "处置时限", "-4")]
    with city.unit_of_work() as work:
        assert work.records("classes").get("06011")["clock"] == "urgent_hour"


def test_without_staff_ids_of_persons_are_told_to_be_unchecked(
    tmp_path: Path, write: Callable[[str], Path]
) -> None:
    storage = database(tmp_path)
    published(storage, tmp_path)
    rows = CASES + "1,06010,2018-05-01 08:00,,,,P1,117.605,26.205\n"
    report = take(storage, write(rows), "cases")
    assert any("人员编号未核对" in n.zh for n in report.notes)
    # Duties would fill a vacancy with nobody: they are refused.
    error = refusal(storage, write(DUTIES + GOOD), "duties")
    assert told(error) == [(2, "人员编号", "P1")]
    assert FIRST_DAY < NOW


def test_one_column_serves_one_field(tmp_path: Path) -> None:
    storage = database(tmp_path)
    frame = squares().rename(columns={"网格编码": "code", "网格名称": "name"})
    frame["code"] = frame["code"].str[:9] + frame["code"].str[12:]
    frame.to_file(tmp_path / "areas.gpkg")
    error = refusal(
        storage, tmp_path / "areas.gpkg", "cells", datum="", mapping={"community_code": "code"}
    )
    assert told(error) == [(None, "code", "code")]
    for language, words in (
        ("zh", ("已用于 community_code", "一列不能同时用于两个字段")),
        ("en", ("serves community_code already", "cannot serve two fields")),
    ):
        for word in (*words, "--as communities", "--map community_code=code"):
            assert word in error.faults[0].text(language, cli)
    assert take(storage, tmp_path / "areas.gpkg", "communities", datum="").imported == 4


@pytest.mark.parametrize("strict_units", [False, True])
def test_a_name_of_several_units_asks_for_the_id(
    city: Storage, write: Callable[[str], Path], strict_units: bool
) -> None:
    take(city, write("单位编号,单位名称,单位类型\nU7,环卫中心,sanitation\n"), "units")
    head = "点位编号,点位名称,类别,责任单位,经度,纬度\n"
    row = "T7,西门市场,集贸市场,{},117.605,26.205\n"
    rows = head + row.format("列东街道办事处") + row.format("环卫中心").replace("T7", "T8")
    error = refusal(city, write(rows), "points", strict_units=strict_units)
    assert told(error) == [(3, "责任单位", "环卫中心")]
    fault = error.faults[0]
    assert "请改写单位编号:U1、U7" in fault.text("zh", cli)
    assert "give the id of the unit instead: U1, U7" in fault.text("en", cli)
    # With the id of one of them the row is taken.
    take(city, write(head + row.format("U7")), "points", strict_units=strict_units)
    with city.unit_of_work() as work:
        assert work.records("points").frame().at["T7", "unit_id"] == "U7"


@pytest.mark.parametrize("allow_unknown", [False, True])
@pytest.mark.parametrize("kind", ["field", "田块"])
def test_a_duty_for_a_field_is_refused_because_it_would_reach_no_place(
    city: Storage, write: Callable[[str], Path], kind: str, allow_unknown: bool
) -> None:
    rows = f"D1,P1,,cell_leader,cell,{CELL},,2018-02-01,\nD2,P2,,handler,{kind},f1,,2018-02-01,\n"
    error = refusal(city, write(DUTIES + rows), "duties", allow_unknown=allow_unknown)
    assert told(error) == [(3, "对象类型", "field")]
    assert "落不到任何地方" in error.faults[0].text("zh", cli)
    assert "bind it to the cell or community" in error.faults[0].text("en", cli)
