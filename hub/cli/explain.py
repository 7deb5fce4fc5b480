"""`hub explain`: the life of a message as a story."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app
from hub.cli.output import bold, coloured, count, dim, short

#: so many events are told in full where there are more
FEW = 3
#: and so many are looked at at all
MOST = 200
#: connection -> code of a vendor's field -> our word for it, from `names`
Words = Mapping[str, Mapping[str, str]]


@click.command()
@click.argument("what", metavar="ID|PHONE|NUMBER", nargs=-1, required=True)
@click.option("--all", "every", is_flag=True, help=f"Tell all events in full (the newest {MOST}).")
@click.option("--limit", type=click.IntRange(1, MOST), default=None, metavar="N",
              help=f"Tell so many of the newest in full (default: {FEW}; with --json all).")  # fmt: skip
@output.json_option
@pass_app
def explain(app: App, what: tuple[str, ...], every: bool, limit: int | None, as_json: bool) -> None:
    """Tell the life of a message: what came, which routes took it or why not, what was sent and what came of it.

    WHAT is an id of the hub (r12 receipt, e5 event, d7 delivery), a phone in any spelling, an e-mail, the number of a
    deal or parcel, or a record (deal:55). Where several events fit, a summary comes first: who, what became of it all,
    and what waits for a person with the commands that go on.
    """
    from hub.explain import find, life, receipt_life
    from hub.store import reading
    from hub.summary import summary

    asked = " ".join(what)
    with app.open_store().read() as db:
        names = list(app.config_if_fine.connections) if app.config_if_fine else []
        found = find(db, asked, region=app.region, connections=names, limit=MOST)
        full = MOST if every or (as_json and limit is None) else limit or FEW
        lives = [told for id in found.events[-full:] if (told := life(db, id)) is not None]
        overall = summary(db, found.events) if len(found.events) > 1 else None
        receipt = None
        if found.receipt is not None:
            receipt = receipt_life(db, found.receipt)
            if receipt is not None and not lives:
                receipt["body"] = app.masker.mask(reading.receipt_body(db, found.receipt))
    if as_json:
        output.print_json(
            {"asked": asked, "found_by": found.by, "summary": overall, "receipt": receipt, "events": lives}
        )
    if not lives and receipt is None:
        hint = "" if app.config_if_fine else ". hub.yaml can't be read: give phones with their country code, +380..."
        raise WorldError(
            f'nothing is known about "{asked}". Ids look like r12, e5, d7; or give a phone, e-mail, number{hint}'
        )
    if as_json:
        return
    lives, receipt, overall = output.harmless(lives), output.harmless(receipt), output.harmless(overall)
    if receipt is not None and not lives:
        for line in _receipt(receipt, app.zone):
            output.echo(app.masker.mask(line))
        output.echo(f"   {dim('body')} {receipt['body']}")
    if overall is not None:
        for line in _overall(output.harmless(found.by), overall, app.zone):
            output.echo(app.masker.mask(line))
        output.echo()
    shown: dict[str, str] = {}
    words = _words(app)
    for number, told in enumerate(lives):
        if number:
            output.echo()
        for line in story(told, app.zone, shown, words):
            output.echo(app.masker.mask(line))
    if older := len(found.events) - len(lives):
        output.echo(dim(f"{count(older, 'older event')}: hub explain {shlex.join(what)} --all"), err=True)


def _words(app: App) -> Words:
    config = app.config_if_fine
    known = config.connections.items() if config is not None else ()
    return {name: {code: word for word, code in one.names["fields"].items()} for name, one in known}


def _overall(by: str, overall: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines that sum many events up."""
    since, last = output.local(overall["since"], zone), output.local(overall["last"], zone)
    when = f"since {since}, the last {last}" if since != last else f"on {since}"
    events = f"{count(overall['messages'], 'message')}, {count(overall['events'], 'event')} {when}"
    yield f"{bold(by)}: {events}"
    for person in overall["persons"]:
        keys = ", ".join(map(output.key, person["keys"]))
        yield f"   {dim('person')} {person['id']} {person['name']}{' ' if person['name'] else ''}({keys})"
    calls = [f"{number} {name}" for name, number in overall["calls"].items() if number]
    silent = f"; {count(overall['silent'], 'event')} led to none" if overall["silent"] else ""
    yield f"   {dim('calls')} {', '.join(calls) or 'none'}{silent}"
    for one in overall["needed"]:
        why = f": {one['reason']['text']}" if one["reason"] else ""
        yield f" {coloured(one['state'], '!')} {one['id']} {bold(one['what'])} {coloured(one['state'])}{why}"
        yield f"     {' or '.join(one['commands'])}"
    for one in overall["waits"]:
        until = f" until {output.local(one['until'], zone)}" if one["until"] else ""
        yield f" {coloured('ready', '…')} {one['id']} {bold(one['what'])} waits ({one['kind']}){until}: {one['text']}"


def story(
    life: dict[str, Any], zone: ZoneInfo, shown: dict[str, str] | None = None, words: Words | None = None
) -> Iterator[str]:  # fmt: skip
    """Yield the lines that tell one event's life, top to bottom.

    shown: records told already (line -> event id), so that one that has not changed is not told again.
    """
    shown = {} if shown is None else shown
    yield f"{bold(life['id'])} {bold(life['type'])} {life['subject']}  {coloured(life['state'])}"
    if life["receipt"]:
        yield from _receipt(life["receipt"], zone)
    if life["cause"]:
        hop = f", {life['hop']} steps from outside" if life["hop"] > 1 else ""
        yield f"   {dim('because of')} {life['cause']['id']} {life['cause']['type']}{hop}"
    when = f", happened {output.local(life['occurred_at'], zone)}" if life["occurred_at"] else ""
    yield f"   {dim('known since')} {output.local(life['at'], zone)}{when}"
    if life["reason"]:
        yield f"   {life['reason']['text']}"
    if life["state"] == "waiting":
        yield "   waits for a look at the vendor: its record is still to be read"
    if life["text"]:
        yield f"   {dim('says')} {short(life['text'])}"
    for name, record in life["record"].items():
        line = f"{dim(name)} {_record(record)}"
        yield f"   {line}" if line not in shown else f"   {dim(name)} as in {shown[line]}"
        shown.setdefault(line, life["id"])
    if life["was"]:
        yield f"   {dim('before')} {_record(life['was'])}"
    if life["person"]:
        yield from _person(life["person"])
    if life["links"]:
        yield f"   {dim('linked to')} {', '.join(life['links'])}"
    for one in life["skipped"]:
        name = f'route "{one["route"]}"' if one["route"] else "no route"
        yield f" {coloured('skipped', '–')} {name}: {one.get('text', '')}"
    for delivery in life["deliveries"]:
        yield from _delivery(delivery, zone, words or {})
    if life["brought_forth"]:
        yield f"   {dim('brought forth')} {', '.join(life['brought_forth'])}"


def _person(person: dict[str, Any]) -> Iterator[str]:
    if person["id"] is not None:
        own = f", came as person {person['own']}" if "own" in person else ""
        yield f"   {dim('person')} {person['id']} ({', '.join(map(output.key, person['keys']))}){own}"
    if person["matched"]:
        yield f"   {dim('found by' if person['id'] is not None else 'person')} {person['matched']['text']}"


def _receipt(receipt: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    state = "" if receipt["state"] == "done" else f"  {coloured(receipt['state'])}"
    yield (
        f"   {dim('came as')} {receipt['id']} {receipt['method']} {receipt['path']} from {receipt['remote'] or '?'}, "
        f"{receipt['bytes']} bytes, {output.local(receipt['at'], zone)}{state}"
    )
    yield f"   {dim('key')} {short(receipt['key'])}"
    if receipt["reason"]:
        yield f"   {receipt['reason']['text']}"


_MARKS = {"done": "✓", "ready": "…", "skipped": "–", "refused": "✗", "parked": "!", "dropped": "x"}


def _delivery(delivery: dict[str, Any], zone: ZoneInfo, words: Words) -> Iterator[str]:
    mark = coloured(delivery["state"], _MARKS.get(delivery["state"], "?"))
    yield (
        f" {mark} {delivery['id']} {bold(delivery['do'])}  {coloured(delivery['state'])}  "
        f'{dim("route")} "{delivery["route"]}", step {delivery["step"]}'
    )
    if delivery["reason"]:
        yield f"     {delivery['reason']['text']}"
    if delivery["instead"]:
        yield f"     {dim('so its steps under `refused` ran:')} {', '.join(delivery['instead'])}"
    if wait := delivery["wait"]:
        until = f" until {output.local(wait['until'], zone)}" if wait["until"] else ""
        yield f"     {dim('waits')} ({wait['kind']}){until}: {wait['text']}"
    for place, one in enumerate(delivery["attempts"], 1):
        reason = f": {one['reason']['text']}" if one["reason"] else ""
        yield (
            f"     {dim('try')} {place} {output.local(one['at'], zone)} {coloured(one['outcome'])} "
            f"in {one['took_ms']} ms{reason}"
        )
        for call, times in _grouped(one["exchanges"]):
            yield dim(f"         {call}" + (f" ({times} times)" if times > 1 else ""))
    for change in delivery["written"]:
        if change["after"] == delivery["marker"]:
            continue  # how the hub knows its own again; nothing a person looks for
        before = "" if change["before"] in (None, "") else f" (was {short(change['before'], 60)})"
        word = words.get(delivery["do"].partition(".")[0], {}).get(change["field"])
        field = f"{word} ({change['field']})" if word else change["field"]
        yield f"     {dim('wrote')} {field} = {short(change['after'], 60)}{before}"
    for one in delivery["left_out"]:
        yield (
            f"     {dim('left out')} {one['field']} = {short(one['value'], 60)} ({one['place']}): "
            f"{one['reason']['text']}; {one['state']}"
        )
    if delivery["result"]:
        yield f"     {dim('result')} {_record(delivery['result'], 6 if delivery['written'] else 14)}"


def _grouped(exchanges: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Yield each call in words, those alike in a row once with how often."""
    words = [
        f"{call['method']} {call['url']} -> {call['status'] or 'no answer'}"
        + (f" {call['note']}" if call.get("note") else "")
        for call in exchanges
    ]
    for call, alike in itertools.groupby(words):
        yield call, len(list(alike))


def _record(record: Any, most: int = 14) -> str:
    """Return a record on one line, vendor fields and what is empty left out; `most` fields of it."""
    if not isinstance(record, dict):
        return short(record)
    parts = [
        f"{name}={short(value, 60)}"
        for name, value in record.items()
        if name not in ("extra", "_connection") and value not in (None, "", [], {})
    ]
    return " ".join(parts[:most]) + (" …" if len(parts) > most else "")
