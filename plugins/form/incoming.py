"""Request -> genuine or not; receipt -> events. Pure: no clock, no network."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from hub import normal
from hub.errors import Rejected, Skip
from hub.model import Event, Receipt, Request
from plugins.form import answers, shapes, source
from plugins.form.codes import MACHINERY, POSSIBLE_IDS, SUBMISSION_IDS, VOLATILE
from plugins.form.reading import read

MAX_TEXT_BODY = 1_000_000
#: letters of an address, and of what is read off one, that go on into an event
MAX_ADDRESS = 2_000
OPENED = "/opened"
#: identical answers sent again within this many seconds are one submission
SAME_WITHIN = 120


# --- is it genuine? ---------------------------------------------------------------------------------------------------


def verify(request: Request, settings: Mapping[str, Any]) -> None:
    """Raise `Rejected` unless the request carries one of the secrets and comes from an allowed page."""
    if request.method != "POST" and not (request.method == "GET" and is_opened(request)):
        raise Rejected(405, "a form is sent by POST")
    if request.content_type != "multipart/form-data" and len(request.body) > MAX_TEXT_BODY:
        raise Rejected(413, f"a form without files may have {MAX_TEXT_BODY} bytes")
    given = list(_given(request, settings))
    if not _matches(given, settings):  # only then is the body looked into: that costs the more
        within = list(_within(request, settings))
        if not given and not within:
            raise Rejected(401, "no secret: it belongs at the end of the address, or into the header")
        if not _matches(within, settings):
            raise Rejected(401, "wrong secret")
    origin = request.headers.get("origin")
    if origin and settings["origins"] and origin not in settings["origins"]:
        raise Rejected(403, f"pages of {origin[:100]} may not send forms here; see the setting `origins`")


def _given(request: Request, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield everything around the body that may be the secret."""
    tail = request.tail.strip("/")
    if is_opened(request):
        tail = tail.removesuffix(OPENED)
    yield from {tail, unquote(tail)} - {""}
    if value := request.headers.get(settings["secret_header"].lower()):
        yield value.strip()
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        yield value.strip()


def _within(request: Request, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret that a field of the form carries."""
    if settings["secret_field"] and request.body:
        value = read(request).get(settings["secret_field"])
        if isinstance(value, str) and value:
            yield value


def _matches(given: Iterable[str], settings: Mapping[str, Any]) -> bool:
    """Compare each with each, on bytes, without stopping at the first hit."""
    secrets = [secret.encode() for secret in (settings["secret"], *settings["secrets"]) if secret]
    return any([hmac.compare_digest(one.encode(), secret) for one in given for secret in secrets])


def is_opened(request: Request) -> bool:
    """Return whether this tells that a form was opened, not sent."""
    return request.tail.rstrip("/").endswith(OPENED)


def is_test(request: Request, settings: Mapping[str, Any]) -> bool:
    """Return whether this is Tilda's `test=test`, sent when an admin adds the hook there."""
    if len(request.body) > 500 or b"test" not in request.body:
        return False
    try:
        fields = read(request)
    except Rejected:
        return False
    fields.pop(settings["secret_field"], None)
    return fields == {"test": "test"}


# --- which submission is it? ------------------------------------------------------------------------------------------


def receipt_key(request: Request, settings: Mapping[str, Any]) -> str:
    """Return the key that the same submission has whenever it is sent again."""
    return _keys(request, settings)[0]


def _keys(request: Request, settings: Mapping[str, Any]) -> tuple[str, str]:
    """Return the keys of receipt and event.

    With an identifier of the sender both are that, and a repeat is dropped however late it comes. Without one, the
    same answers may be the same press of a button, or a person who asks again next week; time has to tell. Windows
    of time have edges, so there are two rows of them, each window `2 * SAME_WITHIN` long and the rows shifted by
    half: the receipt's key comes from one row, the event's from the other, and either being known is enough. Equal
    answers less than `SAME_WITHIN` apart always share a window in one of the rows; more than twice that apart, never.
    """
    window = int(request.at.timestamp()) // SAME_WITHIN
    windows = window // 2, (window + 1) // 2
    if is_opened(request):
        who = (request.remote, request.headers.get("user-agent", ""))
        mark = "opened:" + _digest([sorted(request.query), who])
        return f"{mark}:{windows[0]}", f"{mark}:{windows[1]}"
    try:
        fields = read(request)
    except Rejected:  # genuine and unintelligible: it is kept, parse() will say why
        mark = "raw:" + hashlib.sha256(request.body).hexdigest()[:40]
        return f"{mark}:{windows[0]}", f"{mark}:{windows[1]}"
    for path in (settings["key"], *SUBMISSION_IDS):
        if path and (value := shapes.text(answers.dig(fields, path))):
            key = f"id:{value}" if len(value) <= 100 else f"id:{_digest(value)}"
            if path != settings["key"]:
                key += _whose(fields, settings)
            return key, key
    mark = "same:" + _digest([_lasting(fields, settings), sorted(request.query)])
    if any(shapes.text(fields.get(name)) for name in POSSIBLE_IDS):
        return mark, mark
    return f"{mark}:{windows[0]}", f"{mark}:{windows[1]}"


def _whose(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return what stands behind an identifier: whose answers they are.

    Identifiers can be counted up. Whoever knows the address could send one ahead, and the true request with it would
    be a repeat. Sent again by its builder, with the payment added for instance, it is from the same human.
    """
    contact = answers.sort(shapes.read(dict(fields)), settings["read"], "")[0]
    told = [str(contact.get(name) or contact.get(f"{name}_raw") or "") for name in ("phone", "email", "name")]
    return f":{_digest(told)[:16]}" if any(told) else ""


def _lasting(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those that differ between two sendings of the same answers."""
    left_out = {settings["secret_field"], "meta"}
    return {
        name: value for name, value in fields.items() if name not in left_out and shapes.normalise(name) not in VOLATILE
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


# --- what does it say? ------------------------------------------------------------------------------------------------


def events(receipt: Receipt, settings: Mapping[str, Any], region: str) -> list[Event]:
    """Return the one event in a stored request; none for a builder's test.

    Raises `Rejected` for a body that can't be understood, `Skip("honeypot")` for a robot's.
    """
    request = receipt.request
    # An identifier is the key of both; one that an earlier version took without whose it is stays what it was.
    key = receipt.key if receipt.key.startswith("id:") else _keys(request, settings)[1]
    if is_opened(request):
        return [_opened(request, key, settings, region)]
    if is_test(request, settings):
        return []
    fields = read(request)
    fields.pop(settings["secret_field"], None)
    if settings["honeypot"] and shapes.text(answers.dig(fields, settings["honeypot"])):
        raise Skip("honeypot", field=settings["honeypot"])
    submission = shapes.read(fields)
    submission.fields = [field for field in submission.fields if field.name not in (settings["honeypot"], "redirect")]
    if not any(field.text for field in submission.fields) and not submission.payment:
        raise Rejected(400, "the form came without any answer")
    record = _record(submission, request, settings, region)
    form = record["form"]
    return [
        Event(
            type="form.submitted",
            subject=f"form:{key}"[:200],
            key=key,
            record=record,
            occurred_at=_sane(submission.at, request.at),
            text=_summary(submission),
            title=str(form["title"] or form["kind"] or form["id"]),
            channel="form",
        )
    ]


def _opened(request: Request, key: str, settings: Mapping[str, Any], region: str) -> Event:
    submission = shapes.read(dict(request.query))
    record = _record(submission, request, settings, region)
    form = record["form"]
    return Event(
        type="form.opened",
        subject=f"form:{form['id'] or key}"[:200],
        key=key,
        record=record,
        occurred_at=request.at.astimezone(dt.UTC),
        title=str(form["title"] or form["kind"] or form["id"]),
        channel="form",
    )


def _record(
    submission: shapes.Submission, request: Request, settings: Mapping[str, Any], region: str
) -> dict[str, Any]:
    in_address, in_body = request.query_value("form"), submission.raw.get("form")
    native = submission.form_id
    submission.form_id = in_address or native
    contact, form, given_source, order = answers.sort(submission, settings["read"], region)
    kind = (
        request.query_value("kind")
        or settings["kinds"].get(native)
        or settings["kinds"].get(submission.form_id)
        or settings["kinds"].get(submission.title)
        or shapes.text(submission.raw.get("kind"))
        or in_address
        or (in_body if isinstance(in_body, str) else "")
        or ("cart" if submission.payment else "")
    )
    referer = request.headers.get("referer", "")
    page = submission.page or referer
    marks = {"id": submission.form_id, "kind": kind, "title": submission.title}
    form |= {name: normal.short(value) for name, value in marks.items()} | {"page": normal.short(page, MAX_ADDRESS)}
    came_from = source.of(submission.texts(), page, referer, submission.cookies)
    came_from |= {name: value for name, value in given_source.items() if value}
    if submission.ip:
        came_from["ip"] = submission.ip
    came_from = {name: normal.short(value, MAX_ADDRESS) for name, value in came_from.items()}
    record: dict[str, Any] = {"form": form, "contact": contact, "source": came_from}
    if order:
        record["order"] = order
    return record


def _summary(submission: shapes.Submission) -> str:
    """Return the answers as lines a colleague reads: `Phone: 067 ...`."""
    lines = [
        f"{(field.label or field.name).strip(' :*')[:200]}: {field.text[:2_000]}"
        for field in submission.fields
        if field.text and not _is_machinery(field.name)
    ]
    return "\n".join(lines + answers.goods_lines(submission.payment))[:20_000]


def _is_machinery(name: str) -> bool:
    plain = shapes.normalise(name)
    return plain in MACHINERY or plain.startswith(("utm_", "_"))


def _sane(told: dt.datetime | None, arrived: dt.datetime) -> dt.datetime:
    """Return the sender's time unless it lies ahead of ours."""
    arrived = arrived.astimezone(dt.UTC)
    return min(told, arrived) if told else arrived
