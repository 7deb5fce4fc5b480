"""The way in, pure: what each update of an envelope means.

Direct messages come as `messaging` (or `standby`, where another app has the thread), comments as fields; Meta's own
test button sends messages as fields. https://developers.facebook.com/docs/instagram-platform/webhooks/examples
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.model import Event, Receipt, Request
from plugins.instagram import codes, content
from plugins.meta import envelope
from plugins.meta.envelope import Item, text

#: method of the requests that the plugin's own polls bring in
POLLED = "POLL"
#: the channel of everything here, and the name under which a person's id counts
CHANNEL = "instagram"
#: Meta's ids are up to some 180 characters long; what is longer is nobody's
_MAX_ID = 230
_LONGEST_KEY = 240


def parse(receipt: Receipt, accounts: Collection[str] = ()) -> list[Event]:
    """Return the events of a request. `accounts`: ours, if hub.yaml names them; what others get is put aside.

    Raises `Rejected` if the body is no envelope. One update that can't be understood never holds up the others.
    """
    found: dict[str, Event] = {}
    for item in envelope.items(receipt.request.body):
        event = _event(item, accounts, receipt.request.method == POLLED)
        event = event.with_(
            key=_short(event.key),
            subject=_short(event.subject),
            occurred_at=event.occurred_at or item.at or receipt.request.at.astimezone(dt.UTC),
        )
        found.setdefault(event.key, event)
    return list(found.values())


def _event(item: Item, accounts: Collection[str], polled: bool) -> Event:
    value = item.value
    if item.object != "instagram":
        return unknown(item, item.object or "meta")
    if accounts and item.account not in accounts and item.account != "0":  # 0: Meta's test button
        return unknown(item, "other_account", keep=False)
    if not isinstance(value, Mapping):
        return unknown(item, item.field or item.kind)
    if polled and item.field == "connection":
        return _connection(item, value)
    if polled and item.field == "profile" and text(value.get("id")):
        return _profile(item, value)
    if item.kind in ("messaging", "standby") or isinstance(value.get("sender"), Mapping):
        return _element(item, value, polled)
    if item.field in codes.COMMENT_FIELDS:
        return _comment(item, value)
    if item.field == "mentions":
        return _mention(item, value)
    return unknown(item, item.field or "entry")


def unknown(item: Item, name: str, keep: bool = True) -> Event:
    """Return an update without a neutral name: `vendor.<name>`, kept as it came (`keep`) unless it is a stranger's."""
    name = "_".join(name.split())[:100] or "update"
    extra = {"account": item.account, **({"value": item.value} if keep else {})}
    key = f"{name}:{item.digest()}"
    return Event(f"vendor.{name}", key, key, {"vendor": {"extra": extra}}, channel=CHANNEL)


# --- direct messages -------------------------------------------------------------------------------------------------


def _element(item: Item, value: Mapping[str, Any], polled: bool) -> Event:
    sender, recipient = _id(value, "sender"), _id(value, "recipient")
    what = next((name for name in codes.ELEMENTS if isinstance(value.get(name), Mapping)), "")
    part: Mapping[str, Any] = value[what] if what else {}
    mid = text(part.get("mid"))[:_MAX_ID]
    at = envelope.instant(value.get("timestamp"))
    told = _Told(item, value, sender, recipient, part, mid, at, polled)
    if what == "message" and mid:
        return _message(told)
    if what == "postback" and (mid or at) and sender:
        return _postback(told)
    if what == "reaction" and mid and sender:
        return _reaction(told)
    if what == "read" and mid and sender:
        record = {"message": {"id": mid, "extra": told.extra()}, **told.contact(sender)}
        return told.event("message.read", f"message:{mid}", f"read:{mid}:{sender}", record, by=sender)
    return _other(told, codes.ELEMENTS.get(what, item.field or item.kind or "messaging"))


@dataclass(frozen=True)
class _Told:
    """One element of `messaging`, its usual parts at hand. `part` is what says what it is: `message`, `reaction`."""

    item: Item
    value: Mapping[str, Any]
    sender: str
    recipient: str
    part: Mapping[str, Any]
    mid: str
    at: dt.datetime | None
    polled: bool

    @property
    def account(self) -> str:
        """Our account: the entry's id, but for the test button, which writes 0 there."""
        return self.item.account if self.item.account != "0" else self.recipient

    def extra(self, **more: Any) -> dict[str, Any]:
        """Return the account and how the update came, and more."""
        found = {
            "account": self.account,
            "standby": "yes" if self.item.kind == "standby" else "",
            "backfilled": "yes" if self.polled else "",
            **more,
        }
        return {name: value for name, value in found.items() if value}

    def contact(self, person: str) -> dict[str, Any]:
        """Return the contact with an id of Instagram's: it names this person for this account alone."""
        return {"contact": contact(person)} if person else {}

    def event(self, type: str, subject: str, key: str, record: dict[str, Any], **more: Any) -> Event:
        """Return an event at the element's own time."""
        return Event(type, subject, key, record, self.at, channel=CHANNEL, **more)


def contact(person: str, username: str = "") -> dict[str, Any]:
    """Return the neutral contact: identity is the id; the username, which may change hands, is only shown."""
    found: dict[str, Any] = {"id": person, "handle": username or person, "handles": {CHANNEL: person}}
    return {**found, "extra": {"username": username}} if username else found


def _message(told: _Told) -> Event:
    part, mid = told.part, told.mid
    echo = part.get("is_echo") is True or (bool(told.sender) and told.sender == told.account)
    person = told.recipient if echo else told.sender
    if part.get("is_deleted") is True:
        record = {"message": {"id": mid, "extra": told.extra()}, **told.contact(person)}
        return told.event("message.deleted", f"message:{mid}", f"message:{mid}:deleted", record, by=told.sender)
    if part.get("is_self") is True or (told.sender and told.sender == told.recipient):
        return _other(told, "message_self")  # our account to itself: an answer to it would go round for ever
    attached = content.files(part)
    record = {
        "message": {
            "id": mid,
            "text": _text(part.get("text")),
            "from": told.sender,
            "to": told.recipient,
            "files": attached,
            **_at(told.at),
            "extra": told.extra(**content.extras(part)),
        },
        "source": {"channel": CHANNEL},
        **told.contact(person),
    }
    words, title = content.words(part, attached), content.about(part)
    if echo:  # ours or a colleague's: only once our own sends are written down can be told which
        return told.event(
            "message.sent", f"message:{mid}", f"message:{mid}", record, text=words, title=title, incomplete=True
        )
    return told.event(
        "message.received", f"message:{mid}", f"message:{mid}", record, text=words, title=title, by=told.sender
    )


def _postback(told: _Told) -> Event:
    """A button was pressed: its title is what the client says, and the chat shows it as a message of this mid."""
    title = _text(told.part.get("title"))
    mid = told.mid or f"{told.sender}.{int(told.at.timestamp() * 1000) if told.at else 0}"
    given = told.part.get("referral")
    extra = told.extra(
        payload=text(told.part.get("payload")),
        button="yes",
        **content.referral(given if isinstance(given, Mapping) else {}),
    )
    if told.part.get("is_self") is True or told.value.get("is_self") is True or told.sender == told.account:
        return _other(told, "message_self")
    message = {"id": mid, "text": title, "from": told.sender, "to": told.recipient, **_at(told.at), "extra": extra}
    record = {"message": message, "source": {"channel": CHANNEL}, **told.contact(told.sender)}
    return told.event(
        "message.received", f"message:{mid}", f"message:{mid}", record, text=title, title="pressed a button",
        by=told.sender,
    )  # fmt: skip


def _reaction(told: _Told) -> Event:
    action = text(told.part.get("action")) or "react"
    stamp = int(told.at.timestamp() * 1000) if told.at else 0
    emoji, name = _text(told.part.get("emoji")), _text(told.part.get("reaction"))
    own = told.sender == told.account
    record = {
        "message": {
            "id": told.mid,
            "text": emoji or name,
            "from": told.sender,
            "to": told.recipient,
            "extra": told.extra(action=action, reaction=name, emoji=emoji),
        },
        **told.contact(told.recipient if own else told.sender),
    }
    words = emoji or name or ("took a reaction back" if action == "unreact" else "")
    key = f"reaction:{told.mid}:{told.sender}:{action}:{stamp}"
    if own:
        return _other(told, "own_reaction")
    return told.event("message.reaction", f"message:{told.mid}", key, record, text=words, by=told.sender)


def _other(told: _Told, name: str) -> Event:
    """An element without a neutral name: an edit, a referral alone, a handover, a decision about the account."""
    extra = told.extra(value=told.value, **content.referral(told.part) if name == "messaging_referral" else {})
    own = told.sender == told.account
    record: dict[str, Any] = {"vendor": {"extra": extra}, **told.contact(told.recipient if own else told.sender)}
    subject, key = f"{name}:{told.item.digest()}", f"{name}:{told.item.digest()}"
    if name == "message_edit" and told.mid:
        number = text(told.part.get("num_edit"))[:20]
        subject, key = f"message:{told.mid}", f"message:{told.mid}:edit:{number}"
        record["message"] = {"id": told.mid, "text": _text(told.part.get("text")), "extra": {"num_edit": number}}
    elif name == "messaging_referral" and told.at:
        stamp = int(told.at.timestamp() * 1000)
        key = f"referral:{told.sender}:{stamp}:{text(told.part.get('ref'))}"
        subject = key
        record["source"] = {"channel": CHANNEL}
    elif name == "message_self" and told.mid:
        subject, key = f"message:{told.mid}", f"message:{told.mid}:self"
    words = _text(told.part.get("text"))
    return told.event(f"vendor.{name}", subject, key, record, text=words, by=told.sender)


# --- comments and mentions -------------------------------------------------------------------------------------------


def _comment(item: Item, value: Mapping[str, Any]) -> Event:
    """A comment under our media, or what was said in our live broadcast. Old apps get no more than id and text."""
    number = (text(value.get("id")) or text(value.get("comment_id")))[:_MAX_ID]
    if not number:
        return unknown(item, item.field)
    given, media = value.get("from"), value.get("media")
    author = given if isinstance(given, Mapping) else {}
    shown = media if isinstance(media, Mapping) else {}
    person, username = text(author.get("id")), text(author.get("username"))
    words = _text(value.get("text"))
    extra = {
        "account": item.account,
        "media_id": text(shown.get("id")),
        "media_type": text(shown.get("media_product_type")),
        "parent_id": text(value.get("parent_id")),
        "username": username,
        "live": "yes" if item.field == "live_comments" else "",
        "ad_id": text(shown.get("ad_id")),
        "ad_title": text(shown.get("ad_title")),
        "original_media_id": text(shown.get("original_media_id")),
    }
    at = envelope.instant(value.get("created_time")) or item.at
    comment: dict[str, Any] = {"id": number, "text": words, "extra": {k: v for k, v in extra.items() if v}}
    comment |= {**({"by": person} if person else {}), **_at(at)}
    if person and (person == item.account or text(author.get("self_ig_scoped_id"))):
        return Event(  # ours: an answer would answer itself
            "comment.sent", f"comment:{number}", f"comment:{number}", {"comment": comment}, at, text=words,
            channel=CHANNEL, incomplete=True,
        )  # fmt: skip
    record: dict[str, Any] = {"comment": comment, "source": {"channel": CHANNEL}}
    record |= {"contact": contact(person, username)} if person else {}
    title = "in the live broadcast" if item.field == "live_comments" else ""
    return Event(
        "comment.received", f"comment:{number}", f"comment:{number}", record, at, text=words, title=title,
        channel=CHANNEL, by=person,
    )  # fmt: skip


def _mention(item: Item, value: Mapping[str, Any]) -> Event:
    """Somebody named us under media that isn't ours. Ids alone are sent; `complete` reads the rest.

    In a comment it is a comment like any other, whichever login brought it; in a caption it is `vendor.mentions`.
    """
    media = text(value.get("media_id"))[:_MAX_ID]
    number = text(value.get("comment_id"))[:_MAX_ID]
    extra = {"account": item.account, "media_id": media, "mention": "yes"}
    if number:
        record = {"comment": {"id": number, "text": "", "extra": extra}, "source": {"channel": CHANNEL}}
        return Event(
            "comment.received", f"comment:{number}", f"comment:{number}", record, item.at, title="mentions you",
            channel=CHANNEL, incomplete=True,
        )  # fmt: skip
    if not media:
        return unknown(item, "mentions")
    mention = {"vendor": {"extra": {**extra, "value": dict(value)}}}
    return Event(
        "vendor.mentions", f"media:{media}", f"mention:{media}", mention, item.at, title="mentions you",
        channel=CHANNEL, incomplete=True,
    )  # fmt: skip


def _connection(item: Item, value: Mapping[str, Any]) -> Event:
    """What the hub's own look at the connection found: the subscription was gone and is back."""
    key = f"connection:{item.account}:{item.digest()}"
    subject = f"connection:{item.account or '-'}"
    return Event("connection.changed", subject, key, {}, item.at, text=_text(value.get("text")), channel=CHANNEL)


def _profile(item: Item, value: Mapping[str, Any]) -> Event:
    """Who has written: a name and a username were looked up."""
    person = text(value.get("id"))[:_MAX_ID]
    day = item.at.date().isoformat() if item.at else "-"
    names = {name: value[name] for name in ("handle", "name") if isinstance(value.get(name), str)}
    extra = value.get("extra")
    found = {**contact(person), **names, "extra": dict(extra) if isinstance(extra, Mapping) else {}}
    return Event(
        "contact.updated", f"contact:{person}", f"profile:{person}:{day}", {"contact": found}, item.at, channel=CHANNEL
    )


def polled(connection: str, entry: Mapping[str, Any], at: dt.datetime) -> Request:
    """Return what a poll found as a request in the form in which Instagram would have sent it."""
    whole = {"object": "instagram", "entry": [{"time": int(at.timestamp() * 1000), **entry}]}
    headers = {"content-type": "application/json"}
    return Request(POLLED, f"/in/{connection}", headers=headers, body=orjson.dumps(whole), at=at)


# --- small words -----------------------------------------------------------------------------------------------------


def _id(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return text(found.get("id"))[:_MAX_ID] if isinstance(found, Mapping) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else text(value)


def _at(at: dt.datetime | None) -> dict[str, str]:
    return {"at": at.isoformat()} if at else {}


def _short(name: str) -> str:
    """Return a key or subject that fits an index: an absurdly long one ends in its digest."""
    if len(name) <= _LONGEST_KEY:
        return name
    return f"{name[:180]}~{hashlib.blake2s(name.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
