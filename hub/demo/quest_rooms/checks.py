"""What must be true in the quest company's evening."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hub.demo.checks import Checks, Verdict, all_right
from hub.demo.letters import Person
from hub.demo.quest_rooms import day
from hub.demo.quest_rooms.account import Outcome
from hub.demo.quest_rooms.cast import Follower
from hub.demo.quest_rooms.world import LIST

CHECKS = Checks()
#: our words for the stages -> what Calltouch is told
STAGES = {
    "new": "Новая", "in_work": "В работе", "booked": "Забронировано", "played": "Сыграли",
    "won": "Успешно реализовано", "lost": "Закрыто и не реализовано",
}  # fmt: skip

CHECKS.way_in(unreadable=2)


# --- people -----------------------------------------------------------------------------------------------------------


@CHECKS.states(f"each of the {len(day.PEOPLE)} people is one contact, and there is no other")
def _one_contact(out: Outcome) -> Verdict:
    wrong = [f"{one.name}: {len(_contacts(out, one))}" for one in day.PEOPLE if len(_contacts(out, one)) != 1]
    known = {row["id"] for one in day.PEOPLE for row in _contacts(out, one)}
    strangers = [row["name"] for row in out.contacts if row["id"] not in known]
    return all_right(wrong + strangers, f"{len(out.contacts)} contacts")


@CHECKS.states("each of them has one deal: call, form, message or comment")
def _one_deal(out: Outcome) -> Verdict:
    wrong = [f"{one.name}: {len(_deals(out, one))}" for one in day.PEOPLE if len(_deals(out, one)) != 1]
    if len(out.deals) != len(day.PEOPLE):
        wrong.append(f"{len(out.deals)} deals in all")
    return all_right(wrong, f"{len(out.deals)} deals")


@CHECKS.states("a second request joined the open deal as a note")
def _joined(out: Outcome) -> Verdict:
    wrong = []
    for person, words in day.ASKED_AGAIN.items():
        deal = _deals(out, person)[0]
        again = [row for row in out.notes_at_deals if row["deal"] == deal["id"] and words in row["text"]]
        if len(again) != 1:
            wrong.append(f"{person.name}: {len(again)}")
    return all_right(wrong, f"{len(day.ASKED_AGAIN)} notes")


@CHECKS.states("each deal says where its guest came from: channel, campaign, session")
def _sources(out: Outcome) -> Verdict:
    wrong = []
    for person, wanted in day.SOURCES.items():
        deal = _deals(out, person)[0]
        wrong += [f"{person.name}: {name} {deal[name]!r}" for name, value in wanted.items() if deal[name] != value]
    return all_right(wrong, f"{sum(map(len, day.SOURCES.values()))} fields of {len(day.SOURCES)} deals")


@CHECKS.states("and names its call or request at Calltouch, with the session")
def _ids(out: Outcome) -> Verdict:
    wrong = []
    for person, name, record in _at_calltouch(out):
        deal = _deals(out, person)[0]
        session = record["sessionId"] if name == "ct_call" else record["session"]["sessionId"]
        told = record["callId" if name == "ct_call" else "requestId"]
        if (deal[name], deal["ct_session"]) != (str(told), str(session)):
            wrong.append(f"{person.name}: {deal[name]}, session {deal['ct_session']}")
    return all_right(wrong, f"{len(day.BY_CALL)} calls, {len(day.BY_REQUEST)} request")


@CHECKS.states("each deal has one task: answer")
def _tasks(out: Outcome) -> Verdict:
    counts = Counter(row["deal"] for row in out.tasks)
    wrong = [f"deal {deal['id']}: {counts[deal['id']]}" for deal in out.deals if counts[deal["id"]] != 1]
    return all_right(wrong, f"{len(out.tasks)} tasks")


# --- Instagram --------------------------------------------------------------------------------------------------------


@CHECKS.states("what was written on Instagram stands in amoCRM's chat, once")
def _chats(out: Outcome) -> Verdict:
    wrong = []
    for person, texts in day.WROTE.items():
        held = [text for who, text in out.chats.get(person.id, []) if who == "client"]
        if held != texts:
            wrong.append(f"{person.name}: {held}")
    return all_right(wrong, f"{sum(map(len, day.WROTE.values()))} messages")


@CHECKS.states("the answers from amoCRM reached Instagram, once, the lost reply included")
def _answers(out: Outcome) -> Verdict:
    wrong = [f"{one.name}: {out.said.get(one.id)}" for one, texts in day.ANSWERS.items() if out.said[one.id] != texts]
    others = set(out.said) - {one.id for one in day.ANSWERS}
    wrong += [f"{one}: {out.said[one]}" for one in sorted(others) if out.said[one]]
    return all_right(wrong, f"{sum(map(len, day.ANSWERS.values()))} answers")


@CHECKS.states("and each of them is ticked there as delivered")
def _delivered(out: Outcome) -> Verdict:
    expected = sum(map(len, day.ANSWERS.values()))
    told = (len(out.delivered), len(set(out.delivered)))
    return told == (expected, expected), f"{told[1]} of {expected}"


@CHECKS.states("who took the call or answered first is responsible")
def _responsible(out: Outcome) -> Verdict:
    wrong = []
    for person, user in day.RESPONSIBLE.items():
        deal = _deals(out, person)[0]
        if deal["responsible"] != user:
            wrong.append(f"{person.name}: {deal['responsible']}")
    return all_right(wrong, f"{len(day.RESPONSIBLE)} deals")


# --- deals and Calltouch ----------------------------------------------------------------------------------------------


@CHECKS.states("every deal stands where it was led, with its sum")
def _ends(out: Outcome) -> Verdict:
    wrong = []
    for person, end in day.ENDS.items():
        stands = [(deal["stage"], deal["amount"]) for deal in _deals(out, person)]
        if stands != [end]:
            wrong.append(f"{person.name}: {stands} instead of {end}")
    return all_right(wrong, f"{len(day.ENDS)} deals")


@CHECKS.states("Calltouch has each deal once, with stage and revenue")
def _orders(out: Outcome) -> Verdict:
    wrong = [f"order {number} of no deal" for number in out.orders if number not in {d["id"] for d in out.deals}]
    for person, (stage, amount) in day.ENDS.items():
        order = out.orders.get(_deals(out, person)[0]["id"], {})
        told = (order.get("status"), int(float(order.get("revenue") or 0)))
        if told != (STAGES[stage], amount):
            wrong.append(f"{person.name}: {told}")
    total = sum(amount for stage, amount in day.ENDS.values() if stage == "won")
    return all_right(wrong, f"{len(out.orders)} orders, {total} of revenue")


@CHECKS.states("and has matched it with the call or request it came of")
def _matched(out: Outcome) -> Verdict:
    wrong = []
    for person, name, record in _at_calltouch(out):
        kind, number = ("call", record["callId"]) if name == "ct_call" else ("request", record["requestId"])
        lead = out.orders[_deals(out, person)[0]["id"]]["lead"]
        if lead != {kind: number}:
            wrong.append(f"{person.name}: {lead}")
    return all_right(wrong, f"{len(day.BY_CALL) + len(day.BY_REQUEST)} leads")


# --- letters ----------------------------------------------------------------------------------------------------------


@CHECKS.states("who has played is on the list and has one letter, the lost answer included")
def _letters(out: Outcome) -> Verdict:
    wrong = []
    for person, link in day.LETTERS.items():
        mine = [one for one in out.letters if one["email"] == person.email]
        if len(mine) != 1 or link not in mine[0]["body"] or LIST not in out.readers.get(person.email, {}):
            wrong.append(f"{person.name}: {len(mine)} letters, lists {out.readers.get(person.email)}")
    if len(out.letters) != len(day.LETTERS):
        wrong.append(f"{len(out.letters)} letters in all")
    return all_right(wrong, f"{len(out.letters)} letters, {len(out.readers)} readers")


@CHECKS.states("a bounce and a farewell came back as marks on the contact")
def _marks(out: Outcome) -> Verdict:
    wanted = {(one.phone, mark) for one, mark in day.MARKS.items()}
    found = {(row["phone"], mark) for row in out.contacts for mark in ("bounced", "unsubscribed") if row[mark]}
    wrong = [f"{phone}: {mark}" for phone, mark in sorted(wanted ^ found)]
    return all_right(wrong, f"{len(found)} marks")


# --- trouble ----------------------------------------------------------------------------------------------------------


@CHECKS.states("while amoCRM was away, requests were taken, and none was lost")
def _outage(out: Outcome) -> Verdict:
    during = out.notes["in the outage"] - out.notes["before the outage"]
    after = [one.name for one in day.IN_THE_OUTAGE if len(_deals(out, one)) != 1]
    if during or after or not out.tries.get("retry"):
        return False, f"{during} made meanwhile, {len(after)} missing afterwards"
    return True, f"{out.tries['retry']} tries failed and were repeated"


@CHECKS.states("no second deal after the lost answer: the first was found by its mark")
def _lost_answer(out: Outcome) -> Verdict:
    found = out.reasons.get("found_by_marker", 0)
    return len(_deals(out, day.LEV)) == 1 and found >= 1, f"found again {found} time(s)"


@CHECKS.states("every trouble of the day hit somebody")
def _hit(out: Outcome) -> Verdict:
    doubtful = out.tries.get("uncertain", 0)
    wrong = out.missed if doubtful else [*out.missed, "no answer was lost"]
    return all_right(wrong, f"{doubtful} calls whose answer was lost")


@CHECKS.states("what the hub wrote came back and was no news")
def _echo(out: Outcome) -> Verdict:
    echoes = out.reasons.get("echo", 0)
    return echoes > 0, f"{echoes} echoes"


CHECKS.manners(
    limited="amoCRM",
    told="of garbage, of the outage while it lasted, and of nothing else",
    alerts={("alert_unreadable", True), ("alert_breaker", False)},
)


# --- small parts ------------------------------------------------------------------------------------------------------


def _contacts(out: Outcome, person: Person) -> list[dict[str, Any]]:
    if isinstance(person, Follower):
        return [row for row in out.contacts if not row["phone"] and row["name"] in person.names]
    return [row for row in out.contacts if row["phone"] == person.phone]


def _deals(out: Outcome, person: Person) -> list[dict[str, Any]]:
    mine = {row["id"] for row in _contacts(out, person)}
    return [deal for deal in out.deals if deal["contact"] in mine]


def _at_calltouch(out: Outcome) -> Iterator[tuple[Person, str, dict[str, Any]]]:
    """Yield (person, field of the deal, the journal's record)."""
    for person in day.BY_CALL:
        yield person, "ct_call", out.notes["calls"][person.name]
    for other in day.BY_REQUEST:
        yield other, "ct_request", out.notes["requests"][other.name]
