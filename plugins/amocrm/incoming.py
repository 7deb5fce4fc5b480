"""The way in, pure: is it genuine, is it new, what does it say.

Three senders come to one address: the account's webhooks and the pipelines' (a form in PHP's brackets, nothing but the
word in the address proves it), the Chats API (JSON, signed), and the message that the integration was switched off
(GET, signed). What the plugin's own polls bring is read here too.
https://www.amocrm.ru/developers/content/crm_platform/webhooks-format,
https://www.amocrm.ru/developers/content/chats/chat-webhooks
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from hub import jsonbody, phpform
from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from plugins.amocrm import hooks, talking
from plugins.amocrm.oauth import verify_disconnect
from plugins.amocrm.records import text_of
from plugins.amocrm.schemas import domain_of

#: method of the requests that the plugin's own polls bring in
POLLED = "POLL"
_DEEP = 20
_WIDE = 5_000


# --- reading -----------------------------------------------------------------------------------------


def read(request: Request) -> dict[str, Any]:
    """Return the message as nested dicts and lists. Raises `Rejected` 400/413 if it can't be one."""
    if request.method == POLLED or request.content_type in ("application/json", "application/hal+json"):
        body = jsonbody.loads(request.body)
    else:
        text = request.body.decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_WIDE)
        except ValueError:
            raise Rejected(413, f"more than {_WIDE} form fields") from None
        body = phpform.decode(pairs, _DEEP, _WIDE)
    if not isinstance(body, dict):
        raise Rejected(400, "the body isn't a message of amoCRM")
    return body


def _signed(request: Request) -> bool:
    return "x-signature" in request.headers


# --- genuine? ----------------------------------------------------------------------------------------


def verify(request: Request, settings: Mapping[str, Any]) -> None:
    """Raise `Rejected` unless the request is the account's: by signature, or by the word in the address."""
    if request.method == "GET":
        if request.query_value("signature") is None:
            raise Rejected(405, "amoCRM sends webhooks by POST")
        verify_disconnect(request, settings)
        return
    if request.method != "POST":
        raise Rejected(405, "amoCRM sends webhooks by POST")
    if _signed(request):
        _verify_chat(request, settings)
        return
    secret = settings["hook_secret"]
    if not secret:
        raise Rejected(403, "hook_secret isn't set: make up a long word, put it into hub.yaml, run `hub connect`")
    given = request.tail.strip("/") or request.query_value("secret") or ""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode()):
        raise Rejected(403, "the word at the end of the address isn't hook_secret: run `hub connect` again")
    _verify_account(read(request), settings)


def _verify_chat(request: Request, settings: Mapping[str, Any]) -> None:
    """`X-Signature` = hex HMAC-SHA1 of the raw body with the channel's secret.

    One public client strips line breaks at the end before it hashes, so both are taken: such a break says nothing.
    """
    chats = settings["chats"]
    if not chats:
        raise Rejected(403, "a signed chat message, but `chats` isn't set in hub.yaml")
    given = request.headers["x-signature"].strip().lower().encode("utf-8", "replace")
    expected = [
        hmac.digest(chats["secret"].encode(), body, "sha1").hex().encode()
        for body in (request.body, request.body.rstrip(b"\r\n"))
    ]
    if not any([hmac.compare_digest(given, one) for one in expected]):
        raise Rejected(403, "the signature does not fit: compare chats.secret with the one from support")
    account = chats["account"]
    if account and text_of(read(request).get("account_id")) != account:
        raise Rejected(403, "the chat message belongs to another account (chats.account)")


def _verify_account(message: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """The word in the address proves the sender; the account named in the body must not be another one.

    Older messages and some documented ones name no account, or no id; what isn't named isn't compared.
    """
    account = message.get("account")
    account = account if isinstance(account, Mapping) else {}
    number, subdomain = text_of(account.get("id")).strip(), text_of(account.get("subdomain")).strip().lower()
    if settings["account_id"]:
        if number and number != settings["account_id"]:
            raise Rejected(403, f"the message comes from account {number[:20]}, not from account_id in hub.yaml")
        if number:
            return
    host = urlsplit(settings["base_url"]).hostname or ""
    domain = domain_of(host)
    if domain and subdomain and subdomain != host.removesuffix(f".{domain}"):
        raise Rejected(403, "the message comes from another account than base_url names")


# --- new? --------------------------------------------------------------------------------------------


def receipt_key(request: Request) -> str:
    """Return what tells this message from others: a retry repeats the body, and there is no id of a delivery.

    Two changes within a second may look the same; the record is read back anyway, and read again for a copy.
    """
    if request.method == "GET":
        told: Any = sorted(request.query)
        name = "disconnect"
    else:
        told = read(request)
        name = _name(told)
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return f"{name}:{digest}"


def _name(message: Mapping[str, Any]) -> str:
    """Return `leads.status:10701093` for people who read keys."""
    if is_chat(message):
        return "chat"
    for entity, action, item in items(message):
        number = text_of(item.get("id") or item.get("uid"))
        return f"{entity}.{action}:{number}"[:80]
    return "chat" if "message" in message or "action" in message else "message"


# --- what does it say? -------------------------------------------------------------------------------


def parse(receipt: Receipt, region: str, settings: Mapping[str, Any]) -> list[Event]:
    """Turn a stored request into events. Raises ValueError with a reason where nothing can be understood."""
    request = receipt.request
    if request.method == "GET":
        client = (request.query_value("client_uuid") or "")[:60]
        text = "the integration was switched off in the account: its tokens are dead until consent is given again"
        return [
            Event("connection.changed", f"connection:{client}", f"{receipt.key}:0", text=text, title="switched off")
        ]
    try:
        message = read(request)
    except Rejected as error:
        raise ValueError(error.reason) from None
    if request.method == POLLED:
        return hooks.fed(message, receipt.key)
    if _signed(request) or is_chat(message):
        return [event.with_(key=event.key or f"{receipt.key}:0") for event in talking.chat(message, region)]
    found = _account(message, receipt, region, settings)
    if not found and not any(True for _ in items(message)):
        raise ValueError("the message names no record: neither leads[...] nor contacts[...] nor any other")
    return found


def is_chat(message: Mapping[str, Any]) -> bool:
    """Tell a message of the Chats API by its shape, where its signature wasn't kept (`hub try`)."""
    inner = message.get("message")
    return isinstance(inner, Mapping) and isinstance(inner.get("message"), Mapping) and "conversation" in inner


def _account(message: Mapping[str, Any], receipt: Receipt, region: str, settings: Mapping[str, Any]) -> list[Event]:
    """One event per record and action of a webhook's body; a key that stands twice is told once."""
    found: dict[str, Event] = {}
    for place, (entity, action, item) in enumerate(items(message)):
        for event in hooks.told(entity, action, item, region, settings):
            event = event.with_(
                key=event.key or f"{receipt.key}:{place}",
                occurred_at=event.occurred_at or hooks.moment(item),
            )
            found.setdefault(event.key, event)
    return list(found.values())


def items(message: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (entity, action, record) of everything a body holds: several entities, actions and places at once.

    A deletion may be a bare id; some tasks stand one level deeper; a place may be any index.
    """
    for entity, actions in message.items():
        if entity == "account" or not isinstance(actions, Mapping):
            continue
        for action, rows in actions.items():
            for item in _rows(rows, 3):
                yield str(entity)[:60], str(action)[:60], item


def _rows(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        if value and depth and all(str(key).isdigit() for key in value):
            value = list(value.values())
        else:
            yield {str(key): below for key, below in value.items()}
            return
    if isinstance(value, list):
        for row in value if depth else ():
            yield from _rows(row, depth - 1)
    elif value not in (None, "") and not isinstance(value, bool):
        yield {"id": str(value)[:100]}
