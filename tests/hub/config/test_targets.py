"""The five companies' files load: what isn't built yet is said so, nothing else is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hub.config import load
from hub.plugins import Plugins
from tests.hub.config.fakes import TARGETS, Bitrix, Form, Nova, _target

FILES = sorted((Path(__file__).parent / "targets").glob("*.yaml"))
TABLES = {
    "breeds": "breed,text,size,coat,temper,children,flat,walks,age,budget,allergy\n",
    "blacklist": "phone,email,why,since\n",
    "stage_limits": "stage,title,limit,tell\n",
    "call_points": "goods,geo,age,attempt,points\n",
    "goods": "goods,price,weight,courier\n",
    "quests": "quest,brand,place,map_url,price,team\n",
    "umnico_stages": "umnico,crm\n1,new\n2,won\n",
    "umnico_users": "umnico,crm\n7,3000002\n",
}


@pytest.fixture
def plugins():
    bitrix = _target("bitrix24", vendor=Bitrix.vendor_field)
    bitrix.events, bitrix.actions = Bitrix.events, Bitrix.actions
    nova = _target("novaposhta")
    nova.events, nova.actions = Nova.events, Nova.actions
    form = _target("form")
    form.events = Form.events
    return Plugins.of(bitrix, nova, form, *TARGETS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_target_loads(file, plugins, tmp_path):
    shutil.copy(file, tmp_path / "hub.yaml")
    (tmp_path / "tables").mkdir()
    for name, head in TABLES.items():
        rows = "" if head.count("\n") > 1 else ",".join("x" for _ in head.split(",")) + "\n"
        (tmp_path / "tables" / f"{name}.csv").write_text(head + rows)
    environ = {name: "x" * 20 for name in re.findall(r"\$\{(\w+)\}", file.read_text())}
    config = load(tmp_path / "hub.yaml", plugins, environ)
    strange = [str(note) for note in config.notes if note.level != "later"]
    assert strange == EXPECTED.get(file.stem, [])
    unfolded = [route.name for route in config.routes if route.sync]
    assert unfolded == SYNCS.get(file.stem, [])
    assert len(config.routes) - len(unfolded) == file.read_text().count("  - name:") + file.read_text().count(
        "  - {name:"
    ) - file.read_text().count("{name: d9")
    off = {route.name for route in config.routes if route.off}
    assert {route.name for route in config.routes} - off - set(unfolded) == RUNS[file.stem]
    assert all(route.sentence() for route in config.routes)


EXPECTED = {
    "beauty": [
        'hub.yaml:105 routes[3] "E5 waybill from the deal" steps[0] (nova.parcel.create) set.weight.from: '
        'warning: no field "weight" in deal (title, name, stage, pipeline, '
        "amount, currency, comment, responsible, contact, company, moved_at, closed, ...). A field of "
        "the vendor's goes into "
        "names.fields first."
    ]
}
SYNCS = {"quest_rooms": ["d9: contact umnico -> crm", "d9: deal umnico -> crm"]}
RUNS = {
    "beauty": {"E1 E2 E3 every request, into its own line", "E5 waybill from the deal", "E5 parcel moves the deal"},
    "car_parts": {"C5 sale to Facebook", "C5 sale to Yandex", "C5 sale to Google"},
    "dog_club": {
        "A1 every request becomes one lead",
        "A2 complete lead goes to selection",
        "A5 form opened",
        "A5 form filled",
    },
    "impulse_goods": {"B3 third try failed", "B4 order to courier A by API"},
    "quest_rooms": {
        "D1 D6 every request ends in the CRM",
        "D3 who answers first becomes responsible",
        "D5 guests to the mailing list",
        "D5 bounce or leave is marked",
        "D5 dashboard row",
        "D6 deal and revenue to Calltouch",
    },
}
