"""Whole lists, page by page; values in the hub's own words; lists of values that are replaced; quiet writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from hub.errors import Refused
from hub.model import Action, Done, Record
from hub.sandbox import now_utc
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox

MANY = 300


class Time:
    """The portal's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = now_utc()

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def portal(time: Time) -> Iterator[Bitrix24Sandbox]:
    with Bitrix24Sandbox(rate_per_second=None, operating_limit=None, clock=time).start() as running:
        yield running.sandbox  # type: ignore[misc]


@pytest.fixture
def crm(portal: Bitrix24Sandbox) -> Bitrix24:
    given = portal.credentials()
    return build(Bitrix24, {name: given[name] for name in ("webhook_url", "application_token")}, region="UA")


def do(crm: Bitrix24, name: str, values: dict[str, Any] | None = None, **more: Any) -> Done:
    record, _, verb = name.partition(".")
    return crm.perform(Action(name, record, verb, values or {}, **more))


def walk(crm: Bitrix24, record: str, since: dt.datetime | None = None) -> list[list[Record]]:
    """Return every page."""
    pages, cursor = [], None
    while True:
        rows, cursor = crm.pages(record, since, cursor)
        pages.append(rows)
        if cursor is None:
            return pages


def people(portal: Bitrix24Sandbox, kind: str = "contact", count: int = MANY) -> list[str]:
    """Make records and return their ids."""
    made = []
    for number in range(count):
        phones = [{"VALUE": f"+38067{number:07}", "VALUE_TYPE": "MOBILE"}]
        fields = {"NAME": f"N{number}", "TITLE": f"T{number}", "PHONE": phones, "UF_CRM_1710000011": f"u{number}"}
        made.append(str(portal.act(f"crm.{kind}.add", {"fields": fields}, user_id=1)))
    return made


class TestPages:
    @pytest.mark.parametrize("kind", ["contact", "company", "lead", "deal"])
    def test_every_record_comes_once_and_whole(self, crm: Bitrix24, portal: Bitrix24Sandbox, kind: str) -> None:
        people(portal, kind)
        pages = walk(crm, kind)
        assert [len(rows) for rows in pages[:6]] == [50] * 6
        found = [one for rows in pages for one in rows]
        assert len({one["id"] for one in found}) == len(found) == MANY
        first = found[7]
        if kind != "deal":
            assert first["extra"]["PHONE"][0]["VALUE"] == "+380670000007"
        if kind in ("contact", "lead"):
            assert (first["phone"], first["first_name"]) == ("+380670000007", "N7")
        if kind in ("deal", "lead"):
            assert first["extra"]["UF_CRM_1710000011"] == "u7"

    def test_only_what_changed_since(self, crm: Bitrix24, portal: Bitrix24Sandbox, time: Time) -> None:
        made = people(portal, count=120)
        time.now += dt.timedelta(hours=1)
        for number in made[::2]:
            portal.act("crm.contact.update", {"id": number, "fields": {"NAME": "changed"}}, user_id=1)
        found = [one for rows in walk(crm, "contact", time.now) for one in rows]
        assert (len(found), {one["first_name"] for one in found}) == (60, {"changed"})
        assert walk(crm, "contact", time.now + dt.timedelta(seconds=1)) == [[]]

    def test_what_changes_meanwhile_is_left_out_by_no_page(self, crm: Bitrix24, portal: Bitrix24Sandbox) -> None:
        made = people(portal, count=120)
        rows, cursor = crm.pages("contact")
        portal.act("crm.contact.delete", {"id": made[3]}, user_id=1)
        portal.act("crm.contact.update", {"id": made[90], "fields": {"NAME": "changed"}}, user_id=1)
        made += people(portal, count=1)
        seen = {one["id"] for one in rows}
        while cursor is not None:
            rows, cursor = crm.pages("contact", None, cursor)
            seen |= {one["id"] for one in rows}
        assert seen == set(made)

    def test_an_empty_list_is_one_empty_page(self, crm: Bitrix24) -> None:
        assert crm.pages("lead") == ([], None)

    def test_other_records_are_refused_in_words(self, crm: Bitrix24) -> None:
        with pytest.raises(Refused, match="lead, deal, contact, company"):
            crm.pages("comment")


class TestOurWords:
    def test_the_hubs_words_are_written_into_the_portals_fields(self, crm: Bitrix24) -> None:
        """The portal ignores a field it doesn't know without a word."""
        deal = do(crm, "deal.create", {"title": "x", "amount": "12.50", "comment": "c", "responsible": "3"}).id
        done = do(crm, "deal.update", {"amount": "13", "name": "y"}, id=deal)
        assert done.written == {"OPPORTUNITY": "13", "TITLE": "y"}
        found = crm.get("deal", deal)
        assert {key: found[key] for key in ("title", "amount", "comment", "responsible")} == {
            "title": "y", "amount": "13.00", "comment": "c", "responsible": "3",
        }  # fmt: skip

    def test_a_whole_name_is_taken_apart(self, crm: Bitrix24) -> None:
        person = do(crm, "contact.create", {"name": "Анна Коваль", "phone": "067 123-45-67"}).id
        found = crm.get("contact", person)
        assert (found["first_name"], found["last_name"], found["phone"]) == ("Анна", "Коваль", "+380671234567")


class TestExactly:
    @pytest.fixture
    def person(self, crm: Bitrix24) -> str:
        return do(crm, "contact.create", {"phone": ["+380671234567", "+380501112233"], "email": "a@example.com"}).id

    def test_phones_are_changed_added_and_taken_away(self, crm: Bitrix24, person: str) -> None:
        before = crm.get("contact", person)["extra"]["PHONE"]
        done = do(crm, "contact.update", {"phone": ["050 111 22 33", "+380931112233"]}, id=person, exact=True)
        found = crm.get("contact", person)
        assert sorted(found["phones"]) == ["+380501112233", "+380931112233"]
        assert {row["ID"] for row in found["extra"]["PHONE"]} == {row["ID"] for row in before}
        assert done.written["PHONE"] == found["extra"]["PHONE"]
        do(crm, "contact.update", {"phone": ["+380931112233"], "email": []}, id=person, exact=True)
        found = crm.get("contact", person)
        assert (found["phones"], "emails" in found) == (["+380931112233"], False)

    def test_nothing_is_written_where_they_are_the_same(self, crm: Bitrix24, person: str) -> None:
        values = {"phone": ["0501112233", "+38 (067) 123-45-67"], "email": ["A@example.com"]}
        assert do(crm, "contact.update", values, id=person, exact=True).written == {}

    def test_what_is_no_phone_stays(self, crm: Bitrix24) -> None:
        """Whoever names the wanted ones hasn't seen it: a neutral record shows true phones."""
        id = do(crm, "contact.create", {"phone": ["+380671234567", "вн. 123"], "email": ["a@b.ua", "спросить"]}).id
        do(crm, "contact.update", {"phone": ["+380501112233"], "email": []}, id=id, exact=True)
        extra = crm.get("contact", id)["extra"]
        assert sorted(row["VALUE"] for row in extra["PHONE"]) == ["+380501112233", "вн. 123"]
        assert [row["VALUE"] for row in extra["EMAIL"]] == ["спросить"]

    @pytest.mark.parametrize("kind", ["lead", "company"])
    def test_leads_and_companies_show_all_their_phones(self, crm: Bitrix24, kind: str) -> None:
        id = do(crm, f"{kind}.create", {"title": "x", "phone": ["+380671234567", "+380501112233"]}).id
        assert crm.get(kind, id)["phones"] == ["+380671234567", "+380501112233"]

    def test_without_it_nothing_is_taken_away(self, crm: Bitrix24, person: str) -> None:
        do(crm, "contact.update", {"phone": ["+380931112233"], "email": []}, id=person)
        found = crm.get("contact", person)
        assert (len(found["phones"]), found["email"]) == (3, "a@example.com")


@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_write_registers_no_event_in_the_stream(crm: Bitrix24, portal: Bitrix24Sandbox, quiet: bool) -> None:
    sent: list[Any] = []
    perform = portal._perform
    portal._perform = lambda call, *rest: (sent.append((call.method, call.get("params"))), perform(call, *rest))[1]  # type: ignore[method-assign,assignment,func-returns-value]
    person = do(crm, "contact.create", {"first_name": "A"}, quiet=quiet).id
    do(crm, "contact.update", {"first_name": "B"}, id=person, quiet=quiet)
    told = [params for method, params in sent if method in ("crm.contact.add", "crm.contact.update")]
    assert told == [{"REGISTER_SONET_EVENT": "N"} if quiet else None] * 2
