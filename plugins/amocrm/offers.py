"""What the connector offers to `hub.yaml`: its events and its actions, declared."""

from __future__ import annotations

from functools import partial

from hub.connector import ActionKind, EventKind
from plugins.amocrm import codes, outgoing
from plugins.amocrm.records import MORE_FIELDS

#: words of ours for a deal's stage in `set` and `find`
HUB_STAGES = ("stage", "status")


def _event(name: str, sample: str = "", note: str = "") -> EventKind:
    record = name.partition(".")[0]
    return EventKind(name, record, sample, note, MORE_FIELDS.get(record, ()))


def _crm_events(kind: str, sample: str, stages: bool = False) -> list[EventKind]:
    compared = ["responsible_changed", *(["stage_changed"] if stages else [])]
    return [
        _event(f"{kind}.created", sample),
        _event(f"{kind}.updated"),
        _event(f"{kind}.deleted"),
        *(_event(f"{kind}.{verb}", "", "told by comparing with the last look") for verb in compared),
    ]


EVENTS: tuple[EventKind, ...] = (
    *_crm_events("deal", "leads-status.webhook.txt", stages=True),
    *_crm_events("contact", "contacts-add.webhook.txt"),
    *_crm_events("company", "company-update.webhook.txt"),
    _event("lead.created", "unsorted-add-chat.webhook.txt", "an incoming lead (unsorted)"),
    _event("lead.updated"),
    _event("lead.stage_changed", "unsorted-accept.webhook.json", "accepted or declined: lead.stage says which"),
    _event("lead.deleted"),
    _event("note.added", "leads-note-text.webhook.txt"),
    _event("task.created", "task-add.webhook.json"),
    _event("task.updated"),
    _event("task.completed", "", "once per task"),
    _event("task.deleted"),
    _event("call.finished", "", "the note of a call"),
    _event("call.missed"),
    _event("message.received", "message-add.webhook.txt", "in any chat of the account"),
    _event("message.sent", "amojo-outgoing-picture.webhook.json", "a colleague answers"),
    _event("message.reaction"),
    EventKind("connection.changed", "", "integration-disconnect.webhook.txt", "the integration was switched off"),
)


def _crm_actions(kind: str) -> list[ActionKind]:
    """The costs hold the search for the person and for what is open; at times the account's fields are asked too."""
    deal = kind == "deal"
    stages = HUB_STAGES if deal else ()
    words = outgoing.words(kind)
    creating = partial(
        ActionKind, marker=codes.MARKER, person=deal, cost=7 if deal else 4, stage_fields=stages, words=words
    )
    repeatable = partial(ActionKind, idempotent=True)
    beside = partial(ActionKind, idempotent=True, linked=False)
    actions = [
        creating(f"{kind}.create", ("name",) if kind == "company" else ()),
        creating(f"{kind}.upsert", note="becomes a create or an update"),
        repeatable(f"{kind}.update", cost=4, stage_fields=stages, words=words),
        repeatable(f"{kind}.find", cost=3, stage_fields=stages),
        repeatable(f"{kind}.list", cost=5, stage_fields=stages),
        beside(f"{kind}.link", note="contact, company, deal, or element with catalog"),
        beside(f"{kind}.unlink"),
    ]
    if kind != "customer":
        actions.append(beside(f"{kind}.tag", cost=2, note="tags, remove: names"))
    if deal:
        both = "deal, contact and company in one call; the account's control of doubles takes part"
        actions += [
            repeatable("deal.set_stage", cost=3, latest=True, stage_fields=stages),
            creating("deal.create_complex", note=both),
        ]
    return actions


def _lead_actions() -> list[ActionKind]:
    waiting = partial(ActionKind, marker="source_uid", person=True, stage_fields=HUB_STAGES)
    settling = partial(ActionKind, uncertain="repeat", linked=False)
    return [
        waiting("lead.create", cost=7, note="an incoming lead"),
        waiting("lead.upsert", cost=7),
        ActionKind("lead.create_call", ("phone",), marker="source_uid", cost=2, fields=codes.VALUES["call"]),
        ActionKind("lead.update", idempotent=True, cost=5, stage_fields=HUB_STAGES, note="the deal it will become"),
        settling("lead.accept", stage_fields=HUB_STAGES, note="repeated: what waits no more was accepted"),
        settling("lead.decline"),
        settling("lead.link", note="chats and mail alone: `deal`"),
        ActionKind("lead.find", idempotent=True, cost=5),
        ActionKind("lead.list", idempotent=True, cost=5),
    ]


def _side_actions() -> list[ActionKind]:
    note, task = (partial(ActionKind, linked=False, fields=codes.VALUES[name]) for name in ("note", "task"))
    searched = "a repetition first looks for the same text on the record"
    return [
        note("note.create", uncertain="repeat", cost=2, note=searched),
        note("note.update", ("id",), idempotent=True),
        note("note.list", idempotent=True),
        ActionKind(
            "call.create", ("phone",), uncertain="repeat", cost=2, linked=False, fields=codes.VALUES["call"],
            note="`uniq` tells it from others",
        ),
        task("task.create", ("text",), uncertain="repeat", cost=2, note=searched),
        task("task.update", idempotent=True),
        task("task.complete", idempotent=True),
        task("task.find", idempotent=True),
        task("task.list", idempotent=True, cost=3),
    ]  # fmt: skip


def _more_actions() -> list[ActionKind]:
    reading = partial(ActionKind, idempotent=True, linked=False)
    catalog = "a row of a catalog; a repetition first looks for its name"
    return [
        reading("user.find"),
        reading("user.list"),
        ActionKind("element.create", ("catalog", "name"), uncertain="repeat", cost=2, linked=False, note=catalog),
        reading("element.update", ("catalog",)),
        reading("element.find"),
        reading("element.list", cost=4),
        reading("tag.create", ("name",)),
        ActionKind("batch.create", ("rows",), cost=3, linked=False, note="many records at once: record, rows"),
        reading("batch.update", ("rows",), cost=3, note="each row with its id"),
        ActionKind("bot.run", ("bot",), linked=False, note="a Salesbot on a record"),
        ActionKind("api", uncertain="park", note="any call: `method: GET leads/55`, with params or body"),
    ]


def _chat_actions() -> list[ActionKind]:
    """A message of ours has an id of ours: sent again, it is the same one."""
    message = partial(ActionKind, idempotent=True, linked=False, fields=codes.VALUES["message"])
    chat = partial(ActionKind, idempotent=True, linked=False)
    return [
        message("message.send", ("conversation",), note="brings a message of the hub's own channel in"),
        message("message.edit", ("conversation", "msgid")),
        message("message.status", ("message", "status"), note="delivered, read, error"),
        message("message.react", ("conversation", "message")),
        message("message.typing", ("conversation",)),
        chat("chat.create"),
        chat("chat.link", ("chat", "contact")),
        chat("chat.history", ("chat",)),
    ]


ACTIONS: tuple[ActionKind, ...] = (
    *_crm_actions("deal"),
    *_crm_actions("contact"),
    *_crm_actions("company"),
    *_crm_actions("customer"),
    *_lead_actions(),
    *_side_actions(),
    *_more_actions(),
    *_chat_actions(),
)
