"""What must be true in the beauty company's evening."""

from __future__ import annotations

from collections import Counter

from hub.demo.beauty import day
from hub.demo.beauty.account import Outcome
from hub.demo.beauty.cast import Client
from hub.demo.checks import Checks, Verdict, all_right

CHECKS = Checks()
#: the way of a shop deal; the hub may only lead it further
_WAY = ("shop_new", "to_ship", "shipped", "at_branch", "received", "shop_won")
_WAY_BACK = ("returning", "refused")

CHECKS.way_in(unreadable=2)


# --- people -----------------------------------------------------------------------------------------------------------


@CHECKS.states(f"each of the {len(day.PEOPLE)} people is one contact, and there is no other")
def _one_contact(out: Outcome) -> Verdict:
    counts = Counter(row["phone"] for row in out.contacts)
    wrong = [f"{one.name}: {counts[one.phone]}" for one in day.PEOPLE if counts[one.phone] != 1]
    strangers = [row["name"] for row in out.contacts if row["phone"] not in {one.phone for one in day.PEOPLE}]
    return all_right(wrong + strangers, f"{len(out.contacts)} contacts")


@CHECKS.states("whoever asked has one lead, two forms in the same second included")
def _one_lead(out: Outcome) -> Verdict:
    counts = Counter(row["phone"] for row in out.leads)
    expected = {one.phone for one in day.LEADS}
    wrong = [f"{one.name}: {counts[one.phone]}" for one in day.LEADS if counts[one.phone] != 1]
    return all_right(wrong + [phone for phone in counts if phone not in expected], f"{len(out.leads)} leads")


@CHECKS.states("a second question joined the open lead or deal as a comment")
def _joined(out: Outcome) -> Verdict:
    wrong = [one.name for one in day.ASKED_TWICE if len(_questions(out, one)) != 1]
    return all_right(wrong, f"{len(day.ASKED_TWICE)} comments")


def _questions(out: Outcome, person: Client) -> list[str]:
    records = {f"lead {row['id']}" for row in out.leads if row["phone"] == person.phone}
    records |= {f"deal {row['id']}" for row in out.deals if row["phone"] == person.phone}
    ours = ("ТТН", "Посилка")
    return [row["text"] for row in out.comments if row["record"] in records and not row["text"].startswith(ours)]


# --- parcels ----------------------------------------------------------------------------------------------------------


@CHECKS.states(f"each of the {len(day.ENDS)} shipped deals has one waybill, and its number")
def _one_waybill(out: Outcome) -> Verdict:
    wrong = []
    for person in day.ENDS:
        numbers = [row["number"] for row in _own(out) if f"+{row['phone']}" == person.phone]
        if [deal["ttn"] for deal in _deals(out, person)] != numbers or len(numbers) != 1:
            wrong.append(f"{person.name}: {', '.join(numbers) or 'none'}")
    return all_right(wrong, f"{len(_own(out))} waybills")


@CHECKS.states("no second waybill after the lost answer: the first was found by its mark")
def _lost_answer(out: Outcome) -> Verdict:
    numbers = [row["number"] for row in _own(out) if f"+{row['phone']}" == day.MARIA.phone]
    found = out.reasons.get("found_by_marker", 0)
    return len(numbers) == 1 and found >= 1, f"waybill {', '.join(numbers)}, found again {found} time(s)"


@CHECKS.states("while Nova Poshta was away, requests went on into the CRM, and no waybill was lost")
def _outage(out: Outcome) -> Verdict:
    before, during = out.notes["before the outage"], out.notes["in the outage"]
    went_on = during["leads"] > before["leads"] and during["waybills"] == before["waybills"]
    return went_on and out.tries.get("retry", 0) > 0, f"{out.tries.get('retry', 0)} tries failed and were repeated"


@CHECKS.states("a waybill that Nova Poshta refuses becomes a to-do with the reason")
def _refused(out: Outcome) -> Verdict:
    titles = [row["title"] for row in out.todos if "several places have this name" in row["title"]]
    return len(titles) == 1, "made after the correction" if titles else "no such to-do"


@CHECKS.states("every deal stands where its parcel is")
def _ends(out: Outcome) -> Verdict:
    wrong = []
    for person, stage in day.ENDS.items():
        stages = [deal["stage"] for deal in _deals(out, person)]
        if stages != [stage]:
            wrong.append(f"{person.name}: {', '.join(stages) or 'no deal'} instead of {stage}")
    return all_right(wrong, f"{len(day.ENDS)} deals")


@CHECKS.states("no deal went back: late and backward scans were seen and not applied")
def _forward(out: Outcome) -> Verdict:
    wrong = [f"deal {deal}: {one} to {other}" for deal, one, other in out.moves if not _further(one, other)]
    held = [sum(out.reasons.get(code, 0) for code in codes) for codes in (("late",), ("backward", "stage_backward"))]
    if not wrong and not all(held):
        return False, f"{held[0]} late, {held[1]} backward scans noticed"
    return all_right(wrong, f"{len(out.moves)} moves, {held[0]} late and {held[1]} backward not applied")


def _further(one: str, other: str) -> bool:
    if other in _WAY_BACK:
        return True
    return one in _WAY and other in _WAY and _WAY.index(other) > _WAY.index(one)


@CHECKS.states("a deal that a colleague closed by hand was left alone")
def _hands_off(out: Outcome) -> Verdict:
    deal = _deals(out, day.POLINA)[0]
    after = [other for number, one, other in out.moves if number == deal["id"] and one == "shop_won"]
    return not after and out.reasons.get("stage_not_from", 0) >= 1, f"deal {deal['id']} is {deal['stage']}"


@CHECKS.states("each parcel at a branch made one reminder")
def _reminders(out: Outcome) -> Verdict:
    wrong = []
    for person in (*day.ARRIVED, day.POLINA):
        deal = _deals(out, person)[0]
        n = sum(row["deal"] == deal["id"] and deal["ttn"] in row["title"] for row in out.todos)
        if n != 1:
            wrong.append(f"{person.name}: {n}")
    return all_right(wrong, f"{len(day.ARRIVED) + 1} to-dos")


# --- good manners -----------------------------------------------------------------------------------------------------


@CHECKS.states("the echo of the hub's own writes set nothing off")
def _echo(out: Outcome) -> Verdict:
    echoes = out.reasons.get("echo", 0)
    return echoes > 0 and out.by_echo == 0, f"{echoes} echoes, {out.by_echo} acts"


CHECKS.manners(
    limited="Bitrix24",
    told="of garbage, of the outage while it lasted, and of nothing else",
    alerts={("alert_unreadable", True), ("alert_breaker", False)},
)


# --- small parts ------------------------------------------------------------------------------------------------------


def _own(out: Outcome) -> list[dict[str, str]]:
    """Return the waybills that we made; returns and redirects have a number of their own and name the first."""
    return [row for row in out.waybills if not row["owner_number"]]


def _deals(out: Outcome, person: Client) -> list[dict[str, str]]:
    return [deal for deal in out.deals if deal["phone"] == person.phone]
