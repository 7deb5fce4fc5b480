"""Settings of a connection."""

from __future__ import annotations

import ipaddress
from typing import Any
from zoneinfo import ZoneInfo

import marshmallow as ma

from hub.connector import Settings
from hub.settings import Duration
from plugins.calltouch.codes import NAMES, NO_PHASE, PHASES, SENDERS

API_URL = "https://api.calltouch.ru"


class Zone(ma.fields.Field[ZoneInfo]):
    """The name of a time zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ZoneInfo:
        try:
            return ZoneInfo(str(value))
        except (KeyError, ValueError, OSError):
            raise ma.ValidationError(f"{value!r} is not a time zone; write for example Europe/Moscow") from None


class Network(ma.fields.Field[str]):
    """An address or a network."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        try:
            return str(ipaddress.ip_network(str(value).strip()))
        except ValueError:
            raise ma.ValidationError(f"{value!r} is no address or network; write for example {SENDERS[0]}") from None


class CalltouchSettings(Settings):
    """The settings of a Calltouch connection."""

    site_id = ma.fields.String(
        required=True,
        validate=ma.validate.Regexp(r"^\d{1,12}$", error="site_id is the number of the cabinet, digits alone"),
        metadata={"help": "ID of the cabinet: Integrations - sending data - API", "example": "52001"},
    )
    secret = ma.fields.String(
        required=True,
        validate=ma.validate.Length(min=6),
        metadata={
            "help": "stands at the end of the hook's address, or behind ?secret= in it",
            "example": "${CT_SECRET}",
            "secret": True,
        },
    )
    secrets = ma.fields.List(
        ma.fields.String(validate=ma.validate.Length(min=6)),
        load_default=list,
        metadata={"help": "older secrets that are still let in while hooks are changed", "secret": True},
    )
    client_api_id = ma.fields.String(
        load_default="",
        metadata={
            "help": "token of a login for the journals (clientApiId); without it nothing is polled or looked for",
            "example": "${CT_API}",
            "secret": True,
        },
    )
    access_token = ma.fields.String(
        load_default="",
        metadata={
            "help": "API key for lead-service (Access-Token): deals, tags, comments, imports",
            "example": "${CT_TOKEN}",
            "secret": True,
        },
    )
    poll = Duration(
        least=60,
        off=True,
        load_default=300.0,
        metadata={"help": "how often the journals are read to heal lost hooks; `no` = never", "example": "5m"},
    )
    overlap = Duration(
        least=300,
        load_default=10_800.0,
        metadata={"help": "how far each reading goes back behind the one before", "example": "3h"},
    )
    deals = ma.fields.Boolean(
        load_default=False,
        metadata={"help": "read the journal of deals too: cabinets with a CRM's integration only", "example": "yes"},
    )
    timezone = Zone(
        load_default=None,
        allow_none=True,
        metadata={"help": "time zone of the cabinet, if it isn't that of the hub", "example": "Europe/Moscow"},
    )
    addresses = ma.fields.List(
        Network,
        load_default=list,
        metadata={
            "help": "networks that hooks may come from; empty = any. Theirs is in the example.",
            "example": f"[{SENDERS[0]}]",
        },
    )
    proxies = ma.fields.List(
        Network,
        load_default=list,
        metadata={"help": "your own proxies, whose X-Forwarded-For is believed", "example": "[127.0.0.1]"},
    )
    phases = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(validate=ma.validate.OneOf(PHASES)),
        load_default=dict,
        metadata={
            "help": f"your hook's word in callphase -> {', '.join(PHASES)}; `{NO_PHASE}` = the field isn't ticked",
            "example": "{callconnected: started}",
        },
    )
    read = ma.fields.Dict(
        keys=ma.fields.String(validate=ma.validate.OneOf(sorted(NAMES))),
        values=ma.fields.String(validate=ma.validate.Length(min=1, max=100)),
        load_default=dict,
        metadata={"help": "Calltouch's field <- its name in your hook", "example": "{callId: my_call}"},
    )
    crm = ma.fields.String(
        load_default="CRM",
        validate=ma.validate.Length(min=1, max=100),
        metadata={"help": "what Calltouch shows as the deals' CRM", "example": "amoCRM"},
    )
    base_url = ma.fields.Url(
        load_default=API_URL,
        require_tld=False,
        metadata={"help": "address of the API; an older cabinet may have api-nodeN", "example": API_URL},
    )
    per_second = ma.fields.Float(
        load_default=3.0,
        validate=ma.validate.Range(min=0.1, max=5),
        metadata={"help": "calls a second at most (5 is said to be the limit)", "example": "3"},
    )
