"""An evening on which all is well, made out of what the day expects; tests spoil it."""

from __future__ import annotations

from typing import Any

from hub.demo.quest_rooms import checks, day
from hub.demo.quest_rooms.account import Outcome
from hub.demo.quest_rooms.cast import Follower
from hub.demo.quest_rooms.world import BOSS, LIST
from tests.hub.demo import evening


def good() -> Outcome:
    """Return an outcome that passes every check."""
    common = evening.common("site", day.PEOPLE)
    common["notes"] = {"before the outage": 8, "in the outage": 8} | _journal()
    contacts: list[dict[str, Any]] = []
    deals: list[dict[str, Any]] = []
    orders: dict[str, dict[str, Any]] = {}
    for number, person in enumerate(day.PEOPLE):
        mark = day.MARKS.get(person, "")
        name = person.id if isinstance(person, Follower) else person.name
        contacts.append(
            {"id": str(100 + number), "name": name, "phone": person.phone, "email": person.email}
            | {one: one == mark for one in ("bounced", "unsubscribed")}
        )
        stage, amount = day.ENDS[person]
        fields = dict.fromkeys(("channel", "quest", "utm_source", "utm_campaign", "ct_call", "ct_request"), "")
        record = common["notes"]["calls"].get(person.name) or common["notes"]["requests"].get(person.name)
        lead: dict[str, int] = {}
        if person in day.BY_CALL:
            fields |= {"ct_call": str(record["callId"]), "ct_session": str(record["sessionId"])}
            lead = {"call": record["callId"]}
        elif person in day.BY_REQUEST:
            fields |= {"ct_request": str(record["requestId"]), "ct_session": str(record["session"]["sessionId"])}
            lead = {"request": record["requestId"]}
        deals.append(
            {"id": str(200 + number), "title": "", "contact": str(100 + number), "stage": stage, "amount": amount,
             "responsible": day.RESPONSIBLE.get(person, BOSS), "ct_session": "", **fields,
             **day.SOURCES.get(person, {})}
        )  # fmt: skip
        orders[str(200 + number)] = {"status": checks.STAGES[stage], "revenue": f"{amount}.00", "lead": lead}
    of = {person: deals[number]["id"] for number, person in enumerate(day.PEOPLE)}
    return Outcome(
        **common,
        contacts=contacts,
        deals=deals,
        tasks=[{"deal": deal["id"], "text": "Ответить"} for deal in deals],
        notes_at_deals=[{"deal": of[one], "text": words} for one, words in day.ASKED_AGAIN.items()],
        chats={one.id: [("client", text) for text in texts] for one, texts in day.WROTE.items()},
        delivered=[f"{one.id}-{n}" for one, texts in day.ANSWERS.items() for n, _ in enumerate(texts)],
        said={one.id: list(texts) for one, texts in day.ANSWERS.items()},
        orders=orders,
        readers={one.email: {LIST: "new"} for one in day.LETTERS},
        letters=[
            {"email": one.email, "subject": "", "body": link, "status": "not_sent"}
            for one, link in day.LETTERS.items()
        ],
        missed=[],
    )  # fmt: skip


def _journal() -> dict[str, Any]:
    """Return Calltouch's records of the calls and requests that the checks ask for."""
    calls = {one.name: {"callId": 300 + n, "sessionId": 400 + n} for n, one in enumerate(day.BY_CALL)}
    requests = {
        one.name: {"requestId": 700 + n, "session": {"sessionId": 450 + n}} for n, one in enumerate(day.BY_REQUEST)
    }
    return {"calls": calls, "requests": requests}
