"""The whole plugin against the stand-in, over real HTTP: what is made is found, what is doubted is not made twice."""

import datetime as dt
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Action, Event, Receipt, Request
from hub.normal import contact as person
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.bitrix24.sandbox.words import METHODS

ANNA = person("UA", name="Анна Коваль", phone="067 123-45-67", email="Anna@Example.com")


@pytest.fixture
def portal():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield running.sandbox


@pytest.fixture
def crm(portal):
    given = portal.credentials()
    settings = {name: given[name] for name in ("webhook_url", "application_token")}
    return build(Bitrix24, settings, names={"fields": {"ttn": "UF_CRM_1730000001"}, "stages": {"won": "C5:WON"}})


@pytest.fixture
def app(portal):
    names = ("client_id", "client_secret", "portal", "oauth_url")
    given = portal.credentials()
    return build(Bitrix24, {name: given[name] for name in names}, tokens=portal.tokens())


def do(crm, name, values=None, **more):
    record, _, verb = name.partition(".")
    return crm.perform(Action(name, record, verb, values or {}, **more))


def fault(portal, kind, match="", times=1, **more):
    body = {"kind": kind, "match": match, "times": times, **more}
    assert requests.post(f"{portal.base_url}/_sandbox/fault", json=body, timeout=5).ok


def count(portal, what):
    return len(portal.state()[what])


def hint(kind, number, verb="updated", key="k"):
    return Event(f"{kind}.{verb}", f"{kind}:{number}", key, {kind: {"id": number}}, incomplete=True)


class TestRecords:
    def test_a_contact_and_its_deal(self, crm):
        anna = do(crm, "contact.create", person=ANNA, marker="a1")
        deal = do(crm, "deal.create", {"TITLE": "x", "STAGE_ID": "C5:NEW"}, contact=anna.id, marker="d1")
        for by in (
            {"marker": "d1"},
            {"phone": "+380671234567"},
            {"phone": "0671234567", "open": True},
            {"email": "anna@example.com"},
            {"contact": anna.id, "stage": "C5:NEW", "since": 0.0},
        ):
            assert [found["id"] for found in crm.find("deal", by)] == [deal.id], by
        assert crm.find("deal", {"marker": "d2"}) == []
        assert crm.get("contact", anna.id)["name"] == "Анна Коваль"

    def test_an_update_never_doubles_a_phone(self, crm):
        anna = do(crm, "contact.create", person=ANNA)
        values = {"PHONE": "067 123 45 67", "NAME": "Ганна"}
        done = do(crm, "contact.update", values, id=anna.id, person=ANNA)
        assert done.written == {"NAME": "Ганна"}
        done = do(crm, "contact.update", {"PHONE": "+380501112233"}, id=anna.id, person=ANNA)
        contact = crm.get("contact", anna.id)
        assert contact["phones"] == ["+380671234567", "+380501112233"]
        assert done.written["PHONE"] == contact["extra"]["PHONE"]
        assert contact["first_name"] == "Ганна"
        assert do(crm, "contact.update", {}, id=anna.id, person=ANNA, fill="newest").written == {"NAME": "Анна"}

    def test_a_stage_in_another_pipeline(self, crm):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        do(crm, "deal.set_stage", {"stage": "C3:UC_WAIT01"}, id=deal)
        found = crm.get("deal", deal)
        assert (found["stage"], found["pipeline"]) == ("C3:UC_WAIT01", "3")
        assert do(crm, "deal.set_stage", {"stage": "C3:UC_WAIT01"}, id=deal).written == {}
        order = crm.stage_order("deal", "C5:NEW")
        assert order.index("C5:EXECUTING") < order.index("C5:UC_BRANCH") < order.index("C5:WON")

    def test_lists_of_the_recipes(self, crm):
        for number in range(60):
            do(crm, "deal.create", {"TITLE": str(number), "STAGE_ID": "C5:PREPAYMENT_INVOICE", "OPPORTUNITY": "10"})
        done = do(crm, "deal.list", find={"stage": "C5:PREPAYMENT_INVOICE"})
        assert (done.result["count"], done.result["rows"][0]["amount"]) == (60, "10.00")
        assert do(crm, "deal.list", find={"stage": "C5:PREPAYMENT_INVOICE"}, limit=5).result["count"] == 5
        found = {"stage": "C5:PREPAYMENT_INVOICE", "changed_within": "1d"}
        assert do(crm, "deal.list", find=found).result["count"] == 60
        found = {"stage": "C5:PREPAYMENT_INVOICE", "changed_before": "60d"}
        assert do(crm, "deal.list", find=found).result["count"] == 0
        assert do(crm, "deal.find", find={"TITLE": "no such"}).id == ""

    def test_a_deleted_record(self, crm):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        do(crm, "deal.delete", id=deal)
        for act in (
            lambda: crm.get("deal", deal),
            lambda: do(crm, "deal.update", {"TITLE": "y"}, id=deal),
            lambda: do(crm, "deal.delete", id=deal),
        ):
            with pytest.raises(Gone):
                act()
        assert do(crm, "deal.delete", id=deal, in_doubt_since=dt.datetime.now(dt.UTC)).id == deal
        with pytest.raises(Gone):
            crm.attach("deal", deal, "comment", "x", "m")

    def test_products(self, crm):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        do(crm, "deal.set_products", {"rows": [{"PRODUCT_NAME": "cream", "PRICE": 50, "QUANTITY": 2}]}, id=deal)
        (event,) = crm.complete([hint("deal", deal)], frozenset({"goods"}))
        assert event.record["deal"]["goods"][0]["name"] == "cream"
        assert event.record["deal"]["amount"] == "100.00"

    def test_a_refused_value(self, crm):
        with pytest.raises(Refused) as caught:
            do(crm, "deal.create", {"TITLE": "x", "ASSIGNED_BY_ID": "999"})
        assert type(caught.value) is Refused

    def test_any_method(self, crm):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        done = do(crm, "api", {"entityTypeId": "2", "id": deal}, method="crm.item.get")
        assert done.result["item"]["title"] == "x"


class TestConversion:
    def lead(self, crm):
        values = {"TITLE": "L", "NAME": "Bob", "PHONE": "+380501112233", "UF_CRM_1710000011": "akita"}
        return do(crm, "lead.create", values).id

    def test_a_lead_becomes_contact_and_deal(self, crm, portal):
        done = do(crm, "lead.convert", {"STAGE_ID": "C3:NEW"}, id=self.lead(crm), marker="m")
        deal, lead = crm.get("deal", done.result["id"]), portal.state()["leads"][0]
        assert (deal["stage"], deal["extra"]["UF_CRM_1710000011"]) == ("C3:NEW", "akita")
        assert crm.get("contact", deal["contact"])["phones"] == ["+380501112233"]
        assert (lead["STATUS_ID"], lead["CONTACT_ID"]) == ("CONVERTED", deal["contact"])
        assert dict(done.links) == {"contact": deal["contact"], "deal": deal["id"]}
        assert (done.id, done.written["STATUS_ID"]) == (lead["ID"], "CONVERTED")

    @pytest.mark.parametrize("lost", ["crm.contact.add", "crm.deal.add", "crm.lead.update"])
    def test_a_lost_reply_makes_nothing_twice(self, crm, portal, lost):
        lead = self.lead(crm)
        fault(portal, "lost_reply", lost)
        with pytest.raises(Uncertain):
            do(crm, "lead.convert", {"STAGE_ID": "C3:NEW"}, id=lead, marker="m")
        done = do(crm, "lead.convert", {"STAGE_ID": "C3:NEW"}, id=lead, marker="m", attempt=2)
        assert (count(portal, "deals"), count(portal, "contacts")) == (1, 1)
        assert crm.get("lead", lead)["stage"] == "CONVERTED"
        assert done.result["id"] == portal.state()["deals"][0]["ID"]

    def test_a_lead_already_converted_by_hand(self, crm, portal):
        lead = self.lead(crm)
        made = portal.act("crm.deal.add", {"fields": {"TITLE": "by hand", "LEAD_ID": lead, "CONTACT_ID": ""}})
        portal.act("crm.lead.update", {"id": lead, "fields": {"STATUS_ID": "CONVERTED"}})
        assert do(crm, "lead.convert", {"STAGE_ID": "C3:NEW"}, id=lead, marker="m").result["id"] == str(made)


class TestNotes:
    def test_what_can_be_attached(self, crm, portal):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        comment = crm.attach("deal", deal, "comment", "hello", "m")
        assert crm.find("comment", {"deal": deal, "text": "hello"})[0]["id"] == comment.id
        crm.attach("deal", deal, "task", "call back\nabout the order", "m")
        (todo,) = portal.state()["activities"]
        assert (todo["SUBJECT"], todo["DESCRIPTION"]) == ("call back", "about the order")
        with pytest.raises(Refused):
            crm.attach("parcel", "1", "comment", "x", "m")
        with pytest.raises(Refused):
            crm.attach("deal", deal, "song", "x", "m")

    @pytest.mark.parametrize("how", ["comment", "task"])
    def test_a_lost_reply_attaches_once(self, crm, portal, how):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        begun = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
        fault(portal, "lost_reply", "add")
        with pytest.raises(Uncertain):
            crm.attach("deal", deal, how, "hello", "m")
        assert crm.attach("deal", deal, how, "hello", "m", since=begun).id
        crm.attach("deal", deal, how, "hello again", "m2", since=begun)
        assert count(portal, "comments") + count(portal, "activities") == 2

    @pytest.mark.parametrize(
        ("name", "values", "what"),
        [
            ("comment.create", {"ENTITY_TYPE": "deal", "ENTITY_ID": "2001", "COMMENT": "hi"}, "comments"),
            (
                "todo.create",
                {"ownerTypeId": "2", "ownerId": "2001", "title": "t", "deadline": "2030-01-01T00:00:00+00:00"},
                "activities",
            ),
            ("task.create", {"TITLE": "t", "RESPONSIBLE_ID": "3", "UF_CRM_TASK": "D_2001"}, "tasks"),
        ],
    )
    def test_a_repetition_finds_what_was_made(self, crm, portal, name, values, what):
        do(crm, "deal.create", {"TITLE": "x"})
        event = Event("deal.created", "deal:2001", "k", occurred_at=dt.datetime.now(dt.UTC))
        fault(portal, "lost_reply", "add")
        with pytest.raises(Uncertain):
            do(crm, name, values, event=event)
        assert do(crm, name, values, event=event, in_doubt_since=dt.datetime.now(dt.UTC)).id
        assert count(portal, what) == 1

    def test_tasks_of_a_lead(self, crm):
        lead = do(crm, "lead.create", {"TITLE": "L"}).id
        task = do(crm, "task.create", {"TITLE": "t", "RESPONSIBLE_ID": "3", "UF_CRM_TASK": f"L_{lead}"})
        assert do(crm, "task.list", find={"UF_CRM_TASK": f"L_{lead}", "status": "open"}).result["count"] == 1
        do(crm, "task.update", {"RESPONSIBLE_ID": "5"}, id=task.id)
        do(crm, "task.complete", id=task.id)
        assert do(crm, "task.list", find={"UF_CRM_TASK": f"L_{lead}", "status": "open"}).result["count"] == 0
        (event,) = crm.complete([hint("task", task.id)], frozenset({"lead"}))
        assert (event.type, event.record["task"]["responsible"], event.record["lead"]["title"]) == (
            "task.completed",
            "5",
            "L",
        )
        with pytest.raises(Gone):
            do(crm, "task.complete", id="99999")


class TestEvents:
    def test_an_event_of_the_portal_is_let_in_and_read(self, portal, crm):
        heard = []
        portal.app.add_url_rule("/heard", view_func=lambda: _hear(heard), methods=["POST"])
        body = {
            "url": f"{portal.base_url}/heard",
            "events": ["ONCRMDEALADD", "ONTASKADD", "ONCRMTIMELINECOMMENTADD"],
            "application_token": portal.credentials()["application_token"],
        }
        assert requests.post(f"{portal.base_url}/_sandbox/outgoing_webhook", json=body, timeout=5).ok
        contact = portal.act("crm.contact.add", {"fields": {"NAME": "Anna", "PHONE": [{"VALUE": "0671234567"}]}})
        deal = portal.act("crm.deal.add", {"fields": {"TITLE": "x", "CONTACT_ID": contact}})
        fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "note"}
        portal.act("crm.timeline.comment.add", {"fields": fields})
        assert portal.wait_events()
        assert len(heard) == 2
        for request in heard:
            crm.verify(request)
        first, second = (crm.parse(Receipt(1, "crm", crm.receipt_key(r), r, r.at)) for r in heard)
        (made,) = crm.complete(first, frozenset({"contact", "responsible"}))
        assert made.type == "deal.created"
        assert made.record["contact"]["phone"] == "+380671234567"
        assert made.record["responsible"]["id"] == made.record["deal"]["responsible"]
        (note,) = crm.complete(second, frozenset({"deal"}))
        assert (note.type, note.text, note.record["deal"]["title"]) == ("note.added", "note", "x")

    def test_several_hints_are_one_read(self, portal, crm):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        portal.calls.clear()
        hints = [hint("deal", deal, key="1"), hint("deal", deal, key="2"), hint("deal", deal, "created", "3")]
        assert [event.type for event in crm.complete(hints, frozenset({"contact"}))] == ["deal.created", "deal.updated"]
        assert portal.calls == {"batch": 1}

    def test_a_deal_without_a_contact(self, portal, crm):
        do(crm, "contact.create", person=ANNA)
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        (event,) = crm.complete([hint("deal", deal)], frozenset({"contact", "company"}))
        assert set(event.record) == {"deal"}

    def test_a_lead_is_its_own_contact(self, crm):
        lead = do(crm, "lead.create", {"TITLE": "x", "NAME": "Bob", "EMAIL": "bob@example.com"}).id
        (event,) = crm.complete([hint("lead", lead)], frozenset({"contact"}))
        assert (event.record["contact"]["email"], event.record["contact"].get("id")) == ("bob@example.com", None)

    def test_hints_of_a_deleted_record_are_dropped(self, crm):
        gone = Event("deal.deleted", "deal:5", "k2", {"deal": {"id": "5"}})
        assert crm.complete([hint("deal", "5")], frozenset()) == []
        assert crm.complete([hint("deal", "5"), gone], frozenset({"contact"})) == [gone]

    def test_a_poll_finds_what_was_missed(self, portal, crm):
        old = do(crm, "deal.create", {"TITLE": "old"}).id
        first = crm.poll("deals", None)
        assert first.receipts == []
        poll = crm.poll("deals", {"since": "2020-01-01T00:00:00+00:00"})
        ((key, request),) = poll.receipts
        assert key.startswith(f"poll:deal:{old}:20")
        events = crm.parse(Receipt(1, "crm", key, request, request.at))
        assert [event.type for event in events] == ["deal.created", "deal.updated"]
        assert crm.complete(events, frozenset())[0].title == "old"
        assert crm.poll("deals", poll.cursor).receipts[0][0] == key
        assert crm.poll("contacts", {"since": "2020-01-01T00:00:00+00:00"}).receipts == []

    def test_an_apps_queue(self, portal, app):
        app.settings = {**app.settings, "events": "offline"}
        assert app.connect("")[0].level == "ok"
        portal.act("crm.lead.add", {"fields": {"TITLE": "x"}})
        assert portal.wait_events()
        first = app.poll("offline", None)
        assert [r.body.split(b'"')[3] for _, r in first.receipts] == [b"ONCRMLEADADD"]
        second = app.poll("offline", first.cursor)
        assert second.receipts == []
        assert portal.state()["offline"] == []


class TestTrouble:
    def test_a_lost_reply_is_found_by_its_marker(self, crm, portal):
        fault(portal, "lost_reply", "crm.deal.add")
        with pytest.raises(Uncertain):
            do(crm, "deal.create", {"TITLE": "x"}, marker="m")
        (found,) = crm.find("deal", {"marker": "m", "since": time.time() - 3600})
        assert found["title"] == "x"

    @pytest.mark.parametrize(
        ("kind", "reading", "writing"),
        [
            ("rate_limit", RateLimited, RateLimited),
            ("operating_limit", RateLimited, RateLimited),
            ("503", Retry, Uncertain),
            ("outage", Retry, Uncertain),
            ("html", Retry, Uncertain),
            ("internal_error", Retry, Uncertain),
            ("overload", AuthFailed, AuthFailed),
            ("access_denied", AuthFailed, AuthFailed),
        ],
    )
    def test_faults(self, crm, portal, kind, reading, writing):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        for act, error in (
            (lambda: crm.get("deal", deal), reading),
            (lambda: do(crm, "deal.create", {"TITLE": "y"}), writing),
        ):
            fault(portal, kind)
            with pytest.raises(error) as caught:
                act()
            assert type(caught.value) is error
        assert do(crm, "deal.create", {"TITLE": "z"}).id

    def test_the_rate_limit_is_said_by_the_portal(self):
        with Bitrix24Sandbox(rate_per_second=2, burst=3).start() as running:
            crm = build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})
            with pytest.raises(RateLimited) as caught:
                for _ in range(5):
                    crm._client.call("profile")
            assert 0 < caught.value.after <= 2
            assert caught.value.scope == ""

    def test_run_time_is_minded(self):
        with Bitrix24Sandbox(rate_per_second=None, operating_cost=200.0).start() as running:
            crm = build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})
            with pytest.raises(RateLimited, match="run time") as caught:
                for _ in range(5):
                    crm._client.call("profile")
            assert caught.value.scope == "profile"
            assert running.sandbox.calls["profile"] == 2

    def test_a_wrong_secret(self, portal):
        crm = build(Bitrix24, {"webhook_url": f"{portal.base_url}/rest/1/wrongwrong/"})
        (finding,) = crm.check()
        assert finding.level == "problem"


class TestApp:
    def test_an_expired_token_is_refreshed(self, app, portal):
        fault(portal, "expired_token", "crm.deal.add")
        assert do(app, "deal.create", {"TITLE": "x"}).id
        assert portal.state()["counters"]["refreshes"] == 1
        assert count(portal, "deals") == 1

    def test_a_withdrawn_consent(self, app, portal):
        fault(portal, "expired_token", "profile")
        fault(portal, "invalid_grant", "oauth")
        with pytest.raises(AuthFailed, match="install"):
            app._client.call("profile")

    def test_consent_from_the_browser(self, portal):
        given = portal.credentials()
        names = ("client_id", "client_secret", "portal", "oauth_url")
        app = build(Bitrix24, {name: given[name] for name in names})
        page = requests.get(app.authorize_url("state", ""), allow_redirects=False, timeout=5)
        query = parse_qs(urlsplit(page.headers["Location"]).query)
        app.consent(Request("GET", "/oauth/crm", tuple((key, values[0]) for key, values in query.items())))
        assert app._client.call("profile")["ID"] == "1"

    @pytest.mark.skipif("app.info" not in METHODS, reason="the stand-in has no app.info yet")
    def test_an_installation(self, portal):
        heard = []
        portal.app.add_url_rule("/heard", view_func=lambda: _hear(heard), methods=["POST"])
        body = {"url": f"{portal.base_url}/heard"}
        assert requests.post(f"{portal.base_url}/_sandbox/install_app", json=body, timeout=5).ok
        assert portal.wait_events()
        given = portal.credentials()
        names = ("client_id", "client_secret", "portal", "oauth_url")
        app = build(Bitrix24, {name: given[name] for name in names})
        assert app.consent(heard[0]).status == 200
        assert do(app, "deal.create", {"TITLE": "x"}).id
        app.verify(replace(heard[0], path="/in/crm"))


class TestCare:
    def test_a_sound_connection(self, crm):
        found = crm.check()
        assert [finding.text for finding in found if finding.level in ("warning", "problem")] == []
        [note] = [finding.text for finding in found if finding.level == "note"]
        assert note.startswith("an outgoing webhook must point at"), "what nobody has looked up isn't called ok"

    def test_what_is_wrong_is_found(self, portal):
        names = {"fields": {"x": "UF_CRM_173000001"}, "stages": {"y": "C5:WONN", "z": "C0:WON"}}
        crm = build(Bitrix24, {"webhook_url": portal.credentials()["webhook_url"]}, names=names)
        words = {finding.text.split(" =")[0]: finding for finding in crm.check() if finding.level != "ok"}
        assert set(words) == {
            "field x",
            "stage y",
            "stage z",
            "application_token isn't set: every event is turned away",
        }
        assert "C5:WON" in words["stage y"].remedy

    def test_a_missing_permission(self):
        with Bitrix24Sandbox(scopes=["crm", "user"]).start() as running:
            crm = build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})
            texts = [finding.text for finding in crm.check() if finding.level == "warning"]
            assert any("`task`" in text for text in texts)
            with pytest.raises(Refused, match="task"):
                do(crm, "task.create", {"TITLE": "x", "RESPONSIBLE_ID": "1"})

    def test_the_portals_words(self, crm):
        names = crm.names()
        assert names["fields"]["ttn"] == ("UF_CRM_1730000001", "ТТН")
        assert ("C5:UC_BRANCH", "Магазин: У відділенні") in names["stages"].values()
        assert "1" in {code for code, _ in names["users"].values()}

    def test_an_app_subscribes_once(self, app, portal):
        url = f"{portal.base_url}/in/crm"
        first, second = app.connect(url), app.connect(url)
        assert first[0].text.startswith("20 events subscribed")
        assert second[0].text == "0 events subscribed, 20 were already"


def _hear(heard):
    from flask import request

    headers = {"content-type": request.content_type or ""}
    heard.append(Request("POST", "/in/crm", headers=headers, body=request.get_data()))
    return "ok"
