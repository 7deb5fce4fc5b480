"""amoCRM's words and what they mean to the hub; each table names the page it came from.

Pages are under https://www.amocrm.ru/developers/content/ (RU) and https://developers.kommo.com/ (Kommo).
What amoCRM's API calls a lead is the neutral deal; its unsorted (incoming lead) is the neutral lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: account hosts: the brand is split, the API is the same (oauth/step-by-step)
DOMAINS = ("amocrm.ru", "kommo.com", "amocrm.com")
#: where consent is given, by the account's domain
CONSENT_PAGES = {
    "amocrm.ru": "https://www.amocrm.ru/oauth",
    "kommo.com": "https://www.kommo.com/oauth",
    "amocrm.com": "https://www.kommo.com/oauth",
}
#: hosts of the Chats API (chats/chat-api-reference)
CHAT_HOSTS = {
    "amocrm.ru": "https://amojo.amocrm.ru",
    "kommo.com": "https://amojo.kommo.com",
    "amocrm.com": "https://amojo.kommo.com",
}
#: the field of ours in which a record made by the hub carries its marker; `hub connect` makes it
MARKER = "HUB_MARKER"
#: rows of one page: 250 on most lists (api/recommendations)
PAGE = 250
#: rows of a page of events: an RU client defaults to 100, the ceiling there isn't confirmed (events-and-notes)
EVENTS_PAGE = 100
#: records of one write: 250 at most, 50 recommended and the ceiling of leads/complex (leads-api, api/recommendations)
BATCH = 50

# --- records ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entity:
    """A kind of record: its path in the API, its number in webhooks, the page that shows one, its own fields."""

    name: str
    path: str
    number: str
    page: str
    fields: tuple[str, ...]

    @property
    def embedded(self) -> str:
        """The key of its rows in `_embedded`."""
        return self.path.rpartition("/")[2]


_WHO = ("responsible_user_id", "created_by", "updated_by", "created_at", "updated_at", "request_id")
#: leads-api, contacts-api, companies-api, customers-api; element types of webhooks: crm_platform/webhooks-format
ENTITIES: Mapping[str, Entity] = {
    "deal": Entity(
        "deal", "leads", "2", "leads",
        ("name", "price", "status_id", "pipeline_id", "closed_at", "loss_reason_id", *_WHO),
    ),
    "contact": Entity("contact", "contacts", "1", "contacts", ("name", "first_name", "last_name", *_WHO)),
    "company": Entity("company", "companies", "3", "companies", ("name", *_WHO)),
    "customer": Entity(
        "customer", "customers", "12", "customers",
        ("name", "next_price", "next_date", "status_id", "periodicity", *_WHO),
    ),
}  # fmt: skip
BY_NUMBER = {entity.number: name for name, entity in ENTITIES.items()}
#: the vendor's word for a record, in any of its spellings -> ours
BY_WORD: Mapping[str, str] = {
    **{entity.path: name for name, entity in ENTITIES.items()},
    **BY_NUMBER,
    **{name: name for name in ENTITIES},
    "lead": "deal",
}

#: changes with every write or follows from other fields: no news (leads-api, contacts-api)
VOLATILE = (
    "updated_at", "updated_by", "closed_at", "closest_task_at", "score", "labor_cost", "is_price_modified_by_robot",
    "is_price_computed", "source_id", "group_id", "ltv", "purchases_count", "average_check", "last_task_at",
)  # fmt: skip

#: closed stages, the same numbers in every pipeline (leads_pipelines)
WON, LOST = "142", "143"
CLOSED = (WON, LOST)
#: `type` of the stage that holds incoming leads (leads_pipelines)
UNSORTED_STAGE = 1
#: stages of the neutral lead: an unsorted is waiting, then it is accepted or declined (unsorted-api)
LEAD_STAGES = ("unsorted", "accepted", "declined")

#: fields that hold several values with a kind each, by code (custom-fields)
MULTITEXT = {"PHONE": "WORK", "EMAIL": "WORK", "IM": "OTHER"}
#: tracking fields of a deal -> the name in `source` (custom-fields, type tracking_data)
TRACKING: Mapping[str, str] = {
    "UTM_SOURCE": "utm_source", "UTM_MEDIUM": "utm_medium", "UTM_CAMPAIGN": "utm_campaign",
    "UTM_CONTENT": "utm_content", "UTM_TERM": "utm_term", "GCLID": "gclid", "YCLID": "yclid", "FBCLID": "fbclid",
    "ROISTAT": "roistat", "REFERRER": "referer", "_YM_UID": "ymclid", "GCLIENTID": "client_id",
}  # fmt: skip

# --- webhooks ---------------------------------------------------------------------------------------

#: what `hub connect` asks for (crm_platform/webhooks-api). The incoming leads' three stand in third parties' lists and
#: in the account's page of webhooks, not in the official table: they are asked for apart, and their refusal is told.
SETTINGS: tuple[str, ...] = (
    *(f"{verb}_{kind}" for kind in ("lead", "contact", "company") for verb in (
        "add", "update", "delete", "restore", "responsible", "note")),
    "status_lead",
    "add_task", "update_task", "delete_task", "responsible_task",
    "add_talk", "update_talk", "add_message",
)  # fmt: skip
#: asked for one by one: not every brand and plan knows them
MORE_SETTINGS: tuple[str, ...] = (
    "add_unsorted", "update_unsorted", "delete_unsorted", "add_outgoing_message",
    "add_customer", "update_customer", "delete_customer", "responsible_customer", "note_customer",
)  # fmt: skip

#: action of a record's webhook -> verb of ours; the rest of a stage or a colleague that changed is told by comparing
HOOK_VERBS: Mapping[str, str] = {
    "add": "created", "update": "updated", "status": "updated", "responsible": "updated", "restore": "updated",
    "delete": "deleted",
}  # fmt: skip
#: numeric kinds of a note in webhooks -> words of the API; 4, 5, 10, 11 are documented, the others third parties'
NOTE_TYPES: Mapping[str, str] = {
    "4": "common", "5": "attachment", "10": "call_in", "11": "call_out", "12": "task_result", "25": "service_message",
    "102": "sms_in", "103": "sms_out",
}  # fmt: skip

# --- the feed of events (events-and-notes; developers.kommo.com/reference/events-list) ------------------


@dataclass(frozen=True)
class Fed:
    """What an event of the feed means: our verb, and the record if it isn't the event's own entity."""

    verb: str
    record: str = ""


def _fed() -> dict[str, Fed]:
    table = {
        f"{kind}_{word}": Fed(verb)
        for kind in ("lead", "contact", "company")
        for word, verb in {"added": "created", "restored": "updated", "deleted": "deleted"}.items()
    }
    changed = (
        "lead_status_changed", "entity_responsible_changed", "sale_field_changed",
        "name_field_changed", "custom_field_value_changed", "entity_tag_added", "entity_tag_deleted",
        "entity_linked", "entity_unlinked", "entity_merged", "contact_linked", "contact_unlinked",
    )  # fmt: skip
    table |= dict.fromkeys(changed, Fed("updated"))
    table |= {
        "task_added": Fed("created", "task"), "task_deleted": Fed("deleted", "task"),
        "task_completed": Fed("completed", "task"), "task_text_changed": Fed("updated", "task"),
        "task_deadline_changed": Fed("updated", "task"), "task_type_changed": Fed("updated", "task"),
        "task_result_added": Fed("updated", "task"),
        "common_note_added": Fed("added", "note"), "attachment_note_added": Fed("added", "note"),
        "incoming_call": Fed("added", "note"), "outgoing_call": Fed("added", "note"),
    }  # fmt: skip
    return table


FEED: Mapping[str, Fed] = _fed()

# --- values -----------------------------------------------------------------------------------------

#: call_status (calls-api; 8 stands in the official SDK alone)
CALL_STATUSES: Mapping[str, str] = {
    "1": "left a message", "2": "call back later", "3": "not available", "4": "conversation took place",
    "5": "wrong number", "6": "no answer", "7": "busy", "8": "undefined",
}  # fmt: skip
#: call_status of an incoming call that nobody took
CALL_MISSED = ("1", "3", "6", "7")
#: error_code of a delivery status (chats/chat-api-reference)
DELIVERY_ERRORS: Mapping[str, str] = {
    "901": "the user has deleted the chat", "902": "the channel is off on the hub's side", "903": "internal error",
    "904": "the conversation can't be created", "905": "any other",
}  # fmt: skip
DELIVERY_STATUSES: Mapping[str, int] = {"delivered": 1, "read": 2, "error": -1}

#: values that a step may give to notes, tasks, calls and messages, which have no custom fields
_HANGS = ("entity_type", "entity_id", "deal", "contact", "company", "customer")
_CHAT = ("conversation", "client", "name", "phone", "email", "avatar", "profile_link", "source")
VALUES: Mapping[str, tuple[str, ...]] = {
    "note": (*_HANGS, "text", "note_type", "params", "created_by", "responsible_user_id", "id", "uniq", "duration",
             "source", "link", "phone", "call_result", "call_status", "call_responsible", "service", "address",
             "longitude", "latitude", "file_uuid", "version_uuid", "file_name",
             "is_need_to_trigger_digital_pipeline"),
    "task": (*_HANGS, "text", "title", "complete_till", "deadline", "task_type_id", "responsible_user_id",
             "responsible", "duration", "created_by", "id", "result"),
    "call": ("phone", "direction", "duration", "source", "uniq", "link", "recording", "call_result", "call_status",
             "call_responsible", "created_by", "responsible_user_id", "unknown", "from", "name", "title",
             "service_code", "source_name", "pipeline", "pipeline_id"),
    "message": (*_CHAT, "text", "type", "media", "file_name", "file_size", "location", "contact", "msgid", "by", "bot",
                "silent", "chat", "reply_to", "message", "status", "error_code", "error", "emoji", "remove"),
}  # fmt: skip

# --- errors -----------------------------------------------------------------------------------------

#: (docs/http-codes) status -> advice for the person who must act
ADVICE: Mapping[int, str] = {
    401: "the token is expired, revoked, or of another account",
    402: "the account isn't paid: writing is refused at once, reading 30 days later",
    403: "this user lacks the right; let an administrator make the token",
    405: "amoCRM has no such call for this record",
    422: "amoCRM understood the call and can't do it, for instance move a stage that holds deals",
    429: "too many calls",
}
#: said where 402 or 403 answers a call about customers: the rest of the account is well (customers-api)
CUSTOMERS_OFF = "customers are switched off in the account or not in its plan: Settings > General, or leave them out"
#: code in a body of 401 or 403 (amocrm.com/developers/content/api/errors)
LEGACY: Mapping[str, str] = {
    "101": "there is no such account: is base_url right?",
    "110": "wrong login or token",
    "111": "amoCRM wants a captcha: log in once in the browser",
    "112": "the user is switched off in the account",
    "113": "the account lets only listed IP addresses in: add this server's under Settings > Security",
}
#: said where the web server in front of amoCRM answers 403 in HTML (amocrm-api-php issues 434 and 563)
BLOCKED = (
    "amoCRM has blocked this server's calls after too many of them (403 from its web server): amoCRM's support alone "
    "lifts it. Write to them with the address of the account and of this server. Look meanwhile what made so many "
    "calls: other integrations on this server count too"
)
#: what a person has to do about a code of LEGACY; a new token for all others
REMEDIES: Mapping[str, str] = {"112": "right", "113": "address"}
