"""What must be true in the evening. Each check looks at the outcome and says whether it holds, with a word of proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hub.demo import day
from hub.demo.account import Outcome
from hub.demo.cast import Person

Verdict = tuple[bool, str]
Check = Callable[[Outcome], Verdict]
_CHECKS: list[tuple[str, Check]] = []
#: the way of a shop deal; the hub may only lead it further
_WAY = ("shop_new", "to_ship", "shipped", "at_branch", "received", "shop_won")
_WAY_BACK = ("returning", "refused")
SLOWEST = 2.0


@dataclass(frozen=True)
class Result:
    """One check and how it came out."""

    words: str
    ok: bool
    proof: str


def check(outcome: Outcome) -> list[Result]:
    """Return all checks with their verdicts; one that stumbles over the outcome has failed."""
    results = []
    for words, judge in _CHECKS:
        try:
            ok, proof = judge(outcome)
        except (KeyError, IndexError, ValueError) as error:
            ok, proof = False, f"{type(error).__name__}: {error}"
        results.append(Result(words, ok, proof))
    return results


def _states(words: str) -> Callable[[Check], Check]:
    def enter(judge: Check) -> Check:
        _CHECKS.append((words, judge))
        return judge

    return enter


def _all(wrong: list[str], right: str) -> Verdict:
    """Return a verdict that names what is wrong, or says what is right."""
    return (False, "; ".join(wrong[:4])) if wrong else (True, right)


# --- the way in -------------------------------------------------------------------------------------------------------


@_states("every request got the answer it should")
def _answers(out: Outcome) -> Verdict:
    wrong = [f"{one.what}: {one.status} instead of {one.expected}" for one in out.sent if one.status != one.expected]
    turned = sum(one.expected >= 400 for one in out.sent)
    return _all(wrong, f"{len(out.sent) - turned} taken, {turned} turned away")


@_states("the answer came quickly, outage or not")
def _quick(out: Outcome) -> Verdict:
    slowest = max(one.took for one in out.sent)
    return slowest < SLOWEST, f"the slowest took {slowest * 1000:.0f} ms"


@_states("the account adds up: each request is in exactly one group")
def _adds_up(out: Outcome) -> Verdict:
    counted, arrived = sum(out.groups.values()), sum(out.arrived.values())
    return counted == arrived, f"{arrived} arrived, {counted} accounted for"


@_states("every accepted request can be found, by the phone in any spelling")
def _found(out: Outcome) -> Verdict:
    return _all([name for name, events in out.found.items() if not events], f"{sum(out.found.values())} events found")


@_states("what came several times was done once")
def _once(out: Outcome) -> Verdict:
    sent = sum(one.kind == "same again" for one in out.sent)
    known = sum(
        n for group, n in out.groups.items() if group.what == "the same once more" and group.connection != "crm"
    )
    return sent == known, f"{known} repetitions recognised"


@_states("garbage is kept with its reason or turned away with one")
def _garbage(out: Outcome) -> Verdict:
    kept = sum(n for group, n in out.groups.items() if group.what == "unreadable" and group.why)
    turned = sum(n for group, n in out.groups.items() if group.what == "turned away" and group.why)
    expected = sum(one.expected >= 400 for one in out.sent)
    return (kept, turned) == (2, expected), f"{kept} kept, rejected: {turned}"


# --- people -----------------------------------------------------------------------------------------------------------


@_states(f"each of the {len(day.PEOPLE)} people is one contact, and there is no other")
def _one_contact(out: Outcome) -> Verdict:
    counts = Counter(row["phone"] for row in out.contacts)
    wrong = [f"{one.name}: {counts[one.phone]}" for one in day.PEOPLE if counts[one.phone] != 1]
    strangers = [row["name"] for row in out.contacts if row["phone"] not in {one.phone for one in day.PEOPLE}]
    return _all(wrong + strangers, f"{len(out.contacts)} contacts")


@_states("whoever asked has one lead, two forms in the same second included")
def _one_lead(out: Outcome) -> Verdict:
    counts = Counter(row["phone"] for row in out.leads)
    expected = {one.phone for one in day.LEADS}
    wrong = [f"{one.name}: {counts[one.phone]}" for one in day.LEADS if counts[one.phone] != 1]
    return _all(wrong + [phone for phone in counts if phone not in expected], f"{len(out.leads)} leads")


@_states("a second question joined the open lead or deal as a comment")
def _joined(out: Outcome) -> Verdict:
    wrong = [one.name for one in day.ASKED_TWICE if len(_questions(out, one)) != 1]
    return _all(wrong, f"{len(day.ASKED_TWICE)} comments")


def _questions(out: Outcome, person: Person) -> list[str]:
    records = {f"lead {row['id']}" for row in out.leads if row["phone"] == person.phone}
    records |= {f"deal {row['id']}" for row in out.deals if row["phone"] == person.phone}
    ours = ("ТТН", "Посилка")
    return [row["text"] for row in out.comments if row["record"] in records and not row["text"].startswith(ours)]


# --- parcels ----------------------------------------------------------------------------------------------------------


@_states(f"each of the {len(day.ENDS)} shipped deals has one waybill, and its number")
def _one_waybill(out: Outcome) -> Verdict:
    wrong = []
    for person in day.ENDS:
        numbers = [row["number"] for row in _own(out) if f"+{row['phone']}" == person.phone]
        if [deal["ttn"] for deal in _deals(out, person)] != numbers or len(numbers) != 1:
            wrong.append(f"{person.name}: {', '.join(numbers) or 'none'}")
    return _all(wrong, f"{len(_own(out))} waybills")


@_states("no second waybill after the lost answer: the first was found by its mark")
def _lost_answer(out: Outcome) -> Verdict:
    numbers = [row["number"] for row in _own(out) if f"+{row['phone']}" == day.MARIA.phone]
    found = out.reasons.get("found_by_marker", 0)
    return len(numbers) == 1 and found >= 1, f"waybill {', '.join(numbers)}, found again {found} time(s)"


@_states("while Nova Poshta was away, requests went on into the CRM, and no waybill was lost")
def _outage(out: Outcome) -> Verdict:
    before, during = out.notes["before the outage"], out.notes["in the outage"]
    went_on = during["leads"] > before["leads"] and during["waybills"] == before["waybills"]
    return went_on and out.tries.get("retry", 0) > 0, f"{out.tries.get('retry', 0)} tries failed and were repeated"


@_states("a waybill that Nova Poshta refuses becomes a to-do with the reason")
def _refused(out: Outcome) -> Verdict:
    titles = [row["title"] for row in out.todos if "several places have this name" in row["title"]]
    return len(titles) == 1, "made after the correction" if titles else "no such to-do"


@_states("every deal stands where its parcel is")
def _ends(out: Outcome) -> Verdict:
    wrong = []
    for person, stage in day.ENDS.items():
        stages = [deal["stage"] for deal in _deals(out, person)]
        if stages != [stage]:
            wrong.append(f"{person.name}: {', '.join(stages) or 'no deal'} instead of {stage}")
    return _all(wrong, f"{len(day.ENDS)} deals")


@_states("no deal went back: late and backward scans were seen and not applied")
def _forward(out: Outcome) -> Verdict:
    wrong = [f"deal {deal}: {one} to {other}" for deal, one, other in out.moves if not _further(one, other)]
    held = [out.reasons.get(code, 0) for code in ("late", "stage_backward")]
    if not wrong and not all(held):
        return False, f"{held[0]} late, {held[1]} backward scans noticed"
    return _all(wrong, f"{len(out.moves)} moves, {held[0]} late and {held[1]} backward not applied")


def _further(one: str, other: str) -> bool:
    if other in _WAY_BACK:
        return True
    return one in _WAY and other in _WAY and _WAY.index(other) > _WAY.index(one)


@_states("a deal that a colleague closed by hand was left alone")
def _hands_off(out: Outcome) -> Verdict:
    deal = _deals(out, day.POLINA)[0]
    after = [other for number, one, other in out.moves if number == deal["id"] and one == "shop_won"]
    return not after and out.reasons.get("stage_not_from", 0) >= 1, f"deal {deal['id']} is {deal['stage']}"


@_states("each parcel at a branch made one reminder")
def _reminders(out: Outcome) -> Verdict:
    wrong = []
    for person in (*day.ARRIVED, day.POLINA):
        deal = _deals(out, person)[0]
        n = sum(row["deal"] == deal["id"] and deal["ttn"] in row["title"] for row in out.todos)
        if n != 1:
            wrong.append(f"{person.name}: {n}")
    return _all(wrong, f"{len(day.ARRIVED) + 1} to-dos")


# --- good manners -----------------------------------------------------------------------------------------------------


@_states("the echo of the hub's own writes set nothing off")
def _echo(out: Outcome) -> Verdict:
    echoes = out.reasons.get("echo", 0)
    return echoes > 0 and out.by_echo == 0, f"{echoes} echoes, {out.by_echo} acts"


@_states("Bitrix24's limit was hit and waited for")
def _limit(out: Outcome) -> Verdict:
    return out.tries.get("limit", 0) > 0, f"{out.tries.get('limit', 0)} calls waited"


@_states("a person was told: of garbage, of what nobody listens to, of the outage while it lasted")
def _told(out: Outcome) -> Verdict:
    stands = {(alert["kind"], alert["open"]) for alert in out.alerts}
    wanted = {("alert_unreadable", True), ("alert_unrouted", True), ("alert_breaker", False)}
    missing = [f"{kind} {'open' if stays else 'closed'}" for kind, stays in sorted(wanted - stands)]
    return _all(missing, f"{sum(alert['open'] for alert in out.alerts)} open alerts")


@_states("nothing is left undone, nothing waits for a person")
def _done(out: Outcome) -> Verdict:
    return _all([f"{n} {what}" for what, n in out.unfinished.items() if n], f"{out.tries.get('done', 0)} calls done")


# --- small parts ------------------------------------------------------------------------------------------------------


def _own(out: Outcome) -> list[dict[str, str]]:
    """Return the waybills that we made; returns and redirects have a number of their own and name the first."""
    return [row for row in out.waybills if not row["owner_number"]]


def _deals(out: Outcome, person: Person) -> list[dict[str, str]]:
    return [deal for deal in out.deals if deal["phone"] == person.phone]
