"""`hub check --live` and `hub names`: is the account as hub.yaml says, and what are its own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hub import normal
from hub.errors import AuthFailed, HubError
from hub.model import Finding
from plugins.unisender import directory, hooks, values
from plugins.unisender.desk import Desk
from plugins.unisender.go_client import GoClient

Names = dict[str, dict[str, tuple[str, str]]]


def check(desk: Desk, registrar: hooks.Registrar) -> list[Finding]:
    """Key, lists, fields, webhook of the classic product."""
    try:
        lists = directory.rows(desk, "list")
    except AuthFailed as error:
        return [Finding("problem", error.reason, "put a working key into .env; product: go has a key of its own")]
    found = [Finding("ok", f"the key works; {len(lists)} lists")]
    titles = {row["id"]: values.text(row.get("title")) for row in lists}
    for word, id_ in desk.settings["lists"].items():
        if id_ in titles:
            found.append(Finding("ok", f"list {word} = {id_}: {titles[id_]}"))
        else:
            found.append(Finding("problem", f"list {word} = {id_} doesn't exist", f"hub names {desk.connection.name}"))
    found += _try(lambda: _fields(desk))
    found += _try(lambda: hooks.check(registrar, desk.address, desk.connection.name))
    if not desk.settings["secret"]:
        found.append(_no_secret())
    return found


def _fields(desk: Desk) -> list[Finding]:
    if not desk.words:
        return []
    known = {values.text(row.get("name")) for row in directory.rows(desk, "field")}
    missing = [(word, code) for word, code in desk.words.items() if code not in known]
    return [
        Finding("problem", f"field {word} = {code} doesn't exist", f"hub names {desk.connection.name}, or field.create")
        for word, code in missing
    ] or [Finding("ok", f"{len(desk.words)} fields are there")]


def check_go(registrar: hooks.Registrar, settings: Mapping[str, Any], address: str, name: str) -> list[Finding]:
    """Key, webhook and sender of Go; the list of webhooks is what shows whether the key works."""
    try:
        registrar.hooks()
        found = [Finding("ok", "the key works"), *hooks.check(registrar, address, name)]
    except AuthFailed as error:
        return [Finding("problem", error.reason, "put a working key into .env; try base_url of the other data centre")]
    if not settings["from_email"]:
        words = "no from_email: every route that sends must name one"
        found.append(Finding("warning", words, "set from_email to an address of a confirmed domain"))
    if not settings["secret"]:
        found.append(_no_secret())
    return found


def _no_secret() -> Finding:
    words = "the webhook's address has no secret end; the vendor's signature alone is MD5"
    return Finding("warning", words, "set `secret`, then hub connect again and delete the old webhook")


def _try(ask: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return ask()
    except HubError as error:
        return [Finding("warning", f"could not be checked: {error.reason}")]


def names(desk: Desk) -> Names:
    """Our words for fields (`names.fields`), and the list ids that the setting `lists` wants."""
    fields = _pairs(directory.rows(desk, "field"), "name", "public_name")
    lists = _pairs(directory.rows(desk, "list"), "id", "title")
    return {
        "fields": normal.worded((code, label, code) for code, label in fields),
        "lists": normal.worded((code, label, label) for code, label in lists),
    }


def _pairs(rows: Iterable[Mapping[str, Any]], code: str, label: str) -> list[tuple[str, str]]:
    return [(values.text(row.get(code)), values.text(row.get(label))) for row in rows]


def go_names(client: GoClient) -> Names:
    """The templates that `template_id` wants."""
    rows = hooks.objects(client.call("template/list", {"limit": 50, "offset": 0}, changes=False).get("templates"))
    named = _pairs(rows, "id", "name")
    return {"templates": normal.worded((code, label, label) for code, label in named)}
