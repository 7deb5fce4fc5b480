"""The settings of a connection, and the few vendor shapes the plugin relies on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
from marshmallow import fields, validate

from hub.connector import Settings
from hub.settings import Duration
from plugins.amocrm import codes

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def domain_of(host: str) -> str:
    """Return which of the vendor's domains a host belongs to; "" for any other (a stand-in, a stranger)."""
    return next((domain for domain in codes.DOMAINS if host.endswith(f".{domain}")), "")


def address(url: str) -> str:
    """Return an account's address without a closing slash. Plain http is for stand-ins on this machine alone.

    Raises `ValidationError`: tokens must not go to a host that isn't amoCRM's.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host:
        raise ma.ValidationError(f"{url!r} is not an address; it should read https://company.amocrm.ru")
    if host in _LOOPBACK:
        return f"{parts.scheme}://{parts.netloc}"
    if parts.scheme == "http":
        raise ma.ValidationError("amoCRM answers https only: write https://")
    if not domain_of(host) or host.startswith("www."):
        raise ma.ValidationError(
            f"{host!r} is no account's address: it should end with .amocrm.ru or .kommo.com, and not be www"
        )
    return f"https://{host}"


class LimitSettings(ma.Schema):
    """How politely to call."""

    per_second = fields.Float(
        load_default=7.0,
        validate=validate.Range(min=0.1, max=1000),
        metadata={"help": "calls a second; amoCRM allows 7 per integration, Kommo 7 per address", "example": "5"},
    )
    burst = fields.Integer(
        load_default=7,
        validate=validate.Range(min=1, max=10_000),
        metadata={"help": "calls that may go out at once", "example": "3"},
    )


class ChatSettings(ma.Schema):
    """The channel that amoCRM's support has registered for the hub (Chats API)."""

    channel_id = fields.String(required=True, metadata={"help": "id of the channel, from support"})
    secret = fields.String(required=True, metadata={"help": "secret of the channel, from support", "secret": True})
    bot_id = fields.String(load_default="", metadata={"help": "id of the channel's bot, from support"})
    account = fields.String(
        load_default="", metadata={"help": "the account's id in the Chats API (amojo_id); asked for when left out"}
    )
    title = fields.String(load_default="hub", metadata={"help": "how the channel is called in the account"})
    origin = fields.String(
        load_default="",
        metadata={
            "help": "code of the channel: messages the hub brought in itself are then no news when they come back"
        },
    )
    url = fields.String(load_default="", metadata={"help": "the Chats API of a stand-in; leave empty"})


class AmoCrmSettings(Settings):
    """What stands in `hub.yaml` under a connection with `plugin: amocrm`."""

    base_url = fields.String(
        required=True, metadata={"help": "address of the account", "example": "https://company.amocrm.ru"}
    )
    token = fields.String(
        load_default="",
        metadata={
            "help": "long-lived token: the integration's page, tab Keys and scopes",
            "example": "${AMO_TOKEN}",
            "secret": True,
        },
    )
    client_id = fields.String(load_default="", metadata={"help": "integration id, where OAuth is used"})
    client_secret = fields.String(load_default="", metadata={"help": "secret key of the integration", "secret": True})
    redirect_uri = fields.String(
        load_default="",
        metadata={
            "help": "redirect address as registered in the integration; https://<hub>/oauth/<connection> when left out"
        },
    )
    hook_secret = fields.String(
        load_default="",
        validate=validate.Regexp(r"^$|^[A-Za-z0-9_-]{16,200}$", error="16 letters or more: A-Z a-z 0-9 - _"),
        metadata={
            "help": "a long random word at the end of the webhook's address; it is all that proves the sender",
            "example": "${AMO_HOOK_SECRET}",
            "secret": True,
        },
    )
    account_id = fields.String(
        load_default="",
        validate=validate.Regexp(r"^\d*$", error="an account's id is a number"),
        metadata={"help": "id of the account; webhooks of another one are turned away", "example": "31000001"},
    )
    chats = fields.Nested(
        ChatSettings, load_default=None, metadata={"help": "the hub's own chat channel", "example": "{channel_id: ...}"}
    )
    limit_key = fields.String(
        load_default="",
        validate=validate.OneOf(["", "integration", "account", "ip"]),
        metadata={"help": "whose calls are counted together: integration (amoCRM), ip (Kommo) or account"},
    )
    limits = fields.Nested(
        LimitSettings,
        load_default=lambda: LimitSettings().load({}),
        metadata={"help": "how politely to call", "example": "{per_second: 5}"},
    )
    poll = Duration(
        off=True,
        load_default=600.0,
        validate=validate.Range(min=0, max=86_400),
        metadata={
            "help": "how often to look for changes whose webhook got lost; off switches it off",
            "example": "10m",
        },
    )
    watch = Duration(
        off=True,
        load_default=900.0,
        validate=validate.Range(min=0, max=86_400),
        metadata={"help": "how often to see whether the webhook is still switched on; off: never", "example": "15m"},
    )
    user = fields.String(
        load_default="",
        validate=validate.Regexp(r"^\d*$", error="a user's id is a number"),
        metadata={"help": "user who becomes responsible where a route names none", "example": "3000001"},
    )
    own_user = fields.String(
        load_default="",
        validate=validate.Regexp(r"^\d*$", error="a user's id is a number"),
        metadata={
            "help": "a user that only the hub works as: its notes and the tasks it completes are no news",
            "example": "3000009",
        },
    )

    @ma.validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        app = bool(data["client_id"]), bool(data["client_secret"])
        if any(app) and not all(app):
            raise ma.ValidationError(
                "an integration has both client_id and client_secret", "client_secret" if app[0] else "client_id"
            )
        if not data["token"] and not all(app):
            raise ma.ValidationError("give token, or client_id and client_secret", "token")
        try:
            address(data["base_url"])
        except ma.ValidationError as error:
            raise ma.ValidationError(error.messages, "base_url") from None

    @ma.post_load
    def _tidy(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "base_url": address(data["base_url"])}


class _Shape(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE


class Tokens(_Shape):
    """What the token endpoint answers (oauth/step-by-step)."""

    access_token = fields.String(required=True, validate=validate.Length(min=1))
    refresh_token = fields.String(required=True, validate=validate.Length(min=1))
    expires_in = fields.Integer(load_default=86_400)
