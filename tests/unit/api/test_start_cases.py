"""Cases of the start page that missed their deadline."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from api.maps.start import overdue

NOW = datetime(2026, 5, 6, 8, tzinfo=UTC)


def test_open_past_the_deadline_and_closed_after_it_are_overdue() -> None:
    rows = [
        ("2026-05-06T07:00Z", None, True),
        ("2026-05-06T09:00Z", None, False),
        ("2026-05-06T08:00Z", None, False),
        ("2026-05-05T08:00Z", "2026-05-05T08:01Z", True),
        ("2026-05-05T08:00Z", "2026-05-05T08:00Z", False),
        (None, None, False),
        (None, "2026-05-05T08:00Z", False),
    ]
    cases = pd.DataFrame(
        {
            "deadline": pd.to_datetime(pd.Series([r[0] for r in rows]), utc=True),
            "closed_at": pd.to_datetime(pd.Series([r[1] for r in rows]), utc=True),
        }
    )
    assert overdue(cases, NOW) == [r[2] for r in rows]
    assert overdue(pd.DataFrame(), NOW) == []
