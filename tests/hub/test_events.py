"""The neutral event names."""

import pytest

from hub.events import KNOWN_EVENTS, is_known
from hub.records import FIELDS


@pytest.mark.parametrize("name", ["form.submitted", "deal.stage_changed", "lead.received", "vendor.ONIMBOTMESSAGEADD"])
def test_known(name):
    assert is_known(name)


@pytest.mark.parametrize("name", ["", "form", "form.sent", "crm.deal.updated", "vendor.", "vendor.two words", "vendor"])
def test_unknown(name):
    assert not is_known(name)


def test_the_records_of_events_are_described():
    undescribed = {name.split(".")[0] for name in KNOWN_EVENTS} - set(FIELDS)
    assert undescribed == {"ad_lead", "subscription", "timer", "connection"}
