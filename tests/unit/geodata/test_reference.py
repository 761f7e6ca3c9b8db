"""Reference catalogues: counts of the source documents, and references that resolve."""

from __future__ import annotations

from geodata import reference
from gridsvc.layers import CLASSES


def test_catalogue_has_the_figures_of_the_source_document() -> None:
    classes = reference.issue_classes()
    assert len(classes) == 217
    assert classes["major_code"].nunique() == 13
    assert len(reference.major_classes()) == 13
    assert list(classes.columns) == CLASSES.column_names
    assert classes.index.is_unique
    assert classes["name"].is_unique


def test_class_codes_begin_with_their_major_code() -> None:
    classes = reference.issue_classes()
    assert (classes.index.str[:2] == classes["major_code"]).all()
    assert classes.index.str.fullmatch(r"\d{5}").all()


def test_every_class_names_a_known_kind_of_unit_and_clock() -> None:
    classes = reference.issue_classes()
    kinds = {k.key for k in reference.unit_kinds()}
    assert set(classes["unit_kind"]) <= kinds
    assert set(classes["clock"]) == {"work_hour", "workday", "urgent_hour"}
    assert (classes["deadline_hours"] > 0).all()


def test_standard_codes_map_known_classes() -> None:
    classes = reference.issue_classes()
    codes = reference.standard_codes()
    by_name = {str(row["name"]): str(code) for code, row in classes.iterrows()}
    assert codes[by_name["暴露垃圾"]] == "matter:06010"
    assert codes[by_name["机动车乱停放"]] == "matter:09009"
    assert by_name["楼道堆物"] not in codes
    assert len(set(codes.values())) == len(codes)


def test_point_categories_are_eighteen_with_both_names() -> None:
    categories = reference.point_categories()
    assert len(categories) == 18
    assert {c.visit_window for c in categories} == {"day", "both"}
    assert all(c.zh and c.en and c.visits_per_week > 0 for c in categories)


def test_staff_come_from_eight_sources_with_known_roles() -> None:
    roles = {r.key for r in reference.roles()}
    kinds = {k.key for k in reference.unit_kinds()}
    sources = reference.staff_sources()
    assert len(sources) == 8
    assert {s.role for s in sources} <= roles
    assert {s.unit_kind for s in sources} <= kinds


def test_terms_are_unique_and_bilingual() -> None:
    for terms in (reference.roles(), reference.unit_kinds(), reference.intake_channels()):
        keys = [t.key for t in terms]
        assert len(set(keys)) == len(keys)
        assert all(t.zh and t.en for t in terms)
