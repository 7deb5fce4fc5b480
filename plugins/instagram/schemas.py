"""The settings of a connection, and the few vendor shapes the plugin relies on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
from marshmallow import fields, validate

from hub.connector import Settings
from hub.settings import Duration, Switch, Words
from plugins.instagram import codes

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _help(help: str, example: str = "", secret: bool | None = None) -> dict[str, Any]:
    return {"help": help, "example": example, **({} if secret is None else {"secret": secret})}


class InstagramSettings(Settings):
    """What stands in `hub.yaml` under a connection with `plugin: instagram`."""

    login = fields.String(
        load_default="instagram",
        validate=validate.OneOf(tuple(codes.LOGINS)),
        metadata=_help("how the account is connected: by instagram (no Page needed) or facebook login", "facebook"),
    )
    app_secret = Words(
        required=True,
        validate=validate.Length(min=1, error="the app's secret is missing"),
        metadata=_help(
            "App Dashboard: the app's secret; with Instagram Login both its Instagram app secret and its app secret",
            "${IG_SECRET}",
            True,
        ),
    )
    verify_token = fields.String(
        required=True,
        validate=validate.Length(min=8, error="make it 8 characters or longer"),
        metadata=_help("a word of your own, repeated in the App Dashboard beside the address", "${IG_VERIFY}", True),
    )
    app_id = fields.String(
        load_default="",
        validate=validate.Regexp(r"^\d*$", error="an app id is a number"),
        metadata=_help("the app's id (Instagram app ID with Instagram Login): for giving consent", "990000000000001"),
    )
    access_token = fields.String(
        load_default="",
        metadata=_help("the account's token; with Facebook Login its Page's. Or give consent", "${IG_TOKEN}", True),
    )
    account_id = fields.String(
        load_default="",
        validate=validate.Regexp(r"^\d*$", error="an account's id is a number"),
        metadata=_help("the account's own id (17841...); messages of others are put aside then", "17841400000000001"),
    )
    accounts = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"^\d+$", error="an account's id is a number")),
        values=fields.String(validate=validate.Length(min=1)),
        load_default=dict,
        metadata=_help("several accounts of one app: id -> token", '{"17841400000000001": "${IG_TOKEN}"}', True),
    )
    human_agent = Switch(
        load_default=False,
        metadata=_help("the app has the Human Agent feature: people may answer for 7 days instead of 24 hours", "yes"),
    )
    profiles = Switch(
        load_default=True, metadata=_help("look up name and username of who writes, once a day each", "no")
    )
    backfill = Duration(
        off=True,
        load_default=900.0,
        validate=validate.Range(min=0, max=86_400),
        metadata=_help("how often to look for messages and comments whose webhook got lost, or off", "15m"),
    )
    subscribe = Words(
        load_default=(),
        metadata=_help("webhook fields to subscribe the account to, instead of all that are understood", "messages"),
    )
    per_second = fields.Float(
        load_default=10.0,
        validate=validate.Range(min=0.1, max=100),
        metadata=_help("calls a second at most", "10"),
    )
    proof = Switch(
        load_default=False,
        metadata=_help("send appsecret_proof with each call, where the app's settings require it", "yes"),
    )
    version = fields.String(
        load_default=codes.VERSION,
        validate=validate.Regexp(r"^v\d{1,3}\.\d$", error="a version reads v26.0"),
        metadata=_help("version of the Graph API", codes.VERSION),
    )
    api_url = fields.String(
        load_default="", metadata=_help("address of a stand-in; leave empty", "http://127.0.0.1:8090")
    )

    @ma.validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data["access_token"] and data["accounts"]:
            raise ma.ValidationError("give access_token for one account, or accounts for several", "accounts")
        if data["account_id"] and data["accounts"]:
            raise ma.ValidationError("accounts names the ids already", "account_id")
        if url := data["api_url"]:
            parts = urlsplit(url)
            if not parts.hostname or parts.scheme not in ("http", "https"):
                raise ma.ValidationError(f"{url!r} is not an address", "api_url")
            if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
                raise ma.ValidationError("plain http is for a stand-in on this machine alone", "api_url")
