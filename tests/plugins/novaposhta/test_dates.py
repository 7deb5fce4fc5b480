"""Every spelling of a date the vendor was seen to use."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.novaposhta import dates

INSTANTS = [
    ("06-04-2023 12:47:40", "2023-04-06T09:47:40+00:00"),
    ("2023-04-06 22:00:00", "2023-04-06T19:00:00+00:00"),
    ("15:36 07.04.2023", "2023-04-07T12:36:00+00:00"),
    ("07.04.2023 13:35:58", "2023-04-07T10:35:58+00:00"),
    ("07.04.2023 13:35", "2023-04-07T10:35:00+00:00"),
    ("01.01.2019", "2018-12-31T22:00:00+00:00"),
    ("12/10/15 10:33", "2015-10-12T07:33:00+00:00"),
    ("2019.01.02 12:13:14", "2019-01-02T10:13:14+00:00"),
    ("2023-04-14", "2023-04-13T21:00:00+00:00"),
    ("2021-03-20T13:45:19+00:00", "2021-03-20T13:45:19+00:00"),
    ("2026-05-04 00:00:00.000000", "2026-05-03T21:00:00+00:00"),
]


@pytest.mark.parametrize(("text", "utc"), INSTANTS)
def test_instant(text: str, utc: str) -> None:
    assert dates.instant_text(text) == utc


@pytest.mark.parametrize(
    "text", ["", None, "0001-01-01 00:00:00", "0000-00-00 00:00:00", "31.02.2023", "soon", "20230406", 7, []]
)
def test_no_date(text: object) -> None:
    assert dates.instant(text) is None
    assert dates.day_text(text) is None


def test_day_is_kyivs() -> None:
    assert dates.day_text("2021-03-20T23:45:19+00:00") == "2021-03-21"
    assert dates.day_text("06-04-2023 23:59:59") == "2023-04-06"
    assert dates.today(dt.datetime(2026, 5, 4, 22, 30, tzinfo=dt.UTC)) == dt.date(2026, 5, 5)
    assert dates.to_vendor(dt.date(2026, 5, 4)) == "04.05.2026"


@given(st.text(alphabet="0123456789-.: /TZ+", max_size=30))
def test_never_raises(text: str) -> None:
    found = dates.instant(text)
    assert found is None or found.tzinfo is dt.UTC
