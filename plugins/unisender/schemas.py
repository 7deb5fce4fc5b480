"""Settings of a connection, and the vendor's shapes that this plugin relies on (everything else passes through)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import marshmallow as ma

from hub.connector import Settings
from hub.settings import Duration

PRODUCTS = ("classic", "go")
#: where each product lives; Go has two data centres, and a key of the other one is just "invalid"
BASE_URLS = {"classic": "https://api.unisender.com", "go": "https://go1.unisender.ru"}
#: calls a second: 300 in 60 s is in every text of the classic product; of Go no number is known
PER_SECOND = {"classic": 5.0, "go": 10.0}
#: the events whose names are certain (of the others a wrong name refuses the whole registration)
CLASSIC_HOOKS = ("email_status", "unsubscribe", "subscribe", "campaign_status")
GO_STATUSES = ("sent", "delivered", "opened", "clicked", "unsubscribed", "subscribed", "soft_bounced", "hard_bounced",
               "spam")  # fmt: skip


def _zone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ma.ValidationError(f"no time zone {value!r}; write for example Europe/Moscow") from None


def _list_id(value: str) -> None:
    if not value.isdecimal():
        raise ma.ValidationError(f"{value!r} is no list id: a number, see `hub names`")


class UnisenderSettings(Settings):
    """The settings of a Unisender connection; some belong to one product only."""

    product = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(PRODUCTS, error="must be classic (contact lists, campaigns) or go (single letters)"),
        metadata={
            "help": "classic (contact lists, campaigns, SMS) or go (single letters)",
            "example": "classic",
        },
    )
    api_key = ma.fields.String(
        required=True,
        validate=ma.validate.Length(min=8),
        metadata={"help": "the API key of this product: each has its own", "secret": True},
    )
    webhook_keys = ma.fields.List(
        ma.fields.String(validate=ma.validate.Length(min=8)),
        load_default=list,
        metadata={"help": "further keys that webhooks may be signed with: the old one, a project's", "secret": True},
    )
    secret = ma.fields.String(
        load_default="",
        validate=ma.validate.Regexp(r"^([A-Za-z0-9_-]{8,100})?$", error="must be 8 or more letters, digits, - and _"),
        metadata={"help": "unguessable end of the webhook's address, of your own making", "secret": True},
    )
    base_url = ma.fields.Url(
        load_default="",
        require_tld=False,
        metadata={
            "help": "another address: Go's second data centre, Selzy, UniOne",
            "example": "https://go2.unisender.ru",
        },
    )
    language = ma.fields.String(
        load_default="ru",
        validate=ma.validate.OneOf(("ru", "en", "ua")),
        metadata={"help": "language of the vendor's error texts; en for Selzy and UniOne", "example": "ru"},
    )
    from_email = ma.fields.Email(
        load_default="",
        metadata={"help": "sender of letters where a route names none; confirmed at the vendor"},
    )
    from_name = ma.fields.String(load_default="", metadata={"help": "sender's name where a route names none"})
    sms_sender = ma.fields.String(
        load_default="", metadata={"help": "classic: sender of short messages where a route names none"}
    )
    lists = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(validate=_list_id),
        load_default=dict,
        metadata={"help": "classic: our words for list ids", "example": "{guests: 19000001}"},
    )
    hooks = ma.fields.List(
        ma.fields.String(validate=ma.validate.Regexp(r"^[a-z_]+$")),
        load_default=lambda: list(CLASSIC_HOOKS),
        metadata={"help": f"classic: what `hub connect` subscribes to; default: {', '.join(CLASSIC_HOOKS)}"},
    )
    timezone = ma.fields.String(
        load_default="",
        validate=lambda value: _zone(value) if value else None,
        metadata={"help": "classic: zone of the times in webhooks, if you know it; else the arrival counts"},
    )
    poll = Duration(
        least=300,
        short="every five minutes (5m) at most: the vendor's limits are counted by the minute",
        load_default=None,
        allow_none=True,
        metadata={
            "help": "go: look so often for events that no webhook brought, 1h if left out; classic: ask about letters "
            "and campaigns so often, only where no webhook can reach the hub",
            "example": "30m",
        },
    )
    per_second = ma.fields.Float(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Range(min=0.1, max=50),
        metadata={"help": "calls a second at most; 5 in classic, 10 in Go"},
    )

    @ma.validates_schema(skip_on_field_errors=False)
    def _fits_the_product(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data.get("product") != "go":
            return
        for name in ("sms_sender", "lists", "timezone"):
            if data.get(name):
                raise ma.ValidationError(f"belongs to product: classic; Go has no {_NOT_IN_GO[name]}", name)


_NOT_IN_GO = {
    "sms_sender": "short messages",
    "lists": "contact lists",
    "timezone": "such times, they are UTC",
}


# --- the vendor's shapes ----------------------------------------------------------------------------


class _Shape(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE


class Text(ma.fields.Field[str]):
    """A member that comes as text or as a number (9 or "9"); null and a missing value are ""."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ma.ValidationError("not a text")
        return str(value).strip()


class ClassicError(_Shape):
    """`{"error", "code"}` of the classic product, HTTP 200 mostly."""

    error = Text(required=True, allow_none=True)
    code = Text(load_default="unspecified", allow_none=True)


class GoAnswer(_Shape):
    """Every answer of Go: `status` success or error; an error has `message` and `code`."""

    status = Text(load_default="", allow_none=True)
    message = Text(load_default="", allow_none=True)
    code = Text(load_default="", allow_none=True)


class GoSent(_Shape):
    """The answer of email/send; PHP writes an empty object as a list."""

    job_id = Text(required=True, validate=ma.validate.Length(min=1))
    emails = ma.fields.List(ma.fields.String(), load_default=list, allow_none=True)
    failed_emails = ma.fields.Raw(load_default=dict, allow_none=True)
