"""`hub test DIR`: an administrator's own cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hub.cli.conftest import Hub
from tests.hub.fakes import form

GOOD = """
- name: a form becomes a lead
  connection: site
  file: form.json
  headers: {X-Secret: letmein}
  expect:
    - do: crm.lead.upsert
      route: form becomes a lead
      values: {TITLE: "Site: Anna"}
- name: nothing without a phone
  connection: site
  event: {type: form.submitted, record: {form: {id: f1}}}
  expect: []
- name: from Lviv two calls
  connection: site
  event: {type: form.submitted, text: hello, record: {form: {city: Lviv}, contact: {phone: "0671112233", name: Ira}}}
  expect:
    - {do: crm.lead.upsert, values: {CITY: Lviv}}
    - {do: crm.comment.create, values: {text: hello}}
- name: forged
  connection: site
  file: form.json
  rejected: 403
"""


@pytest.fixture
def folder(hub: Hub) -> Path:
    folder = hub.folder / "cases"
    folder.mkdir()
    (folder / "form.json").write_text(json.dumps({"id": "m1", "events": [form(city="Kyiv")]}))
    return folder


def cases(hub: Hub, folder: Path, yaml: str, code: int = 0) -> str:
    (folder / "site.yaml").write_text(yaml)
    return hub("test", str(folder), code=code).output


def test_cases_that_hold(hub: Hub, folder: Path) -> None:
    told = cases(hub, folder, GOOD)
    assert "✓ a form becomes a lead site.yaml[0]" in told and "4 of 4 cases hold" in told
    assert [one["ok"] for one in hub.json("test", str(folder))] == [True] * 4


def test_a_value_that_differs(hub: Hub, folder: Path) -> None:
    told = cases(hub, folder, GOOD.replace("Site: Anna", "Anna"), code=1)
    assert "✗ a form becomes a lead" in told and "3 of 4 cases hold" in told
    assert "crm.lead.upsert: TITLE is Site: Anna, expected Anna" in told
    found = hub.json("test", str(folder), code=1)
    assert found[0]["ok"] is False and found[0]["differences"]


def test_slips_get_the_nearest_guess(hub: Hub, folder: Path) -> None:
    told = cases(hub, folder, GOOD.replace("{TITLE:", "{TITEL:"), code=1)
    assert 'crm.lead.upsert: TITEL is left out, expected Site: Anna. Did you mean "TITLE"?' in told
    told = cases(hub, folder, GOOD.replace("do: crm.lead.upsert\n", "do: crm.lead.upsrt\n"), code=1)
    assert 'expected crm.lead.upsrt of route "form becomes a lead", got crm.lead.upsert' in told
    assert 'Did you mean "crm.lead.upsert"?' in told
    told = cases(hub, folder, GOOD.replace("route: form becomes a lead", "route: form becomes lead"), code=1)
    assert 'Did you mean "form becomes a lead"?' in told


STAGES = """
  - name: shipped
    on: site.parcel.status_changed
    do: crm.deal.set_stage
    stage: {accepted: shipped, other: ignore}
"""


def test_a_stage_may_be_expected_by_our_word_or_its_code(hub: Hub, folder: Path) -> None:
    yaml = (hub.folder / "hub.yaml").read_text()
    hub.write(yaml.replace("names: {fields", 'names: {stages: {shipped: "C5:EXECUTING"}, fields') + STAGES)
    event = "event: {type: parcel.status_changed, record: {parcel: {status: accepted}}}"
    one = "- {connection: site, %s, expect: [{do: crm.deal.set_stage, values: {stage: %s}}]}"
    for right in ("shipped", '"C5:EXECUTING"'):
        assert "1 of 1 cases hold" in cases(hub, folder, one % (event, right))
    told = cases(hub, folder, one % (event, "shiped"), code=1)
    assert 'stage is C5:EXECUTING, expected shiped. Did you mean "shipped"?' in told


def test_a_call_too_few_and_one_too_many(hub: Hub, folder: Path) -> None:
    one = "- {connection: site, file: form.json, unsigned: yes, expect: [%s]}"
    told = cases(hub, folder, one % "{do: crm.lead.upsert}, {do: crm.deal.create}", code=1)
    assert "expected crm.deal.create, but nothing more goes out" in told
    assert 'route "only from Lviv" skipped: form.city is Kyiv, should be Lviv' in told
    assert 'not expected: crm.lead.upsert of route "form becomes a lead"' in cases(hub, folder, one % "", code=1)
    told = cases(hub, folder, one % "{do: crm.deal.create}", code=1)
    assert 'expected crm.deal.create, got crm.lead.upsert of route "form becomes a lead"' in told


def test_rejection_expected_and_not(hub: Hub, folder: Path) -> None:
    told = cases(hub, folder, "- {connection: site, file: form.json, expect: []}", code=1)
    assert "turned away with 403 (wrong secret)" in told
    told = cases(hub, folder, "- {connection: site, file: form.json, unsigned: yes, rejected: 403}", code=1)
    assert "not turned away, but expected 403" in told


def test_our_words_and_nested_values(hub: Hub, folder: Path) -> None:
    hub.write(
        (hub.folder / "hub.yaml").read_text()
        + "  - {name: waybill, on: site.parcel.status_changed, do: crm.deal.create, set: {ttn: parcel.number}}\n"
    )
    event = "event: {type: parcel.status_changed, record: {parcel: {number: '0501234567'}}}"
    cases(
        hub, folder, f"- {{connection: site, {event}, expect: [{{do: crm.deal.create, values: {{ttn: 0501234567}}}}]}}"
    )
    cases(
        hub,
        folder,
        f"- {{connection: site, {event}, expect: [{{do: crm.deal.create, values: {{UF_TTN: 0501234567}}}}]}}",
    )


def test_json_cases(hub: Hub, folder: Path) -> None:
    case = {"connection": "site", "file": "form.json", "unsigned": "yes", "expect": [{"do": "crm.lead.upsert"}]}
    (folder / "one.case.json").write_text(json.dumps(case))
    assert "1 of 1 cases hold" in hub("test", str(folder)).output


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("- {connection: site, file: form.json, expekt: []}", 'there is no "expekt" in a case. Did you mean "expect"?'),
        ("- {file: form.json, expect: []}", "say which connection"),
        ("- {connection: site, expect: []}", "either a file or an event"),
        ("- {connection: site, file: gone.json, expect: []}", "there is no file"),
        ("- {connection: site, file: form.json}", "say either what to expect or with which status"),
        ("- {connection: site, event: {subject: x}, expect: []}", "an event has type"),
        ("- {connection: site, file: form.json, expect: [{call: x}]}", "expect is a list of {do, route, values}"),
        ("- just text", "a case is a mapping"),
        ("- {connection: [", "can't be read"),
        ("- {connection: sit, file: form.json, expect: []}", 'no connection "sit"'),
    ],
)
def test_a_case_that_is_none(hub: Hub, folder: Path, yaml: str, words: str) -> None:
    assert words in cases(hub, folder, yaml, code=2)


def test_an_empty_folder(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert "there are no cases" in hub("test", str(tmp_path / "none"), code=2).output
