"""The ledger of requests: every one that came in as a row, what became of it, and whether the day adds up.

A request is an event by which somebody asks something (`hub.events.INQUIRIES`), brought by a message from outside. What
goes on with an earlier one is no row of its own: a further event of one call, a message within a day of the one before
of the same person at the same connection, a hint joined into another, a request acted upon again by hand. The hub's own
(an echo, an outgoing call, an order it made) is none. What became of a call or a conversation is what became of all its
events: the call that rings goes nowhere, and once it was missed it becomes a deal.

    came in = new + joined + turned away by rule + on the way + waits for a human + dropped by a person

Everything is derived when it is asked for, from events, deliveries, links and the records as last seen: a row changes
for weeks after its day (a parked call is retried, a deal is won), and a table of rows would have to follow all of that
on the hot path. Two things are kept as counters of the day (table `counter`, 400 days), since they can't be derived:
how many events that may be requests were stored (`requests`, written in their own commit: what the sum is measured
by), and the sums of each day as the sweeper found them, which outlive `keep`. Days are those of `hub.timezone`.
"""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.config import Config
from hub.events import CALLS, INQUIRIES
from hub.reasons import stored
from hub.store import Db, Store, inquiries, state
from hub.store.inquiries import COUNTED, Row
from hub.store.work import Ref
from hub.touches import first_touch, outgoing

OUTCOMES = ("new", "joined", "turned_away", "on_the_way", "waits", "dropped")
#: seconds without a message of theirs after which somebody's next one opens another conversation
CONVERSATION = 86400.0
#: seconds after a day in which a first touch is still looked for
TOUCH_WITHIN = 14 * 86400.0
#: days whose sums the sweeper looks at again: they settle for some time
SETTLING = 7
#: of several records a request became, the one that tells most
_TELLS = ("deal", "lead", "order", "item", "contact")
_KEPT = (
    "requests_continued", "requests_new", "requests_joined", "requests_turned_away", "requests_on_the_way",
    "requests_waits", "requests_dropped",
)  # fmt: skip


@dataclass
class Request:
    """One request. `touched_after` is seconds until a person did something; `money` is (amount, currency) once won, in
    the row of the request that made the record."""

    id: str
    at: float
    connection: str
    type: str
    subject: str
    person: int | None
    outcome: str
    why: dict[str, Any] | None = None
    now: Ref | None = None
    stage: str = ""
    url: str = ""
    touched_after: float | None = None
    money: tuple[Decimal, str] | None = None
    #: every record it became or joined
    refs: list[Ref] = field(default_factory=list)
    event: int = 0


@dataclass
class Day:
    """A day's ledger. `received` counts what was stored; `continued` went on with another request."""

    day: str
    rows: list[Request] = field(default_factory=list)
    received: Counter[str] = field(default_factory=Counter)
    continued: Counter[str] = field(default_factory=Counter)
    #: sums that were kept, where the rows are forgotten already
    kept: dict[str, dict[str, int]] = field(default_factory=dict)

    def totals(self) -> dict[str, dict[str, Any]]:
        """Return connection -> received, continued, each outcome, untouched, median first touch, money."""
        names = {*self.received, *self.continued, *(row.connection for row in self.rows)}
        return {name: self._total(name) for name in sorted(names)} or self.kept

    def _total(self, name: str) -> dict[str, Any]:
        mine = [row for row in self.rows if row.connection == name]
        found = Counter(row.outcome for row in mine)
        touched = [row.touched_after for row in mine if row.touched_after is not None]
        money: dict[str, Decimal] = defaultdict(Decimal)
        for row in mine:
            if row.money is not None:
                money[row.money[1]] += row.money[0]
        return {
            "received": self.received[name] + sum(row.event == 0 for row in mine),
            "continued": self.continued[name],
            **{outcome: found[outcome] for outcome in OUTCOMES},
            "untouched": len(mine) - len(touched),
            "median_touch": statistics.median(touched) if touched else None,
            "money": {currency: str(amount) for currency, amount in sorted(money.items())},
        }

    def unaccounted(self) -> dict[str, tuple[int, int]]:
        """Return connection -> (received, accounted for) where they differ."""
        found = {}
        for name, total in self.totals().items():
            accounted = total["continued"] + sum(total[outcome] for outcome in OUTCOMES)
            if total["received"] != accounted:
                found[name] = (total["received"], accounted)
        return found


# --- a day ----------------------------------------------------------------------------------------------


def bounds(day: str, config: Config) -> tuple[float, float]:
    """Return when a day begins and ends, in epoch seconds. ValueError if it is no date."""
    first = dt.date.fromisoformat(day)
    midnights = (dt.datetime.combine(one, dt.time(), config.hub.zone) for one in (first, first + dt.timedelta(days=1)))
    begins, ends = (one.timestamp() for one in midnights)
    return begins, ends


def today(db: Db, config: Config, back: int = 0) -> str:
    """Return today's date on the company's clock, or that of so many days ago."""
    date = dt.datetime.fromtimestamp(db.now, config.hub.zone).date()
    return (date - dt.timedelta(days=back)).isoformat()


def ledger(db: Db, config: Config, day: str, whole: bool = True) -> Day:
    """Return a day's ledger. whole: with where each request is now, the first touch and the money."""
    begins, ends = bounds(day, config)
    found = Day(day)
    counters = inquiries.counted(db, day, (COUNTED, *_KEPT))
    for (connection, name), n in counters.items():
        if name == COUNTED:
            found.received[connection] = n
    own = _own(db, found, begins, ends)
    while batch := list(itertools.islice(own, 300)):
        found.rows += _judged(db, config, batch)
    if not found.rows and not found.continued and any(name != COUNTED for _, name in counters):
        return _kept(day, counters)
    for receipt in inquiries.unread(db, _askable(config), begins, ends):
        found.rows.append(_unread(receipt))
    found.rows.sort(key=lambda row: row.at)
    if whole:
        _where_now(db, config, found.rows)
        first_touch(db, found.rows, begins, ends + TOUCH_WITHIN)
    return found


def _kept(day: str, counters: Mapping[tuple[str, str], int]) -> Day:
    found = Day(day)
    for connection in sorted({one for one, _ in counters}):
        sums = {name: counters.get((connection, f"requests_{name}"), 0) for name in ("continued", *OUTCOMES)}
        received = counters.get((connection, COUNTED), 0)
        found.kept[connection] = {"received": received, **sums}
    return found


def _askable(config: Config) -> set[str]:
    """Return the connections whose requests nobody has read may be requests: not those that only send hints."""
    return {
        name for name, one in config.connections.items()
        if not one.connector.hints and any(kind.name in INQUIRIES for kind in one.connector.events)
    }  # fmt: skip


def _own(db: Db, found: Day, begins: float, ends: float) -> Iterator[tuple[Row, Sequence[int]]]:
    """Yield the events that are requests of their own, each with those that go on with it; these are only counted."""
    talks = _conversations(db, begins, ends)
    calls: list[Row] = []
    for row in inquiries.came_in(db, INQUIRIES, begins, ends):
        if row["type"] in CALLS:
            calls.append(row)
        elif _goes_on(row) or (row["type"] == "message.received" and row["id"] not in talks):
            found.continued[row["connection"]] += 1
        else:
            yield row, talks.get(row["id"], ())
    events = inquiries.of_subjects(db, {(row["connection"], row["subject"]) for row in calls}, CALLS)
    for row in calls:
        first, *further = events.get((row["connection"], row["subject"]), [row["id"]])  # erased meanwhile: it alone
        if _goes_on(row) or row["id"] != first or outgoing(row):
            found.continued[row["connection"]] += 1
        else:
            yield row, further


def _goes_on(row: Row) -> bool:
    """Return whether an event goes on with another, or is the hub's own."""
    state_ = _state(row)
    return state_ in ("joined", "echo") or bool(row["content"].get("again")) or row["content"].get("by") == "hub"


def _state(row: Row) -> str:
    """Return an event's state, that before it was erased."""
    if row["state"] != "erased":
        return str(row["state"])
    return str(((row["reason"] or {}).get("params") or {}).get("was") or "planned")


def _conversations(db: Db, begins: float, ends: float) -> dict[int, list[int]]:
    """Return message that opens a conversation -> those that go on with it; one of somebody at a connection goes on as
    long as no day passes without a message. Looked at from a day before to a day after.
    """
    last: dict[tuple[str, Any], tuple[float, int]] = {}
    found: dict[int, list[int]] = {}
    rows = inquiries.came_in(db, {"message.received"}, begins - CONVERSATION, ends + CONVERSATION)
    for row in inquiries.rooted(db, rows):
        if _goes_on(row):
            continue
        contact = row["content"]["record"].get("contact") or {}
        who = row["root"] or contact.get("id") or contact.get("handle") or row["subject"]
        before, opener = last.get((row["connection"], who), (0.0, 0))
        if row["at"] - before > CONVERSATION:
            opener = row["id"]
            found[opener] = []
        else:
            found[opener].append(row["id"])
        last[row["connection"], who] = (row["at"], opener)
    return found


# --- what became of it ----------------------------------------------------------------------------------


def _judged(db: Db, config: Config, rows: Sequence[tuple[Row, Sequence[int]]]) -> list[Request]:
    told = inquiries.deliveries(db, [id for row, further in rows for id in (row["id"], *further)])
    return [
        _judge(config, row, [one for id in (row["id"], *further) for one in told.get(id, ())]) for row, further in rows
    ]


def _judge(config: Config, row: Row, deliveries: Sequence[Row]) -> Request:
    """Return a request with its outcome: the most unfinished of what was planned for it, else the most it became."""
    request = Request(
        f"e{row['id']}", row["occurred_at"] or row["at"], row["connection"], row["type"], row["subject"], row["person"],
        "turned_away", event=row["id"],
    )  # fmt: skip
    its_state, notes = _state(row), row["reason"] or {}
    if its_state != "planned" and not deliveries:
        outcome = {"waiting": "on_the_way", "unreadable": "waits", "dropped": "dropped"}.get(its_state, "turned_away")
        request.outcome, request.why = outcome, notes if "code" in notes else None
        return request
    states = {one["state"]: one for one in deliveries}
    done = [one for one in deliveries if one["state"] == "done" and _took_effect(one)]
    made = [one for one in done if _made(config, one)]
    for one in done:
        request.refs += _refs(one)
    if "ready" in states:
        request.outcome = "on_the_way"
    elif "parked" in states:
        request.outcome, request.why = "waits", states["parked"]["reason"]
    elif made:
        request.outcome = "new"
    elif done:
        request.outcome, request.why = "joined", done[0]["reason"]
    elif "dropped" in states:
        request.outcome, request.why = "dropped", states["dropped"]["reason"]
    else:
        said = [one["reason"] for one in deliveries if one["reason"]] or notes.get("skipped") or []
        request.why = said[0] if said else stored("unrouted")
    return request


def _took_effect(one: Row) -> bool:
    """Return whether a finished step did something outside: a look-up, a search or an end of the run does nothing."""
    return "." in one["action"] and not one["action"].endswith((".find", ".list"))


def _made(config: Config, one: Row) -> bool:
    """Return whether a delivery made a record of its own: no comment on another, no update."""
    connection = config.connections.get(one["connection"])
    kind = connection.action(one["action"]) if connection is not None else None
    if kind is not None and not kind.linked:
        return False
    written, code = one["written"] or {}, (one["reason"] or {}).get("code")
    if written.get("created") or code == "found_by_marker":  # made by an earlier try, whose answer was lost
        return True
    if code in ("attached", "no_change") or not one["action"].endswith((".create", ".upsert", ".convert")):
        return False
    return not written and one["result"] is not None


def _refs(one: Row) -> list[Ref]:
    """Return the records a delivery made, wrote or joined."""
    reason, result = one["reason"] or {}, one["result"] or {}
    if reason.get("code") == "attached":
        params = reason.get("params") or {}
        return [(one["connection"], str(params["record"]), str(params["id"]))] if params.get("id") else []
    id = str(result.get("id") or "")
    also = [(one["connection"], str(other["record"]), str(other["id"]))
            for other in (one["written"] or {}).get("also") or () if other.get("id")]  # fmt: skip
    return ([(one["connection"], one["action"].partition(".")[0], id)] if id else []) + also


def _unread(receipt: Row) -> Request:
    outcome = {"new": "on_the_way", "unreadable": "waits"}.get(receipt["state"], "dropped")
    return Request(
        f"r{receipt['id']}", receipt["at"], receipt["connection"], "", "", None, outcome, receipt["reason"]
    )  # fmt: skip


# --- where it is now ------------------------------------------------------------------------------------


def _where_now(db: Db, config: Config, rows: Sequence[Request]) -> None:
    """Find the record each request is now, its stage as last seen, and the money if it was won."""
    refs = {ref for row in rows for ref in row.refs}
    further = inquiries.linked(db, {ref for ref in refs if ref[1] == "lead"})
    for row in rows:  # a lead that was turned into a deal is that deal
        row.refs += [one for ref in row.refs for one in further.get(ref, ()) if one[0] == ref[0] and one[1] == "deal"]
    seen = inquiries.seen(db, {ref for row in rows for ref in row.refs})
    for row in rows:
        told = [ref for kind in _TELLS for ref in row.refs if ref[1] == kind]
        if not told:
            continue
        row.now = next((ref for ref in told if ref in seen), told[0])
        record = seen.get(row.now) or {}
        stages = config.connections[row.now[0]].names["stages"] if row.now[0] in config.connections else {}
        stage = str(record.get("stage") or "")
        row.stage = next((word for word, code in stages.items() if code == stage), stage)
        row.url = str(record.get("url") or "")
        if record.get("won") or (stage and stages.get("won") == stage):
            row.money = _money(record)
    _once(db, rows)


def _once(db: Db, rows: Sequence[Request]) -> None:
    """Leave the money of a record with one row, that which made it: others have joined it, on whatever day."""
    paid = [row for row in rows if row.money is not None and row.outcome != "new"]
    later = inquiries.requested_before(
        db, {row.event: row.refs for row in paid},
        {row.event: (row.connection, *row.subject.split(":", 1)) for row in paid},  # type: ignore[misc]
    )  # fmt: skip
    for row in paid:
        if row.event in later:
            row.money = None
    earned: set[Ref] = set()
    for row in sorted(rows, key=lambda row: (row.outcome != "new", row.at)):
        if row.money is not None and row.now is not None:
            if row.now in earned:
                row.money = None
            earned.add(row.now)


def _money(record: Mapping[str, Any]) -> tuple[Decimal, str] | None:
    try:
        amount = Decimal(str(record.get("amount")))
    except InvalidOperation:
        return None
    return (amount, str(record.get("currency") or "")) if amount.is_finite() else None


# --- every night ----------------------------------------------------------------------------------------


def balance(store: Store, config: Config) -> str:
    """Look whether one of the last days adds up; an alert where it doesn't. Keep its sums.

    Each day is looked at on the days after it, one a call, since its rows settle for a while. Returns the day looked
    at, "" if all have been today. Days before the hub began to count are left out. Harmless when several do it.
    """
    with store.read() as db:
        now, began = today(db, config), state.fact(db, "ledger_since")
        date, _, done = (state.fact(db, "ledger_balanced") or "").partition(" ")
    back = int(done) + 1 if date == now and done else 1
    if began is None or back > SETTLING:
        if began is None:
            with store.write() as db:
                state.set_fact(db, "ledger_since", now)
        return ""
    with store.read() as db:
        day = today(db, config, back)
        found = ledger(db, config, day, whole=False) if day > began else Day(day)
        kept = inquiries.counted(db, day, _KEPT)
    sums = {(name, f"requests_{kind}"): total[kind]
            for name, total in found.totals().items() for kind in ("continued", *OUTCOMES)}  # fmt: skip
    wrong = {} if found.kept else found.unaccounted()
    with store.write() as db:
        if sums != kept and not found.kept:
            inquiries.keep(db, day, sums)
        for name in found.totals():
            if name in wrong:
                received, accounted = wrong[name]
                params = {"connection": name, "day": day, "received": received, "accounted": accounted}
                state.open_alert(db, f"ledger:{day}:{name}", "alert_ledger", name, params)
            else:
                state.close_alerts(db, f"ledger:{day}:{name}")
        state.set_fact(db, "ledger_balanced", f"{now} {back}")
    return day
