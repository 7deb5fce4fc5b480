"""Stand-in connectors: only what a configuration is checked against."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import marshmallow as ma

from hub.config import Config, Problem, load
from hub.connector import ActionKind, Connector, EventKind
from hub.errors import ConfigError
from hub.plugins import Plugins


class Anything(ma.Schema):
    """Settings of a stand-in that takes whatever a target writes."""

    class Meta:
        unknown = ma.INCLUDE


def connector(
    name: str,
    events: str = "",
    actions: str = "",
    settings: str = "",
    vendor: str = r"$^",
    secret: str = "",
    **more: Any,
) -> type[Connector]:
    """Make a connector class; `events`, `actions`, `settings` and `secret` are words separated by spaces."""
    fields: dict[str, Any] = {key: ma.fields.Raw() for key in settings.split()}
    fields |= {key: ma.fields.Raw(metadata={"secret": True, "help": f"the {key}"}) for key in secret.split()}
    return type(
        name.title(),
        (Connector,),
        {
            "name": name,
            "events": tuple(EventKind(one, one.split(".")[0]) for one in events.split()),
            "actions": tuple(more.get("kinds", ())) + tuple(ActionKind(one) for one in actions.split()),
            "Settings": ma.Schema.from_dict(fields, name=f"{name.title()}Settings"),
            "vendor_field": vendor,
        },
    )


_STAGES = ("STAGE_ID", "STATUS_ID")
_CRM = (
    "lead.created lead.updated lead.stage_changed lead.responsible_changed deal.created deal.updated deal.stage_changed"
)


class BitrixSettings(ma.Schema):
    """As strict as the real ones where tests look at settings."""

    webhook_url = ma.fields.String(metadata={"secret": True, "help": "the address of the webhook"})
    application_token = ma.fields.String(required=True, metadata={"secret": True, "help": "shown beside the webhook"})
    client_id = ma.fields.String()
    client_secret = ma.fields.String(metadata={"secret": True})
    per_second = ma.fields.Integer(metadata={"help": "calls in a second"})


Bitrix = connector(
    "bitrix24",
    _CRM,
    "lead.set_stage lead.convert lead.list deal.set_stage deal.find deal.list contact.upsert task.create task.update "
    "task.list todo.create comment.create api",
    vendor=r"[A-Z][A-Z0-9_]*",
    kinds=(
        ActionKind("lead.upsert", person=True, stage_fields=("STATUS_ID",)),
        ActionKind("deal.upsert", person=True, stage_fields=("STAGE_ID",)),
        ActionKind("deal.create", stage_fields=("STAGE_ID",)),
    ),
)
Bitrix.Settings = BitrixSettings
Nova = connector(
    "novaposhta",
    "parcel.status_changed",
    settings="sender poll",
    secret="api_key",
    kinds=(ActionKind("parcel.create", required=("city", "name", "phone")),),
)
Form = connector("form", "form.submitted form.opened", secret="secret")
Insta = connector(
    "instagram",
    "message.received message.sent comment.received",
    settings="verify_token",
    secret="app_secret access_token",
)


def _target(name: str, events: str = "", actions: str = "", vendor: str = r"$^") -> type[Connector]:
    made = connector(name, events, actions, vendor=vendor)
    made.Settings = Anything
    return made


def _listing(name: str, events: str = "", actions: str = "", vendor: str = r"$^") -> type[Connector]:
    """A target that can list its records, as a sync needs it."""
    made = _target(name, events, actions, vendor)
    made.pages = lambda self, record, since=None, cursor=None: ([], None)  # type: ignore[method-assign]
    return made


#: what the five targets need beside the plugins of part 1
TARGETS = (
    *(
        _target(name, "message.received message.sent comment.received")
        for name in ("instagram", "vk", "whatsapp", "viber", "telegram")
    ),
    _listing("umnico", "message.received message.sent comment.received contact.created deal.created"),
    _target("facebook", "message.received comment.received", "conversion.send"),
    _target("mailbox", "message.received"),
    _target("mango", "call.finished call.missed"),
    _target("unisender", "email.clicked email.bounced email.unsubscribed", "contact.subscribe"),
    *(_target(name) for name in ("turbosms", "smsru", "smsc")),
    _target("http", "parcel.status_changed", "http.post"),
    _target("sftp", "", "file.put"),
    _target("standard", "", "http.post"),
    _target(
        "suitecrm", _CRM + " call.missed", "lead.upsert lead.set_stage deal.upsert deal.list call.create", r"[a-z_]+"
    ),
    _listing(
        "amocrm",
        _CRM + " message.sent task.completed",
        "deal.upsert deal.create deal.find task.create contact.upsert",
        r"[a-z_]+",
    ),
    _target("marquiz", "form.submitted"),
    _target("calltouch", "call.finished call.missed call.answered form.submitted", "deal.upsert"),
    _target("aggregator", "order.created"),
    _target("googlesheets", "", "row.upsert"),
)

PLUGINS = Plugins.of(Bitrix, Nova, Form, Insta)

HEAD = """\
hub: {timezone: Europe/Kyiv, region: UA}
connections:
  crm:
    plugin: bitrix24
    application_token: tokentoken
    names:
      fields: {ttn: UF_CRM_1730000001, city: UF_CRM_1730000003}
      stages: {to_ship: "C5:PREPARATION", shipped: "C5:EXECUTING", won: "C5:WON"}
  nova: {plugin: novaposhta, api_key: keykeykey}
  site: {plugin: form, secret: formsecret}
  insta: {plugin: instagram, app_secret: appsecret, verify_token: v, access_token: accesstoken}
"""
#: what is said of a secret that is written down
IN_THE_FILE = "this secret stands in the file itself"
#: the line on which what is put behind HEAD begins
FIRST = HEAD.count("\n") + 1


def read(folder: Path, text: str, plugins: Plugins = PLUGINS, environ: dict[str, str] | None = None) -> Config:
    """Load a text as hub.yaml."""
    path = folder / "hub.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, plugins, environ or {})


def problems(folder: Path, text: str, plugins: Plugins = PLUGINS, environ: dict[str, str] | None = None) -> list[str]:
    """Return what loading a text reports, notes of a file that loads included.

    That HEAD writes its secrets down is left out: it would stand in every test.
    """
    return [one for one in remarks(folder, text, plugins, environ) if IN_THE_FILE not in one]


def remarks(folder: Path, text: str, plugins: Plugins = PLUGINS, environ: dict[str, str] | None = None) -> list[str]:
    """Return everything that loading a text reports, each with its path as machines read it."""
    return [str(dataclasses.replace(one, place="")) for one in found(folder, text, plugins, environ)]


def found(folder: Path, text: str, plugins: Plugins = PLUGINS, environ: dict[str, str] | None = None) -> list[Problem]:
    """Return everything that loading a text reports, as it is."""
    try:
        return read(folder, text, plugins, environ).notes
    except ConfigError as error:
        return list(error.problems)


def route(body: str) -> str:
    """Return a whole file with one route; `body` is written without indentation."""
    lines = body.strip("\n").split("\n")
    return HEAD + "routes:\n  - name: one\n" + "".join(f"    {line}\n" for line in lines)
