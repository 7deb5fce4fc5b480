"""Bitrix24's words and what they mean to the hub; each table names the page it came from.

Pages are under https://apidocs.bitrix24.ru/ (English twin: https://apidocs.bitrix24.com/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: the two official authorization servers; a token never goes anywhere else (settings/oauth/index.html)
OAUTH_HOSTS = ("oauth.bitrix24.tech", "oauth.bitrix.info")
#: what the hub writes into ORIGINATOR_ID; its marker goes into ORIGIN_ID (api-reference/crm/deals/crm-deal-add.html)
ORIGINATOR = "hub"
#: most run time a method may use within ten minutes, in seconds (limits.html)
OPERATING_LIMIT = 480.0
OPERATING_CAREFUL = 0.8 * OPERATING_LIMIT
#: rows on one page of any list, and commands in one batch (settings/how-to-call-rest-api/batch.html)
PAGE = 50
#: values one crm.duplicate.findbycomm takes (api-reference/crm/duplicates/crm-duplicate-find-by-comm.html)
FINDBYCOMM_VALUES = 20
#: entityTypeId of invoices, and how crm.enum.ownertype names the kinds that crm.item.* alone reaches
INVOICE = "31"
ITEM_KINDS = ("DYNAMIC_", "SMART_INVOICE")


@dataclass(frozen=True)
class Entity:
    """A kind of CRM record: its number, its letter in links (`D_10`), the field that holds its stage."""

    name: str
    type_id: int
    letter: str
    stage_field: str = ""
    semantic_field: str = ""
    multifields: bool = True

    @property
    def path(self) -> str:
        """Where the portal shows such a record."""
        return f"/crm/{self.name}/details/"


#: api-reference/crm/data-types.html#object_type
ENTITIES: Mapping[str, Entity] = {
    "lead": Entity("lead", 1, "L", "STATUS_ID", "STATUS_SEMANTIC_ID"),
    "deal": Entity("deal", 2, "D", "STAGE_ID", "STAGE_SEMANTIC_ID", multifields=False),
    "contact": Entity("contact", 3, "C"),
    "company": Entity("company", 4, "CO"),
}
BY_TYPE_ID = {str(entity.type_id): entity.name for entity in ENTITIES.values()}
BY_LETTER = {entity.letter: entity.name for entity in ENTITIES.values()}

#: fields that hold several values with an id each (api-reference/crm/auxiliary/multifield/index.html)
MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
#: channel of a neutral handle -> VALUE_TYPE of an IM value (crm.multifield.fields); others are written as OTHER
IM_TYPES = {"telegram": "TELEGRAM", "viber": "VIBER", "vk": "VK", "skype": "SKYPE"}

#: changes with every write, or follows from other fields (CLOSED from the stage, HAS_PHONE from PHONE): no news
VOLATILE = (
    "DATE_MODIFY", "MODIFY_BY_ID", "LAST_ACTIVITY_TIME", "LAST_ACTIVITY_BY", "LAST_COMMUNICATION_TIME",
    "MOVED_BY_ID", "MOVED_TIME", "SEARCH_CONTENT", "STAGE_SEMANTIC_ID", "STATUS_SEMANTIC_ID", "CLOSED", "DATE_CLOSED",
    "IS_NEW", "IS_RETURN_CUSTOMER", "IS_REPEATED_APPROACH", "HAS_PHONE", "HAS_EMAIL", "HAS_IMOL",
    # tasks
    "changedDate", "changedBy", "activityDate", "viewedDate", "outlookVersion", "statusChangedDate", "action",
    "serviceCommentsCount", "newCommentsCount",
    # items
    "updatedTime", "updatedBy", "movedTime", "movedBy", "previousStageId", "lastActivityTime", "lastActivityBy",
    "lastCommunicationTime", "searchContent", "stageSemanticId",
)  # fmt: skip

# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Native:
    """What a native event means: the neutral type, the record it is about, how its data are laid out."""

    type: str
    record: str
    shape: Literal["fields", "item", "task", "call", "chat", "app"] = "fields"
    hint: bool = True


def _crm_events() -> dict[str, Native]:
    verbs = {"ADD": "created", "UPDATE": "updated", "DELETE": "deleted"}
    table = {
        f"ONCRM{kind.upper()}{native}": Native(f"{kind}.{verb}", kind, hint=verb != "deleted")
        for kind in ENTITIES
        for native, verb in verbs.items()
    }
    # api-reference/crm/timeline/comments/events/index.html: what colleagues write into a record's timeline
    for native, verb in {"ADD": "added", "UPDATE": "updated", "DELETE": "deleted"}.items():
        table[f"ONCRMTIMELINECOMMENT{native}"] = Native(f"note.{verb}", "note", hint=verb != "deleted")
    # api-reference/crm/universal/user-defined-object-types/events: smart processes and invoices; read by crm.item.get
    for native, verb in verbs.items():
        table[f"ONCRMDYNAMICITEM{native}"] = Native(f"item.{verb}", "item", "item", hint=verb != "deleted")
    # api-reference/tasks/events-tasks/index.html
    for native, verb in verbs.items():
        table[f"ONTASK{native}"] = Native(f"task.{verb}", "task", "task", hint=verb != "deleted")
    # api-reference/crm/timeline/activities/events/index.html: a call, a mail or a to-do, only a read can tell
    for native in ("ADD", "UPDATE"):
        table[f"ONCRMACTIVITY{native}"] = Native(f"vendor.oncrmactivity{native.lower()}", "activity")
    return table


#: native name -> meaning (api-reference/events/index.html and the section of each event);
#: what isn't here becomes `vendor.<native name in lower case>`
EVENTS: Mapping[str, Native] = {
    **_crm_events(),
    # api-reference/crm/deals/events/on-crm-deal-move-to-category.html
    "ONCRMDEALMOVETOCATEGORY": Native("deal.updated", "deal"),
    # api-reference/telephony/voximplant/events/index.html, api-reference/telephony/events/on-external-call-start.html
    "ONVOXIMPLANTCALLINIT": Native("call.started", "call", "call", hint=False),
    "ONVOXIMPLANTCALLSTART": Native("call.answered", "call", "call", hint=False),
    "ONVOXIMPLANTCALLEND": Native("call.finished", "call", "call", hint=False),
    "ONEXTERNALCALLSTART": Native("call.started", "call", "call", hint=False),
    # api-reference/imopenlines/imconnector/events/index.html: an operator answers into our own channel
    "ONIMCONNECTORMESSAGEADD": Native("message.sent", "message", "chat", hint=False),
    "ONIMCONNECTORMESSAGEUPDATE": Native("vendor.onimconnectormessageupdate", "message", "chat", hint=False),
    "ONIMCONNECTORMESSAGEDELETE": Native("message.deleted", "message", "chat", hint=False),
    "ONIMCONNECTORDIALOGSTART": Native("vendor.onimconnectordialogstart", "message", "chat", hint=False),
    "ONIMCONNECTORDIALOGFINISH": Native("vendor.onimconnectordialogfinish", "message", "chat", hint=False),
    "ONIMCONNECTORSTATUSDELETE": Native("connection.changed", "", "chat", hint=False),
    "ONIMCONNECTORLINEDELETE": Native("connection.changed", "", "chat", hint=False),
    # api-reference/imopenlines/openlines/events/index.html
    "ONOPENLINEMESSAGEADD": Native("message.received", "message", "chat", hint=False),
    "ONOPENLINEMESSAGEUPDATE": Native("vendor.onopenlinemessageupdate", "message", "chat", hint=False),
    "ONOPENLINEMESSAGEDELETE": Native("message.deleted", "message", "chat", hint=False),
    "ONSESSIONSTART": Native("vendor.onsessionstart", "message", "chat", hint=False),
    "ONSESSIONFINISH": Native("vendor.onsessionfinish", "message", "chat", hint=False),
    # api-reference/common/events/index.html: installed, removed, updated, paid
    "ONAPPINSTALL": Native("connection.changed", "", "app", hint=False),
    "ONAPPUNINSTALL": Native("connection.changed", "", "app", hint=False),
    "ONAPPUPDATE": Native("connection.changed", "", "app", hint=False),
    "ONAPPPAYMENT": Native("connection.changed", "", "app", hint=False),
}

#: the events the hub asks for when it may subscribe by itself (api-reference/events/event-bind.html)
SUBSCRIBE = (
    *(f"ONCRM{kind.upper()}{verb}" for kind in ENTITIES for verb in ("ADD", "UPDATE", "DELETE")),
    "ONCRMDEALMOVETOCATEGORY",
    *(f"ONCRMDYNAMICITEM{verb}" for verb in ("ADD", "UPDATE", "DELETE")),
    "ONCRMTIMELINECOMMENTADD",
    "ONTASKADD",
    "ONTASKUPDATE",
    "ONTASKDELETE",
)

#: what an app with `openlines` asks for too (api-reference/imopenlines/imconnector/events/index.html)
SUBSCRIBE_CHATS = (
    "ONIMCONNECTORMESSAGEADD",
    "ONIMCONNECTORMESSAGEUPDATE",
    "ONIMCONNECTORMESSAGEDELETE",
    "ONIMCONNECTORDIALOGSTART",
    "ONIMCONNECTORDIALOGFINISH",
    "ONIMCONNECTORSTATUSDELETE",
    "ONIMCONNECTORLINEDELETE",
)

#: CALL_TYPE (api-reference/telephony/voximplant/events/on-voximplant-call-end.html)
CALL_DIRECTIONS = {"1": "out", "2": "in", "3": "in", "4": "out", "5": "out"}
#: CALL_FAILED_CODE of calls nobody took (same page): missed, declined, cancelled, busy, unavailable
CALL_MISSED = ("304", "603", "603-S", "486", "480", "484", "503")

#: tasks: `status` in answers, REAL_STATUS in filters (api-reference/tasks/fields.html)
TASK_STATUSES = {
    "1": "new", "2": "pending", "3": "in_progress", "4": "awaiting_control", "5": "completed", "6": "deferred",
    "7": "declined",
}  # fmt: skip
TASK_DONE = "5"

# --- open lines -------------------------------------------------------------------------------------

#: kinds of files in a chat; what none of the first three is, is a file
FILE_KINDS = ("image", "video", "audio", "file")
#: largest file in a portal's chat, in bytes (api-reference/chats/files/index.html); for connectors no limit is named
MAX_FILE = 100_000_000
#: longest `name` and `last_name` of a client, letters with spaces, hyphens and apostrophes
#: (api-reference/imopenlines/imconnector/imconnector-send-messages.html)
LONGEST_NAME = 25
#: `result.error` of imconnector.register and .unregister, which come with HTTP 200 (imconnector-register.html)
CONNECTOR_ERRORS: Mapping[str, str] = {
    "APPLICATION_REGISTRATION_ERROR_POINT": "the connector's id may hold no dot",
    "CONNECTOR_ID_REQUIRED": "the connector has no id",
    "NAME_REQUIRED": "the connector has no name: set `name`",
    "ICON_REQUIRED": "the connector has no icon: set `icon` to an SVG",
    "NO_APPLICATION_ID": "the call was made outside an app: install the app again",
    "NO_PLACEMENT_HANDLER": "the connector has no address for its settings: set hub.base_url",
    "APPLICATION_REGISTRATION_ERROR": "the portal could not keep the connector: is its id taken by another app?",
    "GENERAL_CONNECTOR_REGISTRATION_ERROR": "the portal refused the connector's data",
    "APPLICATION_UNREGISTRATION_ERROR": "the portal could not remove the connector: it belongs to another app",
}

# --- methods ----------------------------------------------------------------------------------------

#: methods that work with an application's token alone (error WRONG_AUTH_TYPE on a webhook)
APP_ONLY = (
    "event.", "events", "telephony.externalcall.register", "telephony.externalcall.finish", "imconnector.",
    "messageservice.sender.", "crm.automation.trigger.execute", "crm.automation.trigger.add", "placement.bind",
    "placement.unbind", "app.info", "bizproc.robot.", "bizproc.activity.",
)  # fmt: skip

#: methods that a webhook may call but that are about an app's own chats, so that the app comes first
APP_FIRST = ("imopenlines.",)

#: the last word of methods that change nothing
READING = frozenset(
    {
        "get", "list", "fields", "current", "info", "profile", "scope", "methods", "search", "getfields", "types",
        "findbycomm", "ownertype", "counters", "access", "events", "count", "getlist",
    }
)  # fmt: skip

#: first words of a method -> scope to tick (api-reference/scopes/permissions.html)
SCOPES = {
    "crm": "crm", "tasks": "task", "task": "task", "user": "user", "im": "im", "imopenlines": "imopenlines",
    "imconnector": "imopenlines (and imconnector)", "telephony": "telephony", "voximplant": "telephony",
    "messageservice": "messageservice", "placement": "placement", "disk": "disk", "bizproc": "bizproc",
    "documentgenerator": "documentgenerator", "department": "department",
}  # fmt: skip
#: what the connector itself calls; `hub check --live` looks for each
NEEDED_SCOPES = {
    "crm": "leads, deals, contacts, comments",
    "user": "names of responsible employees (user_brief is enough)",
    "task": "tasks",
    "im": "notifications to employees",
}
#: and with `openlines` (api-reference/imopenlines/imconnector/index.html)
CHAT_SCOPES = {"imopenlines": "chats in open lines", "imconnector": "the events of the connector"}


def scope_of(method: str) -> str:
    """Return the scope a method needs, as the portal's page for permissions calls it."""
    return SCOPES.get(method.lower().split(".", 1)[0], method.split(".", 1)[0])


def is_app_only(method: str) -> bool:
    """Tell whether an inbound webhook may not call this method."""
    return method.lower().startswith(APP_ONLY)


def goes_to_app(method: str) -> bool:
    """Tell whether a method is called with the app's token where there are an app and a webhook."""
    return is_app_only(method) or method.lower().startswith(APP_FIRST)


def is_reading(method: str) -> bool:
    """Tell whether a method surely changes nothing at the portal."""
    return method.lower().rsplit(".", 1)[-1] in READING


# --- errors -----------------------------------------------------------------------------------------

Treatment = Literal["slower", "method_pause", "again", "refresh", "auth", "refused", "gone"]


@dataclass(frozen=True)
class Refusal:
    """What to do about an error code, and what an administrator should know."""

    treatment: Treatment
    words: str = ""


_MAKE_ANEW = "make a new inbound webhook (or install the app again) and put it into hub.yaml"

#: error code in lower case -> treatment (settings/how-to-call-rest-api/error-codes.html, limits.html,
#: settings/oauth/index.html). What isn't here is judged by its HTTP status.
ERRORS: Mapping[str, Refusal] = {
    "query_limit_exceeded": Refusal("slower", "the portal takes 2 calls a second"),
    "operation_time_limit": Refusal("method_pause", "this method used up its run time of the last ten minutes"),
    "overload_limit": Refusal("auth", "Bitrix24 has blocked this portal's REST by hand: ask Bitrix24 support"),
    "internal_server_error": Refusal("again"),
    "error_unexpected_answer": Refusal("again"),
    "expired_token": Refusal("refresh"),
    "invalid_token": Refusal("auth", f"the token is not valid any more: {_MAKE_ANEW}"),
    "no_auth_found": Refusal("auth", f"the portal doesn't know this webhook or token: {_MAKE_ANEW}"),
    "invalid_credentials": Refusal("auth", f"the webhook was deleted or its secret changed: {_MAKE_ANEW}"),
    "application_not_found": Refusal("auth", "the app is not installed on the portal: install it again"),
    "error_oauth": Refusal("auth", "the app is not installed on the portal: install it again"),
    "not_installed": Refusal("auth", "the app is not installed on the portal: install it again"),
    "authorization_error": Refusal("auth", f"the employee behind the webhook was dismissed: {_MAKE_ANEW}"),
    "payment_required": Refusal("auth", "the portal's plan or the app's subscription has run out: pay it"),
    "method_confirm_waiting": Refusal("auth", "an administrator must confirm this method in the portal"),
    "insufficient_scope": Refusal("refused", "tick the missing permission of the webhook or app"),
    "access_denied": Refusal("auth", "REST needs a commercial plan, and the webhook's owner the right to do this"),
    "user_access_error": Refusal("auth", "the employee behind the token has no access to the app: grant it"),
    "allowed_only_intranet_user": Refusal("auth", "the token belongs to an extranet user: use an employee's"),
    "portal_deleted": Refusal("auth", "the portal is deleted or closed to the public"),
    "wrong_auth_type": Refusal("refused", "this method needs an app: add client_id and client_secret (README)"),
    "error_method_not_found": Refusal("refused", "no such method; is the user id missing in webhook_url?"),
    "invalid_request": Refusal("refused", "the portal wants https"),
    "not_found": Refusal("gone", "the record doesn't exist any more"),
    "owner_not_found": Refusal("gone", "the record to attach to doesn't exist any more"),
    "not_active_line": Refusal(
        "refused", "the open line is deleted or switched off, or the connector isn't active on it: run `hub connect`"
    ),
    "imconnector_no_correct_provider": Refusal(
        "refused", "the portal doesn't know this connector: run `hub connect` to register it"
    ),
    "imconnector_not_specified_correct_command": Refusal("refused", "the portal did not understand the message"),
    "invalid_grant": Refusal(
        "auth", "the consent has run out (180 days unused) or was withdrawn: install the app again"
    ),
    "invalid_client": Refusal("auth", "client_id or client_secret is wrong"),
    "wrong_client": Refusal("auth", "client_id or client_secret is wrong"),
    "invalid_scope": Refusal("auth", "the app asks for a permission it doesn't have"),
}

#: records by the number of a deal's or lead's stage: P under way, S won, F lost (crm.status.list, SEMANTICS)
SEMANTICS = {"P": "open", "S": "won", "F": "lost"}


def pipeline_of(stage: str) -> str:
    """Return the pipeline a deal's stage belongs to: `C5:WON` -> `5`, `WON` -> `0`."""
    head, colon, _ = stage.partition(":")
    return head[1:] if colon and head[:1] == "C" and head[1:].isdigit() else "0"


def plain_stage(stage: str) -> str:
    """Return the stage as the portal spells it: pipeline 0 has no prefix, `C0:NEW` is `NEW`."""
    return stage[3:] if stage.startswith("C0:") else stage


def stage_directory(record: str, stage: str) -> str:
    """Return the directory that lists the stages around `stage` (crm.status.list, ENTITY_ID)."""
    if record == "lead":
        return "STATUS"
    pipeline = pipeline_of(stage)
    return "DEAL_STAGE" if pipeline == "0" else f"DEAL_STAGE_{pipeline}"


def record_of_directory(directory: str) -> str:
    """Return whose stages a directory lists: `DEAL_STAGE_5` -> deal, `DYNAMIC_177_STAGE_7` -> item, else ""."""
    if directory == "STATUS":
        return "lead"
    if re.fullmatch(r"DEAL_STAGE(_\d+)?", directory):
        return "deal"
    return "item" if re.fullmatch(r"(DYNAMIC_\d+|SMART_INVOICE)_STAGE_\d+", directory) else ""


def native_of(name: str) -> Native | None:
    """Return what a native event means; a smart process may be named behind it: ONCRMDYNAMICITEMADD_177."""
    return EVENTS.get(name) or EVENTS.get(re.sub(r"^(ONCRMDYNAMICITEM[A-Z]+)_\d+$", r"\1", name))
