"""E3: one human is one person, one contact and one open lead, over whatever channels they come at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from hub import people_acts
from hub.store import roster, suspects
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.company import Company
from tests.crowd import CHANNELS, Crowd, crowd

SECRET = "site-secret-5f10aa"
YAML = """
hub: {{timezone: Europe/Kyiv, region: UA, unrouted: ignore}}
connections:
  crm:
    plugin: bitrix24
    webhook_url: "{webhook}"
    application_token: "{token}"
    limits: {{per_second: 500, burst: 5000}}
{channels}
people:
  match: [phone, email]
  merge: {{auto: [same phone, same email], carry: [deals, notes, tags, tasks], else: suspects}}
routes:
  - name: a request becomes a lead
    on: "*.form.submitted"
    do: crm.lead.upsert
    attach: {{to: [open lead], within: 30d, as: comment}}
    set: {{TITLE: "Request: {{{{ contact.phone or contact.email }}}}", SOURCE_ID: WEB}}
"""


def yaml_for(sandbox: Bitrix24Sandbox) -> str:
    """Return the hub.yaml of a company with five forms and one portal."""
    given = sandbox.credentials()
    channels = "\n".join(f"  {name}: {{plugin: form, secret: {SECRET}}}" for name in CHANNELS)
    return YAML.format(webhook=given["webhook_url"], token=given["application_token"], channels=channels)


class Firm(Company):
    """A company with five forms and one portal, and several workers."""

    def __init__(self, folder: Path, workers: int = 3) -> None:
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        running = self.crm.start()
        super().__init__(folder, yaml_for(self.crm), [running], workers)

    def form(self, channel: str, form: dict[str, str]) -> int:
        """Somebody sends a form."""
        return requests.post(f"{self.url}/in/{channel}/{SECRET}", json=form, timeout=30).status_code

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return every record of the portal that the hub has made."""
        return made(self.crm, kind)


def made(portal: Bitrix24Sandbox, kind: str) -> list[dict[str, Any]]:
    """Return every record of a portal that a hub has made."""
    return [one for one in list(portal.portal.records[kind].values()) if one.get("ORIGINATOR_ID") == "hub"]


def phones(record: dict[str, Any]) -> set[str]:
    return {row["VALUE"] for row in record["fm"] if row["TYPE_ID"] == "PHONE"}


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    firm = Firm(tmp_path)
    firm.work()
    yield firm
    firm.close()


def owners(rows: Callable[[str], list[Any]]) -> dict[str, int]:
    """Return phone -> person."""
    own = 'SELECT k.value, coalesce(p."into", p.id) FROM person_key k JOIN person p ON p.id = k.person'
    return {row[0]: row[1] for row in rows(f"{own} WHERE k.kind = 'phone'")}


def check(rows: Callable[[str], list[Any]], portal: Bitrix24Sandbox, told: Crowd) -> None:
    """One person, one contact, one open lead for each number; no two humans in one."""
    numbers = [human.phone for human in told.humans] + [slip for slip, _ in told.strays]
    found = owners(rows)
    assert sorted(found) == sorted(numbers)
    assert len(set(found.values())) == len(numbers), "two numbers that share no message are two persons"
    contacts = made(portal, "contact")
    assert Counter(phone for one in contacts for phone in phones(one)) == Counter(numbers)
    leads = Counter(one["CONTACT_ID"] for one in made(portal, "lead") if one["STATUS_SEMANTIC_ID"] == "P")
    assert leads == Counter(one["ID"] for one in contacts)
    assert rows("SELECT count(*) FROM delivery WHERE state <> 'done'")[0][0] == 0


def test_a_crowd_over_five_channels(firm: Firm) -> None:
    told = crowd(60)
    assert told.strays and told.twins
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: firm.form(one[0], one[1]), told.messages))
    assert answers == [200] * len(told.messages)
    firm.settle(60.0)
    check(firm.rows, firm.crm, told)
    with firm.store.write() as db:
        while suspects.compare_new(db):
            pass
        pairs = suspects.pairs(db, limit=1000)
    found = owners(firm.rows)
    expected = {frozenset((found[slip], found[human.phone])) for slip, human in told.strays}
    expected |= {frozenset((found[one], found[other])) for one, other in told.twins}
    assert {frozenset((pair["person"], pair["other"])) for pair in pairs} == expected
    strays = {frozenset((found[slip], found[human.phone])) for slip, human in told.strays}
    for pair in pairs:
        word = "accept" if frozenset((pair["person"], pair["other"])) in strays else "never"
        with firm.store.write() as db:
            people_acts.decide(db, firm.runtime, pair["id"], word)
    firm.ring()
    firm.settle(30.0)
    assert len(set(owners(firm.rows).values())) == len(told.humans)
    assert len(firm.all("contact")) == len(told.humans)


def test_five_channels_in_the_same_second(firm: Firm) -> None:
    """Whoever of the workers is first: one person, one contact, one lead, and the rest are comments on it."""
    forms = [(channel, {"phone": spelling, "name": "Олена"}) for channel, spelling in zip(
        CHANNELS, ("067 111 22 33", "+380671112233", "0671112233", "380671112233", "(067) 111-22-33"), strict=True
    )]  # fmt: skip
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda one: firm.form(*one), forms * 2))
    firm.settle()
    assert firm.rows("SELECT count(*) FROM person") == [(1,)]
    assert (len(firm.all("contact")), len(firm.all("lead"))) == (1, 1)


def test_a_message_that_joins_two_persons_makes_one_contact_of_two(firm: Firm) -> None:
    firm.form("site", {"name": "Олена Коваль", "phone": "0671112233"})
    firm.form("landing", {"name": "Олена Коваль", "email": "olena@mail.ua"})
    firm.settle()
    assert len(firm.all("contact")) == 2
    firm.form("quiz", {"name": "Олена Коваль", "phone": "+380671112233", "email": "Olena@Mail.ua"})
    firm.settle()
    [contact] = firm.all("contact")
    assert phones(contact) == {"+380671112233"}
    assert {one["CONTACT_ID"] for one in firm.all("lead")} == {contact["ID"]}
    [(merge,)] = firm.rows("SELECT id FROM merge")
    with firm.store.write() as db:
        act = people_acts.unmerge(db, firm.runtime, f"m{merge}")
    assert act.params["carried"] == 1
    firm.ring()
    firm.settle()
    assert len(firm.all("contact")) == 2
    assert len({one["CONTACT_ID"] for one in firm.all("lead")}) == 2, "each lead is back with whom it came from"
    with firm.store.read() as db:
        assert roster.of_key(db, "phone", "+380671112233") != roster.of_key(db, "email", "olena@mail.ua")


def test_what_the_portal_leaves_to_a_person_is_parked_with_the_page(firm: Firm) -> None:
    firm.form("site", {"name": "Олена", "phone": "0671112233"})
    firm.form("landing", {"name": "Лєна", "email": "olena@mail.ua"})
    firm.settle()
    firm.form("quiz", {"name": "Олена", "phone": "0671112233", "email": "olena@mail.ua"})
    firm.settle()
    [(reason,)] = firm.rows("SELECT reason FROM delivery WHERE state = 'parked'")
    assert "/crm/contact/merge/?id=" in reason
    assert len(firm.all("contact")) == 2
    assert firm.rows('SELECT count(*) FROM person WHERE "into" IS NULL') == [(1,)]
