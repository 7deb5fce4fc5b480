"""Go: what a route writes -> the message of email/send; its answer -> what was done. Pure.

https://godocs.unisender.ru/web-api-ref#email-send
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
import orjson

from hub import normal
from hub.errors import Refused, Uncertain
from hub.model import Event
from plugins.unisender import codes, schemas, values
from plugins.unisender.client import Row

Values = Mapping[str, Any]

RECIPIENTS = 500
TAGS = 4
TO_NAME = 78
BODY = 10 * 1024 * 1024
#: base64 letters of one attachment (7 MB)
ATTACHMENT = 9_786_710
LANGUAGES = ("be", "de", "en", "es", "fr", "it", "pl", "pt", "ru", "ua", "kz")
ENGINES = ("simple", "velocity", "none")
#: our name in the metadata of every letter: whose it is can be seen in each event
MARK = "hub"
_SWITCHES = ("track_links", "track_read", "skip_unsubscribe", "bypass_global", "bypass_unavailable",
             "bypass_unsubscribed", "bypass_complained")  # fmt: skip
_PLAIN = ("template_id", "reply_to", "reply_to_name", "subject", "idempotence_key")
_MAPPINGS = ("global_substitutions", "headers", "options")
_OPTIONS = ("send_at", "unsubscribe_url", "custom_backend_id", "smtp_pool_id")
#: everything that `set` of email.send may hold
WORDS = (
    "email", "name", "substitutions", "metadata", "recipients", "html", "text", "amp", "from_email", "from_name",
    "tags", "global_metadata", "global_language", "template_engine", "attachments", "inline_attachments",
    *_SWITCHES, *_PLAIN, *_MAPPINGS, *_OPTIONS,
)  # fmt: skip


def message(given: Values, settings: Mapping[str, Any], marker: str) -> Row:
    """Return `{"message": ..}`; refused where it can't go out as it is meant."""
    recipients = _recipients(given)
    out: Row = {"recipients": recipients}
    out |= {name: values.text(given[name]) for name in _PLAIN if values.text(given.get(name))}
    out |= {name: int(values.switch(given[name])) for name in _SWITCHES if name in given}
    for name in _MAPPINGS:
        if name in given:
            out[name] = dict(_mapping(given[name], name))
    body = {"html": given.get("html"), "plaintext": given.get("text"), "amp": given.get("amp")}
    if filled := {name: str(value) for name, value in body.items() if value not in (None, "")}:
        out["body"] = filled
    template = out.get("template_id")
    if not template and not (filled.get("html") or filled.get("plaintext")):
        raise Refused("email.send: nothing to send: html, text or template_id is needed", {"html": "is empty"})
    if not template and not out.get("subject"):
        raise Refused("email.send: subject is empty", {"subject": "is empty"})
    sender = values.text(given.get("from_email")) or settings["from_email"]
    if sender:
        out["from_email"] = values.email(sender, "from_email")
        name = values.text(given.get("from_name")) or settings["from_name"]
        out |= {"from_name": name} if name else {}
    elif not template:
        raise Refused("email.send: who writes? Set from_email for the connection", {"from_email": "is empty"})
    if tags := list(dict.fromkeys(values.items(given.get("tags")))):
        if len(tags) > TAGS:
            raise Refused(f"tags: {TAGS} at most, these are {len(tags)}", {"tags": "too many"})
        out["tags"] = tags
    for name, allowed in (("template_engine", ENGINES), ("global_language", LANGUAGES)):
        if word := values.text(given.get(name)).lower():
            if word not in allowed:
                raise Refused(f"{name}: {word!r} is none of {', '.join(allowed)}", {name: "unknown"})
            out[name] = word
    if options := {name: values.text(given[name]) for name in _OPTIONS if values.text(given.get(name))}:
        if "send_at" in options:
            options["send_at"] = values.moment(options["send_at"])
        out["options"] = {**out.get("options", {}), **options}
    for name in ("attachments", "inline_attachments"):
        if given.get(name):
            out[name] = _attachments(given[name], name)
    metadata = _texts(given.get("global_metadata"), "global_metadata") | ({MARK: marker} if marker else {})
    if metadata:
        out["global_metadata"] = metadata
    if len(orjson.dumps(out)) > BODY:
        raise Refused("email.send: larger than 10 MB", {"attachments": "too large"})
    return {"message": out}


def _recipients(given: Values) -> list[Row]:
    """Return the recipients: `recipients` as the vendor has them, or one `email` with what is its own."""
    listed = given.get("recipients")
    if listed is None:
        listed = [{"email": one} for one in values.items(given.get("email"))]
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise Refused("recipients: a list of {email, substitutions, metadata}", {"recipients": "no list of mappings"})
    if not listed:
        raise Refused("email.send: email is empty", {"email": "is empty"})
    if len(listed) > RECIPIENTS:
        raise Refused(f"recipients: {RECIPIENTS} at once, these are {len(listed)}", {"recipients": "too many"})
    found: dict[str, Row] = {}
    for one in listed:
        substitutions = {**_mapping(given.get("substitutions"), "substitutions")}
        substitutions |= _mapping(one.get("substitutions"), "substitutions")
        name = values.text(one.get("name")) or values.text(given.get("name"))
        if name and "to_name" not in substitutions:
            substitutions["to_name"] = name
        if "to_name" in substitutions:
            substitutions["to_name"] = values.text(substitutions["to_name"])[:TO_NAME]
        metadata = {**_texts(given.get("metadata"), "metadata"), **_texts(one.get("metadata"), "metadata")}
        row: Row = {"email": values.email(one.get("email"))}
        row |= {"substitutions": substitutions} if substitutions else {}
        row |= {"metadata": metadata} if metadata else {}
        found.setdefault(row["email"], row)  # an address given twice gets one letter anyway
    return list(found.values())


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if value in (None, "", []):
        return {}
    if not isinstance(value, Mapping):
        raise Refused(f"{name}: should be names with values", {name: "no mapping"})
    return value


def _texts(value: Any, name: str) -> dict[str, str]:
    return {str(key): values.text(one) for key, one in _mapping(value, name).items()}


def _attachments(value: Any, name: str) -> list[Row]:
    """Return attachments: the vendor's own list, or names with contents (a text, or `{base64: ..}`)."""
    if isinstance(value, list):
        rows = [dict(_mapping(one, name)) for one in value]
    else:
        rows = [
            {"type": "application/octet-stream", "name": file, "content": base64.b64encode(content).decode()}
            for file, content in values.files(value).items()
        ]
    for row in rows:
        if len(values.text(row.get("content"))) > ATTACHMENT:
            raise Refused(f"{name}: {row.get('name')} is larger than 7 MB", {name: "too large"})
        if "/" in values.text(row.get("name")):
            raise Refused(f"{name}: a file's name has no slash: {row.get('name')}", {name: "slash in the name"})
    return rows


# --- what came of it ------------------------------------------------------------------------------


def sent(answer: Any, marker: str) -> tuple[Row, list[Event]]:
    """Return (result, events): who gets it, and an event for each address refused at once.

    No webhook ever speaks of those. All refused is a success too, for the vendor: `status` is `refused` then.
    """
    try:
        said: Row = schemas.GoSent().load(answer)
    except ma.ValidationError:
        raise Uncertain(f"email/send: no job_id in {str(answer)[:120]!r}") from None
    job, taken = said["job_id"], [one.lower() for one in said["emails"] or ()]
    listed = said["failed_emails"] if isinstance(said["failed_emails"], Mapping) else {}
    failed = {str(email): values.text(why) for email, why in listed.items()}
    lost = {email: why for email, why in failed.items() if email.lower() not in taken}  # a duplicate is in both
    events = [event for email, why in lost.items() if (event := refused(job, email, why, marker))]
    status = "accepted" if not lost else "partly refused" if taken else "refused"
    return {"id": job, "job_id": job, "emails": taken, "failed": failed, "status": status}, events


def refused(job: str, email: str, why: str, marker: str) -> Event:
    """Return the event for an address that was refused while sending."""
    known = codes.FAILED.get(why, codes.Status("", ""))
    reason = f"not sent: {known.words or why}"
    contact = {"email": email.lower(), "emails": [email.lower()]}
    type_ = known.event if normal.email(email) and known.event else codes.GO_OTHER
    letter = {"id": job, "address": email.lower(), "status": why, "reason": reason, "extra": {"failed": why}}
    if marker:
        letter["metadata"] = {MARK: marker}
    key = f"failed:{job}:{email.lower()}"
    return Event(type_, f"email:{job}", key, {"email": letter, "contact": contact}, text=reason, channel="email")
