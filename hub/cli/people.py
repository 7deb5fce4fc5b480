"""`hub people ...`: who the hub knows, who may be the same, and what a human decides about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app
from hub.cli.lists import show as show_page
from hub.cli.output import bold, coloured, dim
from hub.cli.params import Id

if TYPE_CHECKING:
    from hub.people_acts import Act
    from hub.runtime import Runtime
    from hub.store import Db


@click.group(short_help="Who the hub knows, who may be the same, and what becomes of them.")
def people() -> None:
    """Who the hub knows, who may be the same, and what becomes of them."""


def _limit(command: Any) -> Any:
    option = click.option(
        "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N", help="At most so many."
    )
    return option(command)


_dry_run = click.option("--dry-run", is_flag=True, help="Only show what would happen.")


# --- looking ---------------------------------------------------------------------------------------


@people.command("list")
@_limit
@click.option("--before", type=Id("p"), help="The next page: who came before this id.")
@output.json_option
@pass_app
def list_people(app: App, limit: int, before: tuple[str, int] | None, as_json: bool) -> None:
    """List persons, the newest first; those merged into another are told of with the one who stands for them."""
    from hub import golden
    from hub.explain import iso
    from hub.store import roster

    config = app.config_if_fine
    rules = config.people if config else None
    with app.open_store().read() as db:
        found = roster.listed(db, limit, before[1] if before else None)
    items = [
        {
            "id": row["id"], "record": golden.shown(row["record"], rules), "family": row["family"],
            "keys": [f"{kind} {value}" for kind, value in row["keys"]],
            "created_at": iso(row["created_at"]), "changed_at": iso(row["changed_at"]),
        }
        for row in found
    ]  # fmt: skip
    rows = [
        {"id": item["id"], "name": item["record"].get("name") or "", "keys": ", ".join(map(output.key, item["keys"])),
         "merged": ", ".join(map(str, item["family"][1:])), "since": output.local(item["created_at"], app.zone)}
        for item in items
    ]  # fmt: skip
    options = {"as_json": as_json, "limit": limit, "before": before}
    show_page(app, options, items, ("id", "name", "keys", "merged", "since"), rows, "nobody is known yet")


@people.command()
@click.argument("who", metavar="ID|PHONE|EMAIL", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, metavar="N",
              help="At most so many events, the newest.")  # fmt: skip
@output.json_option
@pass_app
def show(app: App, who: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show a person: keys, golden record with who said what, contacts, merges, suspects, the last events.

    WHO is an id (17), a phone in any spelling, an e-mail, a handle (insta:NAME) or a vendor's contact (crm.contact:55).
    """
    from hub.store import roster

    with app.open_store().read() as db:
        told = _told(app, db, roster.whole(db, _who(app, db, " ".join(who)), limit))
    if as_json:
        output.print_json(told)
        return
    for line in _portrait(output.harmless(told), app.zone):
        output.echo(app.masker.mask(line))


def _who(app: App, db: Db, asked: str) -> int:
    from hub import people_acts
    from hub.handwork import Pointless

    try:
        return people_acts.person(db, asked, app.region)
    except Pointless as why:
        raise WorldError(str(why)) from None


def _told(app: App, db: Db, whole: dict[str, Any]) -> dict[str, Any]:
    """Return a person ready for JSON, with how they stand where hub.yaml can be read."""
    from contextlib import nullcontext

    from hub import carrying, golden
    from hub.explain import iso, told
    from hub.model import Event
    from hub.standing import Standing

    config = app.config_if_fine
    contacts, standing = {}, {}
    if config is not None:
        contacts = carrying.contacts_of(db, whole["family"], tuple(config.connections))
        nothing = Event("", "", "", {})
        how = Standing(config, nothing, whole["id"], open=lambda: nullcontext(db), family=whole["family"], known=True)
        standing = {name: how[name] or None for name in ("client", "blocked", "requests", "orders", "responsible")}
    return {
        "id": whole["id"], "family": whole["family"], "created_at": iso(whole["created_at"]),
        "changed_at": iso(whole["changed_at"]), "keys": [f"{kind} {value}" for kind, value in whole["keys"]],
        "record": golden.shown(whole["record"], config.people if config else None),
        "said": {name: [{**one, "first": iso(one["first"]), "at": iso(one["at"])} for one in entries]
                 for name, entries in whole["record"].items()},
        "contacts": contacts, "standing": standing,
        "merges": [{"id": f"m{one.id}", "person": one.survivor, "merged": one.merged, "how": one.how,
                    "reason": told(one.reason), "at": iso(one.at), "undone_at": iso(one.undone_at)}
                   for one in whole["merges"]],
        "suspects": [{"id": f"s{one['id']}", "person": one["person"], "other": one["other"],
                      "reason": told(one["reason"])} for one in whole["suspects"]],
        "count": whole["count"],
        "events": [{"id": f"e{one['id']}", "at": iso(one["at"]), "type": f"{one['connection']}.{one['type']}",
                    "subject": one["subject"], "matched": told(one["matched"])} for one in whole["events"]],
    }  # fmt: skip


def _portrait(told: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    record = told["record"]
    since = f"{dim('since')} {output.local(told['created_at'], zone)}"
    yield f"{bold('person ' + str(told['id']))} {record.get('name') or ''}  {since}"
    if len(told["family"]) > 1:
        yield f"   {dim('one with')} {', '.join(map(str, told['family'][1:]))}"
    yield f"   {dim('keys')} {', '.join(map(output.key, told['keys'])) or 'none'}"
    for name, entries in told["said"].items():
        said = "; ".join(f"{one['value']} ({one['from']}, {output.local(one['at'], zone)})" for one in entries)
        yield f"   {dim(name)} {said}"
    for connection, contacts in told["contacts"].items():
        yield f"   {dim('contact at ' + connection)} {', '.join(contacts)}"
    if told["standing"]:
        words = [f"{name} {value}" for name, value in told["standing"].items() if value not in (None, False)]
        yield f"   {dim('stands')} {', '.join(words) or 'as somebody who has asked for nothing yet'}"
    for one in told["merges"]:
        undone = f", undone {output.local(one['undone_at'], zone)}" if one["undone_at"] else ""
        how = f"{one['merged']} into {one['person']}, by {one['how']}{undone}"
        yield f"   {dim('merge')} {one['id']}: {how}: {one['reason']['text']}"
    for one in told["suspects"]:
        yield f" {coloured('parked', '!')} {one['id']}: may be one with {one['other']}: {one['reason']['text']}"
    for one in told["events"]:
        why = f": {one['matched']['text']}" if one["matched"] else ""
        yield f"   {one['id']} {output.local(one['at'], zone)} {one['type']} {one['subject']}{why}"
    if told["count"] > len(told["events"]):
        yield dim(f"   {told['count']} events in all: --limit {told['count']}")


# --- suspects --------------------------------------------------------------------------------------


@people.group()
def suspects() -> None:
    """Pairs who may be one person: for a human to decide."""


@suspects.command("list")
@click.option("--state", type=click.Choice(["open", "accepted", "refused", "never", "all"]), default="open",
              show_default=True, help="Only in this state.")  # fmt: skip
@_limit
@click.option("--before", type=Id("s"), help="The next page: what is older than this id.")
@output.json_option
@pass_app
def list_suspects(app: App, state: str, limit: int, before: tuple[str, int] | None, as_json: bool) -> None:
    """List pairs: those whose keys conflict, and those with like names and a slip in phone or e-mail."""
    from hub import golden
    from hub.explain import iso, told
    from hub.store import families, roster
    from hub.store import suspects as pairs

    with app.open_store().read() as db:
        found = pairs.pairs(db, state, limit, before[1] if before else None)
        names = {
            one: golden.best(roster.record_of(db, families.family(db, one)), "name") or ""
            for pair in found
            for one in (pair["person"], pair["other"])
        }
    items = [
        {
            "id": f"s{pair['id']}", "person": pair["person"], "other": pair["other"], "state": pair["state"],
            "names": [names[pair["person"]], names[pair["other"]]], "reason": told(pair["reason"]),
            "at": iso(pair["at"]), "decided_at": iso(pair["decided_at"]),
        }
        for pair in found
    ]  # fmt: skip
    rows = [
        {"id": item["id"], "persons": f"{item['person']} {item['names'][0]} / {item['other']} {item['names'][1]}",
         "state": item["state"], "at": output.local(item["at"], app.zone), "why": item["reason"]["text"]}
        for item in items
    ]  # fmt: skip
    options = {"as_json": as_json, "limit": limit, "before": before}
    show_page(app, options, items, ("id", "persons", "state", "at", "why"), rows, "no suspects")


def _decide(app: App, ids: tuple[tuple[str, int], ...], word: str, dry_run: bool, as_json: bool) -> None:
    from hub import people_acts

    acts = [partial(people_acts.decide, id=id, word=word) for _, id in ids]
    _carry_out(app, acts, dry_run, as_json)


@suspects.command()
@click.argument("ids", nargs=-1, required=True, type=Id("s", whole=True))
@_dry_run
@output.json_option
@pass_app
def accept(app: App, ids: tuple[tuple[str, int], ...], dry_run: bool, as_json: bool) -> None:
    """Say that a pair (s3) is one person: they are merged, here and at the vendors."""
    _decide(app, ids, "accept", dry_run, as_json)


@suspects.command()
@click.argument("ids", nargs=-1, required=True, type=Id("s", whole=True))
@output.json_option
@pass_app
def refuse(app: App, ids: tuple[tuple[str, int], ...], as_json: bool) -> None:
    """Say that this is no sign that a pair is one: it comes again only with a new reason."""
    _decide(app, ids, "refuse", False, as_json)


@suspects.command()
@click.argument("ids", nargs=-1, required=True, type=Id("s", whole=True))
@output.json_option
@pass_app
def never(app: App, ids: tuple[tuple[str, int], ...], as_json: bool) -> None:
    """Say that a pair are two persons: no rule joins them, and they are no suspects again."""
    _decide(app, ids, "never", False, as_json)


# --- merging ---------------------------------------------------------------------------------------


@people.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@_dry_run
@output.json_option
@pass_app
def merge(app: App, one: str, other: str, dry_run: bool, as_json: bool) -> None:
    """Make two persons one, here and at the vendors. A and B are ids, phones, e-mails; the lower id stands for both.

    Nothing is lost: both histories stay, and `hub people unmerge` parts them again.
    """
    from hub import people_acts

    def act(db: Db, runtime: Runtime) -> Act:
        return people_acts.merge(
            db, runtime, people_acts.person(db, one, app.region), people_acts.person(db, other, app.region)
        )

    _carry_out(app, [act], dry_run, as_json)


@people.command()
@click.argument("asked", metavar="ID")
@_dry_run
@output.json_option
@pass_app
def unmerge(app: App, asked: str, dry_run: bool, as_json: bool) -> None:
    """Undo a merge (m9), or the one by which a person (17) came into another; contacts are parted too.

    What came since belongs to whom its own keys name. No rule joins the two any more.
    """
    from hub import people_acts

    _carry_out(app, [partial(people_acts.unmerge, asked=asked)], dry_run, as_json)


def _runtime(app: App) -> Runtime:
    from hub.runtime import Runtime

    config, store = app.config, app.open_store()
    return Runtime(config, app.plugins, store, folder=app.folder, environ=app.environ)


def _carry_out(app: App, acts: Sequence[Callable[[Db, Runtime], Act]], dry_run: bool, as_json: bool) -> None:
    """Do acts, each in its own transaction; show them as they are, or as they would be."""
    from hub import people_acts
    from hub.handwork import Pointless

    runtime, done, refused = _runtime(app), [], []
    for act in acts:
        try:
            with people_acts.writing(runtime.store, dry_run) as db:
                done.append(act(db, runtime))
        except Pointless as why:
            refused.append(str(why))
    if as_json:
        output.print_json([{"text": one.text, "done": not dry_run, **one.params} for one in done])
    else:
        for one in done:
            output.echo(("would be: " if dry_run else "") + one.text)
            for line in one.lines:
                output.echo(f"   {line}")
    if refused:
        raise WorldError("\n".join(refused))


# --- nobody ----------------------------------------------------------------------------------------


@people.group()
def nobody() -> None:
    """Phones and addresses that belong to nobody in particular."""


@nobody.command("list")
@output.json_option
@pass_app
def list_nobody(app: App, as_json: bool) -> None:
    """List keys that name nobody: by use (dozens came through one), by a human's word, by hub.yaml, by rule."""
    from hub.explain import iso, told
    from hub.identity import NOBODY
    from hub.store import nobody as keys

    with app.open_store().read() as db:
        found = keys.listed(db)
    items = [
        {"key": f"{row['kind']} {row['value']}", "how": row["how"], "reason": told(row["reason"]), "at": iso(row["at"])}
        for row in found
    ]
    config = app.config_if_fine
    for how, values in (("hub.yaml", config.people.nobody if config else ()), ("rule", NOBODY)):
        items += [{"key": value, "how": how, "reason": None, "at": None} for value in sorted(values)]
    if as_json:
        output.print_json(items)
        return
    rows = [
        {"key": item["key"], "how": item["how"], "at": output.local(item["at"], app.zone) if item["at"] else "",
         "why": (item["reason"] or {}).get("text", "")}
        for item in items
    ]  # fmt: skip
    output.table(("key", "how", "at", "why"), rows, "no such keys")


@nobody.command()
@click.argument("key")
@_dry_run
@output.json_option
@pass_app
def add(app: App, key: str, dry_run: bool, as_json: bool) -> None:
    """Say that a phone, an e-mail or a handle (insta:NAME) names nobody: what came by it is matched anew."""
    from hub import people_acts

    _carry_out(app, [partial(people_acts.nobody_add, asked=key)], dry_run, as_json)


@nobody.command()
@click.argument("key")
@output.json_option
@pass_app
def remove(app: App, key: str, as_json: bool) -> None:
    """Let a key name somebody again, from the next message on."""
    from hub import people_acts

    listed = sorted(app.config.people.nobody)
    _carry_out(app, [partial(people_acts.nobody_remove, asked=key, listed=listed)], False, as_json)


from hub.cli import people_privacy  # noqa: E402, F401 (registers export and erase on the group)
