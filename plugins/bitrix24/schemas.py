"""The settings of a connection, and the few vendor shapes the plugin relies on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
from marshmallow import fields, validate

from hub.connector import Settings
from hub.settings import Duration, Words
from plugins.bitrix24.chat_schemas import OpenLines

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WEBHOOK = re.compile(r"^https?://[^/\s]+(/[^\s]+)?/rest/\d+/[^/\s]+/?$")


def _secure(url: str) -> str:
    """Return the url with a closing slash; plain http is for stand-ins on this machine alone."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ma.ValidationError(f"{url!r} is not an address; it should begin with https://")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ma.ValidationError("Bitrix24 answers https only: write https://")
    return url.rstrip("/") + "/"


class LimitSettings(ma.Schema):
    """How politely to call, where the plan allows more (or a server of one's own less) than the cloud's default."""

    per_second = fields.Float(
        load_default=2.0,
        validate=validate.Range(min=0.1, max=1000),
        metadata={"help": "calls a second the portal takes; 5 on the Enterprise plan", "example": "5"},
    )
    burst = fields.Integer(
        load_default=45,
        validate=validate.Range(min=1, max=10_000),
        metadata={"help": "calls that may go out at once; 225 on the Enterprise plan", "example": "225"},
    )


class Bitrix24Settings(Settings):
    """What stands in `hub.yaml` under a connection with `plugin: bitrix24`."""

    webhook_url = fields.String(
        load_default="",
        metadata={
            "help": "inbound webhook: Applications > Developer resources > Other > Inbound webhook",
            "example": "https://portal.bitrix24.ru/rest/1/secret/",
            "secret": True,
        },
    )
    client_id = fields.String(
        load_default="",
        metadata={"help": "code of the local app, where an app is used", "example": "local.000000000000.00000000"},
    )
    client_secret = fields.String(load_default="", metadata={"help": "key of the local app", "secret": True})
    portal = fields.String(
        load_default="",
        metadata={"help": "address of the portal; an app pins it", "example": "https://portal.bitrix24.ru"},
    )
    application_token = Words(
        load_default=(),
        metadata={
            "help": "token shown with the outgoing webhook; several (webhook and app) separated by commas",
            "secret": True,
        },
    )
    member_id = fields.String(
        load_default="", metadata={"help": "id of the portal; when given, events of another one are turned away"}
    )
    events = fields.String(
        load_default="hooks",
        validate=validate.OneOf(["hooks", "offline"]),
        metadata={"help": "hooks: the portal calls the hub; offline: the hub fetches a queue (app only)"},
    )
    poll = Duration(
        off=True,
        load_default=600.0,
        validate=validate.Range(min=0, max=86_400),
        metadata={"help": "how often to look for changes whose event got lost; off switches it off", "example": "10m"},
    )
    user = fields.String(
        load_default="",
        validate=validate.Regexp(r"^\d*$", error="an employee's id is a number"),
        metadata={"help": "employee who becomes responsible where a route names none", "example": "1"},
    )
    limits = fields.Nested(
        LimitSettings,
        load_default=lambda: LimitSettings().load({}),
        metadata={"help": "how politely to call", "example": "{per_second: 5, burst: 225}"},
    )
    openlines = OpenLines(
        load_default=dict,
        metadata={
            "help": "channels whose chats go into open lines (app only), by the id of their connector",
            "example": "{hub_insta: {line: 1, name: Instagram, channel: instagram}}",
        },
    )
    oauth_url = fields.String(
        load_default="",
        metadata={"help": "authorization server of a stand-in; leave empty", "example": "http://127.0.0.1:8080"},
    )

    @ma.validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        app = bool(data["client_id"]), bool(data["client_secret"])
        if any(app) and not all(app):
            missing = "client_secret" if app[0] else "client_id"
            raise ma.ValidationError("an app has both client_id and client_secret", missing)
        if not data["webhook_url"] and not all(app):
            raise ma.ValidationError("give webhook_url, or client_id and client_secret of an app", "webhook_url")
        if data["webhook_url"] and not _WEBHOOK.match(data["webhook_url"]):
            raise ma.ValidationError(
                "an inbound webhook reads https://portal.bitrix24.ru/rest/<user id>/<secret>/", "webhook_url"
            )
        if data["events"] == "offline" and not all(app):
            raise ma.ValidationError("offline events need an app: client_id and client_secret", "events")
        if data["openlines"] and not all(app):
            words = "open lines need an app: client_id and client_secret; Bitrix24 lets no webhook use a connector"
            raise ma.ValidationError(words, "openlines")
        for name in ("webhook_url", "portal", "oauth_url"):
            if data[name]:
                try:
                    _secure(data[name])
                except ma.ValidationError as error:
                    raise ma.ValidationError(error.messages, name) from None

    @ma.post_load
    def _closing_slash(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {
            **data,
            **{name: _secure(data[name]) for name in ("webhook_url", "portal", "oauth_url") if data[name]},
        }


class _Shape(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE


class Tokens(_Shape):
    """What the authorization server answers, and the `auth` of an install event (settings/oauth/index.html).

    `domain` is left out on purpose: it is the authorization server's name there, not the portal's.
    """

    access_token = fields.String(required=True, validate=validate.Length(min=1))
    refresh_token = fields.String(load_default="")
    client_endpoint = fields.String(load_default="")
    server_endpoint = fields.String(load_default="")
    member_id = fields.String(load_default="")
    scope = fields.String(load_default="")
    status = fields.String(load_default="")
    application_token = fields.String(load_default="")


class OfflineRow(_Shape):
    """One row of event.offline.get; EVENT_DATA is `false` where there are none."""

    ID = fields.Raw(required=True)
    EVENT_NAME = fields.String(required=True, validate=validate.Length(min=1))
    EVENT_DATA = fields.Raw(load_default=None)
    TIMESTAMP_X = fields.String(load_default="")
    MESSAGE_ID = fields.Raw(load_default="")
