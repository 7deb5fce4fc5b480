"""Settings of a connection, and the vendor's shapes that this plugin relies on (everything else passes through)."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma

from hub import normal
from hub.connector import Settings
from hub.settings import Duration

API_URL = "https://api.novaposhta.ua/v2.0/json/"
PRINT_URL = "https://my.novaposhta.ua/orders/"
RELAYS = ("aftership", "trackingmore", "track123", "clickpost", "novapost", "custom")
SIGNS = ("plain", "hex", "base64")


class Phone(ma.fields.String):
    """A Ukrainian phone in any spelling, kept as the vendor wants it: 380XXXXXXXXX."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        number = vendor_phone(super()._deserialize(value, attr, data, **kwargs))
        if number is None:
            raise ma.ValidationError(f"{value!r} is not a Ukrainian phone; write for example 380671234567")
        return number


def vendor_phone(text: Any) -> str | None:
    """Return a Ukrainian phone in any spelling as 380XXXXXXXXX, or None if it isn't one."""
    number = normal.phone(str(text or ""), "UA")
    return number[1:] if number and re.fullmatch(r"\+380\d{9}", number) else None


class _Part(ma.Schema):
    class Meta:
        unknown = ma.RAISE


def _ref(help: str) -> ma.fields.String:
    example = "8d5a980d-391c-11dd-90d9-001a92567626"
    return ma.fields.String(metadata={"help": help, "example": example})


class Sender(_Part):
    """Who sends and from where; `hub names` prints the refs of your account."""

    city = _ref("city ref (DeliveryCity) of the place you hand parcels over in, or its name")
    counterparty = _ref("ref of your counterparty with the property Sender")
    contact = _ref("ref of the contact person of that counterparty")
    address = _ref("ref of the branch you hand parcels over at, or of a saved address (service Doors...)")
    phone = Phone(metadata={"help": "the contact person's phone", "example": "380671234567"})


class Push(_Part):
    """A relay that pushes changes in. A push is a hint: the hub then reads the waybill itself."""

    kind = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(RELAYS),
        metadata={"help": f"who pushes: {', '.join(RELAYS)}", "example": "aftership"},
    )
    secret = ma.fields.String(
        required=True,
        validate=ma.validate.Length(min=8),
        metadata={"help": "webhook secret, token or API key that proves the sender", "secret": True},
    )
    header = ma.fields.String(
        load_default="", metadata={"help": "header the token or signature comes in, if not the relay's usual one"}
    )
    sign = ma.fields.String(
        load_default="plain",
        validate=ma.validate.OneOf(SIGNS),
        metadata={"help": "custom only: plain = the secret itself, hex or base64 = HMAC-SHA256 of the body"},
    )
    number = ma.fields.String(load_default="", metadata={"help": "path of the waybill number", "example": "data.ttn"})
    status = ma.fields.String(load_default="", metadata={"help": "path of the status text", "example": "data.status"})
    at = ma.fields.String(load_default="", metadata={"help": "path of the event's time", "example": "data.time"})
    id = ma.fields.String(load_default="", metadata={"help": "path of the event's own id, for duplicates"})


def _centimetres(most: int) -> ma.fields.Float:
    return ma.fields.Float(required=True, validate=ma.validate.Range(min=1, max=most))


class Box(_Part):
    """Your usual box in centimetres, for postomats when a route names no size."""

    length = _centimetres(300)
    width = _centimetres(300)
    height = _centimetres(300)


class NovaPoshtaSettings(Settings):
    """The settings of a Nova Poshta connection."""

    api_key = ma.fields.String(
        required=True,
        validate=ma.validate.Length(min=8),
        metadata={"help": "API key from the cabinet: Settings - Security - API keys", "secret": True},
    )
    api_url = ma.fields.Url(
        load_default=API_URL, require_tld=False, metadata={"help": "address of the JSON API", "example": API_URL}
    )
    print_url = ma.fields.Url(
        load_default=PRINT_URL, require_tld=False, metadata={"help": "address that waybills are printed from"}
    )
    poll = Duration(
        least=60,
        short="asking more often than once a minute (1m) only runs into the vendor's limit",
        load_default=600.0,
        metadata={"help": "how often parcels under way are asked about"},
    )
    sender = ma.fields.Nested(
        Sender, load_default=dict, metadata={"help": "who sends; needed to make waybills, not to track them"}
    )
    push = ma.fields.Nested(Push, load_default=None, allow_none=True, metadata={"help": "a relay that pushes"})
    box = ma.fields.Nested(Box, load_default=None, allow_none=True, metadata={"help": "usual box in cm"})
    per_second = ma.fields.Float(
        load_default=4.0, validate=ma.validate.Range(min=0.1, max=50), metadata={"help": "calls a second at most"}
    )
    parallel = ma.fields.Integer(
        load_default=2, validate=ma.validate.Range(min=1, max=16), metadata={"help": "calls in flight at once"}
    )


# --- the vendor's shapes ----------------------------------------------------------------------


class Text(ma.fields.Field[str]):
    """A member that comes as text or as a number ("9" or 9); null and a missing value are ""."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ma.ValidationError("not a text")
        return str(value).strip()


class _Shape(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE


class Envelope(_Shape):
    """What every call answers; the members that hold messages are lists or objects (see `codes.flatten`)."""

    success = ma.fields.Boolean(required=True)
    data = ma.fields.Raw(load_default=list, allow_none=True)
    errors = ma.fields.Raw(load_default=list, allow_none=True)
    errorCodes = ma.fields.Raw(load_default=list, allow_none=True)


class SavedWaybill(_Shape):
    """`data[0]` of InternetDocument.save and update."""

    Ref = Text(required=True, validate=ma.validate.Length(min=1))
    IntDocNumber = Text(required=True, validate=ma.validate.Length(min=1))
    CostOnSite = Text(load_default="", allow_none=True)
    EstimatedDeliveryDate = Text(load_default="", allow_none=True)


class TrackingItem(_Shape):
    """The members of a tracking item without which nothing can be said; the other 110 are read where they stand."""

    Number = Text(required=True, validate=ma.validate.Length(min=1, max=40))
    StatusCode = Text(required=True, validate=ma.validate.Length(min=1, max=20))
    Status = Text(load_default="", allow_none=True)
    TrackingUpdateDate = Text(load_default="", allow_none=True, validate=ma.validate.Length(max=40))


def tracking_item(item: Any) -> dict[str, Any]:
    """Return a tracking item with number, code, text and change date as text; `ValueError` if it is none."""
    try:
        known: dict[str, Any] = TrackingItem().load(item)
    except ma.ValidationError as error:
        raise ValueError(f"not a tracking item of Nova Poshta: {error.messages}") from None
    return {**item, **{name: value or "" for name, value in known.items()}}
