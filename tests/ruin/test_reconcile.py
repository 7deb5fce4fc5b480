"""A night over 10,000 records: one message in a thousand lost, one field in two thousand damaged, all of it mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.apart import Apart
from tests.journeys.test_reconcile import night

pytestmark = pytest.mark.ruin


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    made = Apart(tmp_path, 5_000)
    made.start()
    yield made
    made.close()


def test_a_night_over_ten_thousand_records(apart: Apart) -> None:
    night(apart, dropped=10, damaged=5)
