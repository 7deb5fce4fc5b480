"""`hub explain`: the life of a message as a story."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app
from hub.cli.output import bold, coloured, dim, short


@click.command()
@click.argument("what", metavar="ID|PHONE|NUMBER", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, metavar="N",
              help="At most so many events, the newest.")  # fmt: skip
@output.json_option
@pass_app
def explain(app: App, what: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Tell the life of a message: what came, which routes took it or why not, what was sent and what came of it.

    WHAT is an id of the hub (r12 receipt, e5 event, d7 delivery), a phone in any spelling, an e-mail, the number of a
    deal or parcel, or a record (deal:55).
    """
    from hub.explain import find, life, receipt_life
    from hub.store import reading

    asked = " ".join(what)
    with app.open_store().read() as db:
        names = list(app.config_if_fine.connections) if app.config_if_fine else []
        found = find(db, asked, region=app.region, connections=names, limit=limit)
        lives = [told for id in found.events if (told := life(db, id)) is not None]
        receipt = None
        if found.receipt is not None:
            receipt = receipt_life(db, found.receipt)
            if receipt is not None and not lives:
                receipt["body"] = app.masker.mask(reading.receipt_body(db, found.receipt))
    if as_json:
        output.print_json({"asked": asked, "found_by": found.by, "receipt": receipt, "events": lives})
    if not lives and receipt is None:
        hint = "" if app.config_if_fine else ". hub.yaml can't be read: give phones with their country code, +380..."
        raise WorldError(
            f'nothing is known about "{asked}". Ids look like r12, e5, d7; or give a phone, e-mail, number{hint}'
        )
    if as_json:
        return
    lives, receipt = output.harmless(lives), output.harmless(receipt)
    if receipt is not None and not lives:
        for line in _receipt(receipt, app.zone):
            click.echo(app.masker.mask(line))
        click.echo(f"   {dim('body')} {receipt['body']}")
    shown: dict[str, str] = {}
    for number, told in enumerate(lives):
        if number:
            click.echo()
        for line in story(told, app.zone, shown):
            click.echo(app.masker.mask(line))
    if len(lives) == limit and limit > 1:
        click.echo(dim(f"there may be older ones: --limit {limit * 5}"), err=True)


def story(life: dict[str, Any], zone: ZoneInfo, shown: dict[str, str] | None = None) -> Iterator[str]:
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
        yield f"   {dim('person')} {life['person']['id']} ({', '.join(life['person']['keys'])})"
    if life["links"]:
        yield f"   {dim('linked to')} {', '.join(life['links'])}"
    for one in life["skipped"]:
        name = f'route "{one["route"]}"' if one["route"] else "no route"
        yield f" {coloured('skipped', '–')} {name}: {one.get('text', '')}"
    for delivery in life["deliveries"]:
        yield from _delivery(delivery, zone)
    if life["brought_forth"]:
        yield f"   {dim('brought forth')} {', '.join(life['brought_forth'])}"


def _receipt(receipt: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    state = "" if receipt["state"] == "done" else f"  {coloured(receipt['state'])}"
    yield (
        f"   {dim('came as')} {receipt['id']} {receipt['method']} {receipt['path']} from {receipt['remote'] or '?'}, "
        f"{receipt['bytes']} bytes, {output.local(receipt['at'], zone)}{state}"
    )
    yield f"   {dim('key')} {short(receipt['key'])}"
    if receipt["reason"]:
        yield f"   {receipt['reason']['text']}"


_MARKS = {"done": "✓", "ready": "…", "skipped": "–", "parked": "!", "dropped": "x"}


def _delivery(delivery: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    mark = coloured(delivery["state"], _MARKS.get(delivery["state"], "?"))
    yield (
        f" {mark} {delivery['id']} {bold(delivery['do'])}  {coloured(delivery['state'])}  "
        f'{dim("route")} "{delivery["route"]}", step {delivery["step"]}'
    )
    if delivery["reason"]:
        yield f"     {delivery['reason']['text']}"
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
        before = "" if change["before"] in (None, "") else f" (was {short(change['before'], 60)})"
        yield f"     {dim('wrote')} {change['field']} = {short(change['after'], 60)}{before}"
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
