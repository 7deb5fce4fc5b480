"""The settings of the open lines that clients' chats are put into, one per connector."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import marshmallow as ma
from marshmallow import fields, validate

from plugins.bitrix24 import codes

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?", re.I)
_UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}
#: imconnector.register lowers an id and refuses a dot; a prefix of one's own keeps it apart from the portal's
_CONNECTOR = r"^[a-z0-9_]{2,50}$"
#: a speech bubble
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#fff" '
    'd="M4 4h16v12H9l-5 4z"/></svg>'
)  # fmt: skip


class Size(fields.Field[int]):
    """A size as text (`20 MB`, `500KB`), in bytes once loaded."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        found = _SIZE.fullmatch(str(value).strip())
        if not found:
            raise ma.ValidationError(f"{value!r} is not a size; write 20 MB or 500 KB")
        return int(float(found[1]) * _UNITS[(found[2] or "").lower()])


class Kinds(fields.Field[tuple[str, ...]]):
    """Kinds of files: one word, several separated by commas, or a list."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[str, ...]:
        parts = value if isinstance(value, list) else str(value).split(",")
        words = tuple(word for word in (str(part).strip().lower() for part in parts) if word)
        if unknown := [word for word in words if word not in codes.FILE_KINDS]:
            known = ", ".join(codes.FILE_KINDS)
            raise ma.ValidationError(f"{unknown[0]!r} is no kind of file; there are {known}")
        return words


class OpenLineSettings(ma.Schema):
    """One connector: the channel as the portal's Contact Center shows it, and the line its chats go to."""

    line = fields.String(
        required=True,
        validate=validate.Regexp(r"^[1-9]\d{0,8}$", error="an open line's id is a number"),
        metadata={"help": "number of the open line; `hub check --live` lists those there are", "example": "1"},
    )
    name = fields.String(
        load_default="",
        validate=validate.Length(max=100),
        metadata={
            "help": "what the Contact Center calls the channel; the connector's id without it",
            "example": "Shop",
        },
    )
    icon = fields.String(
        load_default="",
        metadata={"help": "an SVG, as text or as data:image/svg+xml,...; a speech bubble without it"},
    )
    color = fields.String(
        load_default="#e1306c",
        validate=validate.Regexp(r"^#[0-9a-fA-F]{6}$", error="a colour reads #e1306c"),
        metadata={"help": "colour behind the icon", "example": "#e1306c"},
    )
    url = fields.String(
        load_default="",
        validate=validate.Regexp(r"^(https?://\S+)?$", error="an address begins with https://"),
        metadata={"help": "where the channel is to be seen", "example": "https://www.instagram.com/shop"},
    )
    channel = fields.String(
        load_default="",
        validate=validate.Regexp(r"^[a-z0-9_]*$", error="one word in lower case"),
        metadata={
            "help": "channel whose handles name the chats, so that an answer belongs to the same person; the "
            "connector's id without it",
            "example": "instagram",
        },
    )
    signature = fields.Boolean(
        load_default=True,
        metadata={"help": "the portal puts the operator's name before the text; it becomes message.author"},
    )
    system_messages = fields.Boolean(
        load_default=True, metadata={"help": "the line's own texts (greeting, all are busy) go to the client too"}
    )
    edits = fields.Boolean(
        load_default=False, metadata={"help": "operators may change and delete what they have sent to this channel"}
    )
    mailings = fields.Boolean(load_default=False, metadata={"help": "the CRM's mailings may use this channel"})
    files = Kinds(
        load_default=codes.FILE_KINDS,
        metadata={"help": "kinds of files carried into the line; others become a line of text", "example": "image"},
    )
    max_file = Size(
        load_default=codes.MAX_FILE,
        metadata={
            "help": "largest file carried into the line; a larger one becomes a line of text",
            "example": "20 MB",
        },
    )


class OpenLines(fields.Field[dict[str, dict[str, Any]]]):
    """Connectors by their id."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, dict[str, Any]]:
        if not isinstance(value, Mapping):
            raise ma.ValidationError("name each connector: {hub_insta: {line: 1, name: Instagram}}")
        found: dict[str, dict[str, Any]] = {}
        problems: dict[str, Any] = {}
        for name, given in value.items():
            if not re.match(_CONNECTOR, str(name)):
                problems[str(name)] = ["a connector's id has lower-case letters, digits and _ alone (hub_insta)"]
                continue
            try:
                found[str(name)] = OpenLineSettings().load(given if isinstance(given, Mapping) else {})
            except ma.ValidationError as error:
                problems[str(name)] = error.messages
        if problems:
            raise ma.ValidationError(problems)
        return found


def icon_uri(icon: str) -> str:
    """Return an icon as imconnector.register wants it: a data URI with the SVG url-encoded."""
    icon = icon.strip() or _ICON
    return icon if icon.startswith("data:") else "data:image/svg+xml," + quote(icon)
