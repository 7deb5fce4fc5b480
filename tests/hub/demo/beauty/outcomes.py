"""An evening on which all is well, made out of what the day expects; tests spoil it."""

from __future__ import annotations

from hub.demo.beauty import day
from hub.demo.beauty.account import Outcome
from tests.hub.demo import evening


def good() -> Outcome:
    """Return an outcome that passes every check."""
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
    common = evening.common("questions", day.PEOPLE)
    common["reasons"] |= {"late": 1, "stage_backward": 1, "stage_not_from": 1}
    common["notes"] = {
        "before the outage": {"leads": 5, "waybills": 9},
        "in the outage": {"leads": 6, "waybills": 9},
    }
    return Outcome(
        **common,
        contacts=[{"id": "1", "name": one.name, "phone": one.phone} for one in day.PEOPLE],
        leads=leads,
        deals=deals,
        todos=todos,
        comments=comments,
        waybills=waybills,
        moves=[("2001", "to_ship", "shipped"), ("2001", "shipped", "at_branch"), ("2001", "at_branch", "returning")],
    )
