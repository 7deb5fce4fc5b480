"""An evening on which all is well, made out of what the day expects; tests spoil it."""

from __future__ import annotations

from hub.demo.account import Group
from hub.demo.beauty import day
from hub.demo.beauty.account import Outcome
from hub.demo.world import Sent


def good() -> Outcome:
    """Return an outcome that passes every check."""
    letters = [Sent("questions", "form", 200, 200, 0.01), *(_again() for _ in range(2))]
    letters += [Sent("questions", "garbage", 401, 401, 0.01)]
    deals, waybills, todos, comments = [], [], [], []
    for number, (person, stage) in enumerate(day.ENDS.items(), 2001):
        ttn = f"2045{number:010}"
        deals.append({"id": str(number), "title": "", "phone": person.phone, "stage": stage, "ttn": ttn, "amount": "1"})
        waybills.append(
            {"number": ttn, "status": "1", "phone": person.phone[1:], "owner_number": "", "client_barcode": ""}
        )
        if person in (*day.ARRIVED, day.POLINA):
            todos.append({"deal": str(number), "title": f"Нагадати забрати посилку {ttn}"})
    todos.append({"deal": "2007", "title": "ТТН не створено: several places have this name"})
    leads = [{"id": str(n), "title": "", "phone": one.phone} for n, one in enumerate(day.LEADS, 1001)]
    for person in day.ASKED_TWICE:
        lead = next((f"lead {row['id']}" for row in leads if row["phone"] == person.phone), "")
        record = lead or next(f"deal {row['id']}" for row in deals if row["phone"] == person.phone)
        comments.append({"record": record, "text": "Питання"})
    return Outcome(
        groups={
            Group("questions", "form.submitted", "a lead"): 1,
            Group("questions", "the same once more", "recognised"): 2,
            Group("questions", "unreadable", "kept", "not JSON"): 2,
            Group("questions", "turned away", "answered 401", "wrong secret"): 1,
        },
        arrived={"sent": 6},
        sent=letters,
        contacts=[{"id": "1", "name": one.name, "phone": one.phone} for one in day.PEOPLE],
        leads=leads,
        deals=deals,
        todos=todos,
        comments=comments,
        waybills=waybills,
        moves=[("2001", "to_ship", "shipped"), ("2001", "shipped", "at_branch"), ("2001", "at_branch", "returning")],
        tries={"done": 50, "retry": 3, "limit": 2},
        reasons={"found_by_marker": 1, "late": 1, "stage_backward": 1, "stage_not_from": 1, "echo": 9},
        by_echo=0,
        unfinished={"receipts": 0, "events": 0, "deliveries": 0, "parked": 0},
        alerts=[
            {"kind": "alert_unreadable", "words": "", "times": 1, "open": True},
            {"kind": "alert_unrouted", "words": "", "times": 1, "open": True},
            {"kind": "alert_breaker", "words": "", "times": 1, "open": False},
        ],
        found={one.name: 3 for one in day.PEOPLE},
        notes={"before the outage": {"leads": 5, "waybills": 9}, "in the outage": {"leads": 6, "waybills": 9}},
    )


def _again() -> Sent:
    return Sent("questions", "form", 200, 200, 0.01, kind="same again")
