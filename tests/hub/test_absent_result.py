"""A step that found nothing tests as absent in the steps after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.fakes import WORLDS, Box, form

YAML = """
hub: {unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: sink}
routes:
  - name: only where there is none
    on: site.form.submitted
    steps:
      - {do: crm.deal.find, find: {CITY: form.city}, missing: skip, as: known}
      - {stop: it is there already, when: {known: present}}
      - {do: crm.deal.create, set: {TITLE: contact.name, CITY: form.city}}
"""


@pytest.mark.parametrize("same", [True, False])
def test_nothing_found_is_absent(tmp_path: Path, same: bool) -> None:
    box = Box(tmp_path, YAML).start()
    try:
        for city in ("Kyiv", "Kyiv" if same else "Lviv"):
            box.send(form(city=city))
            box.settle()
        assert len(WORLDS["crm"].of("deal")) == (1 if same else 2)
        stopped = [one for one in box.deliveries() if "stopped" in str(one["reason"])]
        assert len(stopped) == int(same)
    finally:
        box.close()
