"""What an admin sets for a `standard` or an `http` connection."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
from marshmallow import fields, validate

from hub.connector import Settings
from hub.events import KNOWN_EVENTS, is_known
from hub.records import FIELDS, OPEN_RECORDS, known_fields
from plugins.standard.signing import keys_of

AUTHS = ("standard", "header", "hmac", "url")
_STATUSES = re.compile(r"[1-5]\d\d(-[1-5]\d\d)?")


def _address(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ma.ValidationError(f"{value!r} is not an address; write it like https://api.example.com/v1")
    if parts.username or parts.password:
        raise ma.ValidationError("a password doesn't belong into the address; write it into `headers`")


def _our_field(value: str) -> None:
    record, dot, name = value.partition(".")
    if record not in FIELDS or not dot or not name:
        raise ma.ValidationError(f"{value!r} is none of our fields; write <record>.<field>, like contact.phone")
    if record not in OPEN_RECORDS and name not in known_fields(record):
        raise ma.ValidationError(f"{record} has no field {name!r}; it has {', '.join(sorted(known_fields(record)))}")


def _event(value: str) -> None:
    if not is_known(value):
        known = ", ".join(sorted(KNOWN_EVENTS))
        raise ma.ValidationError(f"{value!r} is no event; write vendor.<any name>, or one of {known}")


class Statuses(fields.Field[frozenset[int]]):
    """HTTP statuses: `409`, `500-599`, or a list of such."""

    default_error_messages = {"invalid": "write statuses as 409 or 500-599"}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> frozenset[int]:
        found: set[int] = set()
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str) or not _STATUSES.fullmatch(item):
                raise self.make_error("invalid")
            first, _, last = item.partition("-")
            found.update(range(int(first), int(last or first) + 1))
        return frozenset(found)


class LimitSettings(ma.Schema):
    """How politely to call."""

    per_second = fields.Float(load_default=20.0, validate=validate.Range(min=0, min_inclusive=False))
    parallel = fields.Integer(load_default=16, validate=validate.Range(min=1, max=256))
    timeout = fields.Float(load_default=30.0, validate=validate.Range(min=1, max=300))


class OutgoingSettings(Settings):
    """What both connectors need to call somebody."""

    limits = fields.Nested(
        LimitSettings,
        load_default=lambda: LimitSettings().load({}),
        metadata={"help": "Calls a second, calls at once, seconds to wait.", "example": '{per_second: "5"}'},
    )
    retry_on = Statuses(
        load_default=frozenset(),
        metadata={
            "help": "Answers that mean: nothing happened, try again later. Without it a 5xx to a POST is in doubt.",
            "example": "[409, 500-599]",
        },
    )
    gone_on = Statuses(
        load_default=frozenset({404, 410}),
        metadata={"help": "Answers that mean: what was addressed is no more.", "example": "[404, 410]"},
    )
    ok_on = Statuses(
        load_default=frozenset(),
        metadata={"help": "Answers beyond 200-299 that are fine too.", "example": "[409]"},
    )


class StandardSettings(OutgoingSettings):
    """Settings of a `standard` connection."""

    secrets = fields.List(
        fields.String(validate=validate.Length(min=1)),
        required=True,
        validate=validate.Length(min=1),
        metadata={
            "help": "The shared secrets. All are accepted, the first signs what goes out: put a new one in front.",
            "example": "[${SUP_SECRET}, ${SUP_SECRET_OLD}]",
            "secret": True,
        },
    )
    auth = fields.String(
        load_default="standard",
        validate=validate.OneOf(AUTHS),
        metadata={
            "help": "How the sender proves itself: standard (Standard Webhooks), header (the secret itself in a "
            "header), hmac (a signature of the body in a header), url (the secret at the end of the address).",
            "example": "hmac",
        },
    )
    header = fields.String(
        load_default="",
        metadata={"help": "auth header, hmac: the header to look at.", "example": "X-Signature"},
    )
    algorithm = fields.String(
        load_default="sha256",
        validate=validate.OneOf(["sha1", "sha256", "sha384", "sha512"]),
        metadata={"help": "auth hmac: the hash.", "example": "sha256"},
    )
    encoding = fields.String(
        load_default="hex",
        validate=validate.OneOf(["hex", "base64"]),
        metadata={"help": "auth hmac: how the signature is written.", "example": "base64"},
    )
    tolerance = fields.Integer(
        load_default=300,
        validate=validate.Range(min=10, max=86_400),
        metadata={"help": "auth standard: seconds that a message may be old, or ahead of us.", "example": "300"},
    )
    event = fields.String(
        load_default="",
        validate=lambda value: _event(value) if value else None,
        metadata={
            "help": "What a message means. Without it: the message's own `type`, as vendor.<type> if it isn't ours.",
            "example": "lead.received",
        },
    )
    read = fields.Dict(
        keys=fields.String(validate=_our_field),
        values=fields.String(validate=validate.Length(min=1)),
        load_default=dict,
        metadata={
            "help": "Our field <- their path.",
            "example": "{contact.phone: data.phone, lead.supplier_id: data.id}",
        },
    )
    key = fields.String(
        load_default="",
        metadata={"help": "The path of what is unique per event; it comes once however often it is sent.",
                  "example": "data.id"},
    )  # fmt: skip
    base_url = fields.String(
        load_default="",
        validate=lambda value: _address(value) if value else None,
        metadata={"help": "Where our own messages go.", "example": "https://partner.example.com/hooks"},
    )

    @ma.validates_schema
    def _together(self, data: Any, **kwargs: Any) -> None:
        if data["auth"] in ("header", "hmac") and not data["header"]:
            raise ma.ValidationError(f"auth {data['auth']} needs the name of the header", "header")
        if data["auth"] == "standard":
            for secret in data["secrets"]:
                try:
                    keys_of(secret)
                except ValueError as error:
                    raise ma.ValidationError(str(error), "secrets") from None


class HttpSettings(OutgoingSettings):
    """Settings of an `http` connection."""

    base_url = fields.String(
        required=True,
        validate=_address,
        metadata={"help": "Where the calls go; `path` in a step is added to it.", "example": "https://api.example.com"},
    )
    headers = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")),
        values=fields.String(validate=validate.Regexp(r"^[^\r\n]*$")),
        load_default=dict,
        metadata={
            "help": "Sent with each call under base_url, and nowhere else.",
            "example": '{Authorization: "Bearer ${API_TOKEN}"}',
            "secret": True,
        },
    )
    idempotency_header = fields.String(
        load_default="",
        metadata={
            "help": "The header that takes a key against doubles; then a lost POST is repeated safely.",
            "example": "Idempotency-Key",
        },
    )
    check_path = fields.String(
        load_default="",
        metadata={"help": "A path that `hub check --live` may GET to see whether the token works.", "example": "/me"},
    )
