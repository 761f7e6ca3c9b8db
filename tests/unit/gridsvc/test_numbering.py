"""Issue of codes: order, retirement, limits."""

from __future__ import annotations

import geopandas as gpd
import pytest

from gridsvc.errors import InputError, InvalidCode
from gridsvc.plan import number_cells
from tests.unit.gridsvc.quality_data import frame, square

COMMUNITY = "350404001002"


def block(rows: int, columns: int) -> gpd.GeoDataFrame:
    """Squares named by row from the north and column from the west."""
    shapes = {
        f"r{r}c{c}": square(100 * c, -100 * r)
        for c in range(columns)
        for r in reversed(range(rows))
    }
    return frame(shapes, community_code=[COMMUNITY] * len(shapes))


def test_first_numbers_run_west_to_east_in_rows_from_north_to_south() -> None:
    numbered = number_cells(block(2, 3))
    assert list(numbered["source_code"]) == ["r0c0", "r0c1", "r0c2", "r1c0", "r1c1", "r1c2"]
    assert list(numbered.index) == [f"{COMMUNITY}{n:03d}" for n in range(1, 7)]


def test_row_order_of_the_input_does_not_matter() -> None:
    cells = block(3, 3)
    one, two = number_cells(cells), number_cells(cells.iloc[::-1])
    assert one["source_code"].to_dict() == two["source_code"].to_dict()


def test_untouched_cells_keep_their_codes_and_retired_ones_stay_retired() -> None:
    numbered = number_cells(block(1, 3)).drop(columns="source_code")
    second = f"{COMMUNITY}002"
    edited = numbered.rename(index={second: "new"})
    again = number_cells(edited, retired=[second, f"{COMMUNITY}007", "not a code"])
    assert again["source_code"].to_dict() == {
        f"{COMMUNITY}001": f"{COMMUNITY}001",
        f"{COMMUNITY}003": f"{COMMUNITY}003",
        f"{COMMUNITY}008": "new",
    }
    renewed = number_cells(numbered, keep=False)
    assert list(renewed.index) == list(numbered.index)


def test_a_cell_that_moved_to_another_community_gets_a_new_code() -> None:
    numbered = number_cells(block(1, 2)).drop(columns="source_code")
    numbered.loc[f"{COMMUNITY}002", "community_code"] = "350404001003"
    again = number_cells(numbered)
    assert list(again.index) == [f"{COMMUNITY}001", "350404001003001"]


def test_no_more_than_999_and_no_short_parents() -> None:
    with pytest.raises(InvalidCode, match="999"):
        number_cells(block(1, 1), retired=[f"{COMMUNITY}999"])
    with pytest.raises(InvalidCode, match="12 digits"):
        number_cells(block(1, 1).assign(community_code="3504"))
    with pytest.raises(InputError, match="no community code"):
        number_cells(block(1, 1).assign(community_code=None))
