"""The hub of the storms, and what is true after each of them: nothing lost, nothing doubled, nothing out of order."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from tests.ruin.vendor import Vendor

#: forms become leads at one vendor
YAML = """
connections:
  site: {{plugin: stand}}
  crm: {{plugin: stand, url: "{url}", settle: "1"}}
routes:
  - name: a form becomes a lead
    on: site.form.submitted
    do: crm.lead.create
    set: {{NUMBER: form.id, SUBJECT: form.fields.subject}}
"""


def sizes(small: Any, full: Any) -> pytest.MarkDecorator:
    """Run a storm small with every test run, and full with `make ruin`."""
    return pytest.mark.parametrize(
        "size", [pytest.param(small, id="small"), pytest.param(full, id="full", marks=pytest.mark.ruin)]
    )


def doubles(creates: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return NUMBER -> how often it was created, of those created more than once."""
    counts = Counter(one["NUMBER"] for one in creates)
    return {number: times for number, times in counts.items() if times > 1}


def order_breaks(creates: Sequence[dict[str, Any]]) -> int:
    """Return how often a later message of a subject reached the vendor before an earlier one."""
    by_subject: dict[str, list[int]] = defaultdict(list)
    for one in creates:
        by_subject[one["SUBJECT"]].append(int(one["NUMBER"]))
    return sum(a > b for numbers in by_subject.values() for a, b in itertools.pairwise(numbers))


def settled(vendor: Vendor, accepted: set[str]) -> dict[str, int]:
    """Assert that every accepted message took effect exactly once and in order; return the figures."""
    creates = vendor.state()["creates"]
    numbers = {one["NUMBER"] for one in creates}
    lost = accepted - numbers
    figures = {
        "accepted": len(accepted), "done": len(numbers & accepted), "lost": len(lost),
        "double": len(doubles(creates)), "order_breaks": order_breaks(creates),
    }  # fmt: skip
    assert not lost, f"{figures}: {sorted(lost)[:10]}"
    assert not doubles(creates), f"{figures}: {doubles(creates)}"
    assert not figures["order_breaks"], figures
    return figures
