"""A won deal becomes a repair (a smart process); the repair that is ready is told in the deal's timeline."""

import pytest

from tests.journeys import place

ROUTES = """routes:
  - name: a won deal becomes a repair
    on: crm.deal.stage_changed
    when: {{deal.stage: "C5:WON"}}
    do: crm.item.create
    set: {{entityTypeId: {{value: "177"}}, title: deal.title, contactId: deal.contact, parentId2: deal.id}}
  - name: the deal's title is the repair's
    on: crm.deal.updated
    when: {{deal.stage: "C5:WON"}}
    do: crm.item.update
    missing: skip
    set: {{title: deal.title}}
  - name: a repair that was looked at is ready
    on: crm.item.stage_changed
    when: {{item.stage: "DT177_7:PREPARATION"}}
    do: crm.item.set_stage
    stage: "DT177_7:CLIENT"
  - name: a repair that is ready is told
    on: crm.item.stage_changed
    when: {{item.stage: "DT177_7:CLIENT", item.type: "177"}}
    do: crm.comment.create
    set: {{ENTITY_TYPE: {{value: deal}}, ENTITY_ID: item.parentId2, COMMENT: "Ready: {{{{ item.title }}}}"}}
"""


@pytest.fixture
def company(tmp_path, monkeypatch):
    head = place.YAML.partition("routes:")[0]
    monkeypatch.setattr(place, "YAML", head + ROUTES)
    told = [f"ONCRMDYNAMICITEM{verb}" for verb in ("ADD", "UPDATE", "DELETE")]
    monkeypatch.setattr(place, "EVENTS", [*place.EVENTS, *told])
    built = place.Place(tmp_path).start()
    yield built
    built.close()


def items(company):
    return company.crm.state()["items"]


def test_a_repair_from_the_deal_to_the_comment(company):
    deal = company.deal()
    company.crm.act("crm.deal.update", {"id": deal, "fields": {"STAGE_ID": "C5:WON"}})
    company.until(lambda: items(company))
    company.settle()
    (made,) = items(company)
    assert (made["title"], made["stageId"], str(made["parentId2"])) == ("Набір", "DT177_7:NEW", deal)

    company.crm.act("crm.deal.update", {"id": deal, "fields": {"TITLE": "Lamp"}})
    company.until(lambda: items(company)[0]["title"] == "Lamp")

    moved = {"entityTypeId": 177, "id": made["id"], "fields": {"stageId": "DT177_7:PREPARATION"}}
    company.crm.act("crm.item.update", moved)
    company.until(lambda: company.crm.state()["comments"])
    company.settle()
    (comment,) = company.crm.state()["comments"]
    assert (comment["COMMENT"], str(comment["ENTITY_ID"])) == ("Ready: Lamp", deal)
    assert len(items(company)) == 1
    assert company.rows("SELECT 1 FROM delivery WHERE state = 'parked'") == []
