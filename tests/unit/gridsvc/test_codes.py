"""Cell codes and names used for matching."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsvc.codes import CellCode, normalize_name
from gridsvc.errors import InvalidCode


def test_live_sample_of_the_current_form() -> None:
    code = CellCode.parse("320582110152102")
    assert (code.county, code.subdistrict, code.community, code.sequence) == (
        "320582", "110", "152", "102",
    )  # fmt: skip
    assert code.community_code == "320582110152"
    assert code.subdistrict_code == "320582110"


def test_older_form_has_two_digits_of_sequence() -> None:
    assert CellCode.parse("32058211015210").sequence == "10"


@given(
    st.from_regex(r"[0-9]{14,15}", fullmatch=True).filter(str.isascii),
)
def test_parse_and_text_are_inverse(text: str) -> None:
    assert str(CellCode.parse(text)) == text


def test_full_width_digits_are_read() -> None:
    assert str(CellCode.parse("320582110152102 ")) == "320582110152102"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("320582110152", "sequence is missing"),
        ("3205821101521020", "16"),
        ("32058211015210A", "not all digits"),
        ("", "not all digits"),
    ],
)
def test_bad_codes_say_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidCode, match=reason):
        CellCode.parse(text)


def test_make_issues_codes_within_a_community() -> None:
    assert str(CellCode.make("350404001002", 7)) == "350404001002007"
    for sequence in (0, 1000):
        with pytest.raises(InvalidCode):
            CellCode.make("350404001002", sequence)
    with pytest.raises(InvalidCode):
        CellCode.make("35040400100", 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [("臺南市", "台南市"), ("北 區", "北區"), ("塩行里", "鹽行里"), ("ABC12", "ABC12")],
)
def test_names_that_mean_the_same_match(left: str, right: str) -> None:
    assert normalize_name(left) == normalize_name(right)


@given(st.text(max_size=40))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize_name(text)
    assert normalize_name(once) == once
