"""A1, E3: a request from the site becomes one contact and one lead, whatever happens; and what must never be seen."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.sandbox import now_utc
from tests.journeys.place import Place


def contacts(place: Place, phone: str = "+380671112233") -> list[str]:
    """Return the ids of the CRM's contacts with a phone."""
    found = place.crm.act(
        "crm.duplicate.findbycomm", {"type": "PHONE", "values": [phone], "entity_type": "CONTACT"}, user_id=1
    )
    return list((found or {}).get("CONTACT", [])) if isinstance(found, dict) else []


def leads(place: Place) -> list[dict[str, object]]:
    """Return the leads that came from the site."""
    return place.listed("crm.lead.list", filter={"SOURCE_ID": "WEB", "%TITLE": "Site:"}, select=["ID", "TITLE"])


def test_one_contact_one_lead_and_a_comment_for_the_second(place: Place) -> None:
    assert place.form(comment="the first") == 200
    place.settle()
    assert place.form(phone="0671112233", comment="the second") == 200
    place.settle()
    assert len(contacts(place)) == 1
    [lead] = leads(place)
    filter_ = {"ENTITY_TYPE": "lead", "ENTITY_ID": lead["ID"]}
    comments = place.listed("crm.timeline.comment.list", filter=filter_, select=["ID", "COMMENT"])
    assert len([one for one in comments if "the second" in str(one["COMMENT"])]) == 1


def test_two_requests_at_once_make_one_contact(place: Place) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: place.form(comment=f"number {n}"), range(8)))
    assert answers == [200] * 8
    place.settle()
    assert len(contacts(place)) == 1
    assert len(leads(place)) == 1


def test_a_lost_answer_to_the_lead_is_found_by_its_marker(place: Place) -> None:
    place.arm(0, "lost_reply", "crm.lead.add")
    place.form()
    place.settle()
    assert len(leads(place)) == 1
    assert place.rows("SELECT count(*) FROM delivery WHERE reason LIKE '%found_by_marker%'") == [(1,)]


def test_a_lost_answer_to_the_contact_makes_no_second_one(place: Place) -> None:
    place.arm(0, "lost_reply", "crm.contact.add")
    place.form()
    place.settle()
    assert (len(contacts(place)), len(leads(place))) == (1, 1)


def test_a_rate_limit_uses_up_no_try(place: Place) -> None:
    place.arm(0, "rate_limit", "crm.lead.add", times=2)
    place.form()
    place.settle(30.0)
    assert len(leads(place)) == 1
    assert place.rows("SELECT state, tries FROM delivery") == [("done", 1)]
    assert place.rows("SELECT count(*) FROM attempt WHERE outcome = 'limit'")[0][0] >= 1


def test_used_up_operating_time_waits_without_a_try(place: Place) -> None:
    """Bitrix24 locks a method for minutes then; the delivery waits for that, and only that."""
    place.arm(0, "operating_limit", "crm.lead.add")
    place.form()
    place.until(lambda: place.rows("SELECT state, tries, wait FROM delivery") == [("ready", 0, "limit")])


def test_an_expired_token_is_refreshed_exactly_once(places: Callable[..., Place]) -> None:
    """P11: four workers with a call each meet the same expired token; one of them refreshes it."""
    ahead = [0.0]
    place = places(oauth=True, workers=4, clock=lambda: now_utc() + dt.timedelta(seconds=ahead[0]))
    pair = place.crm.access.pair(1)
    place.runtime.connector("crm").tokens.store(pair)
    ahead[0] = 7200.0
    place.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: place.form(f"Client {n}", f"+3806711100{n:02}"), range(24)))
    place.settle(40.0)
    assert len(leads(place)) == 24
    assert place.crm.calls["oauth.token"] == 1
    fresh = place.runtime.connector("crm").tokens.read()
    assert fresh is not None
    assert fresh["access_token"] != pair["access_token"]
    for path in sorted((place.folder / "data").iterdir()):
        content = path.read_bytes()
        for token in (pair["access_token"], pair["refresh_token"], fresh["access_token"], fresh["refresh_token"]):
            assert token.encode() not in content, path


def test_secrets_are_nowhere_to_be_read(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """P13: after work, refusals and outages no secret stands in the store's files or in the log."""
    caplog.set_level(logging.DEBUG)
    place.arm(0, "internal_error", "crm.lead.add")
    place.arm(0, "outage", "crm.contact.add")
    deal = place.deal()
    place.ship(deal)
    place.form()
    place.until(lambda: place.of_deal(deal).get("UF_CRM_1730000001"))
    place.settle()
    place.arm(0, "access_denied", "crm.lead.add")
    place.form("Other", "+380671110000")
    place.until(lambda: place.rows("SELECT count(*) FROM alert WHERE kind = 'alert_auth'") == [(1,)])
    store = b"".join(path.read_bytes() for path in sorted((place.folder / "data").iterdir()) if path.is_file())
    for secret in place.secrets:
        assert secret.encode() not in store, secret
        assert not [one for one in caplog.records if one.name.startswith("hub") and secret in one.getMessage()]
