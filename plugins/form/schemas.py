"""What an admin sets for a `form` connection."""

from __future__ import annotations

from urllib.parse import urlsplit

import marshmallow as ma
from marshmallow import fields, validate

from hub.connector import Settings
from hub.records import FIELDS


def _origin(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise ma.ValidationError(f"{value!r} is not an origin; write it like https://www.example.com, without a path")


def _address(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ma.ValidationError(f"{value!r} is not an address; write it whole, like https://www.example.com/thanks")


def _our_field(value: str) -> None:
    record, dot, name = value.partition(".")
    if record not in ("contact", "form", "source", "order") or not dot or not name:
        raise ma.ValidationError(
            f"{value!r} is none of our fields; write contact.<field>, form.<any name>, source.<field> or order.<field>"
        )
    if record in ("contact", "source") and name not in FIELDS[record]:
        raise ma.ValidationError(f"{record} has no field {name!r}; it has {', '.join(FIELDS[record])}")


class FormSettings(Settings):
    """Settings of a `form` connection."""

    secret = fields.String(
        required=True,
        validate=validate.Length(min=1),
        metadata={
            "help": "The key in the address: /in/<connection>/<secret>. For a page it is a public form key.",
            "example": "${SITE_SECRET}",
            "secret": True,
        },
    )
    secrets = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=list,
        metadata={
            "help": "More keys that are accepted too: the old one while you replace it, or one per site.",
            "example": "[${SITE_SECRET_OLD}]",
            "secret": True,
        },
    )
    secret_header = fields.String(
        load_default="X-Api-Key",
        metadata={
            "help": "The header that may carry the key instead of the address.",
            "example": "X-Api-Key",
            "secret": False,
        },
    )
    secret_field = fields.String(
        load_default="",
        metadata={
            "help": "The form field that may carry the key, for senders that add one.",
            "example": "api_key",
            "secret": False,
        },
    )
    origins = fields.List(
        fields.String(validate=_origin),
        load_default=list,
        metadata={
            "help": "Sites whose pages may post from the browser. Empty: any may, but scripts can't read the answer.",
            "example": "[https://www.example.com]",
        },
    )
    honeypot = fields.String(
        load_default="",
        metadata={"help": "A field people don't see. Whoever fills it in is a robot.", "example": "website2"},
    )
    redirect = fields.List(
        fields.String(validate=_address),
        load_default=list,
        metadata={
            "help": "Where a page's visitor goes after sending: the first, or the one that the field `redirect` names.",
            "example": "[https://www.example.com/thanks]",
        },
    )
    read = fields.Dict(
        keys=fields.String(validate=_our_field),
        values=fields.String(validate=validate.Length(min=1)),
        load_default=dict,
        metadata={
            "help": "Our field <- the form's field, where its name alone doesn't say it.",
            "example": "{contact.phone: fields.my_tel, form.size: Size}",
        },
    )
    key = fields.String(
        load_default="",
        metadata={
            "help": "The field that is unique per submission; one that comes again is dropped for good.",
            "example": "request_number",
        },
    )
    kinds = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        load_default=dict,
        metadata={"help": "Form id or title -> your word for it, read as form.kind.", "example": "{form789: course}"},
    )
