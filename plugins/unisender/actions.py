"""What can be asked of each product: the declared actions, and which function does each.

`cost` is the most vendor calls one takes. What can't be searched for says what a lost answer leads to.
"""

from __future__ import annotations

from hub.connector import ActionKind
from plugins.unisender import contacts, directory, letters, message, transactional
from plugins.unisender.desk import Handler
from plugins.unisender.transactional import GoHandler

_CONTACT = ("email", "phone", "fields")
_SENDER = ("sender_name", "sender_email")
_WRAP = ("attachments", "lang", "wrap_type", "images_as", "template_id")


def _reads(name: str, *fields: str, required: tuple[str, ...] = (), cost: int = 1, note: str = "") -> ActionKind:
    return ActionKind(name, required, idempotent=True, linked=False, cost=cost, fields=fields, note=note)


def _writes(name: str, *fields: str, required: tuple[str, ...] = (), cost: int = 1, note: str = "") -> ActionKind:
    """An act that may be repeated: the vendor writes the same over the same."""
    return ActionKind(name, required, idempotent=True, linked=False, cost=cost, fields=fields, note=note)


_CLASSIC: tuple[tuple[ActionKind, Handler], ...] = (
    (
        _writes(
            "contact.subscribe",
            *_CONTACT, "list_ids", "tags", "double_optin", "overwrite", "drop_other_lists",
            "request_ip", "request_time", "confirm_ip", "confirm_time",
            required=("list_ids", "double_optin"),
            cost=3,
            note="double_optin: 3 = consent is there, 0 or 4 = the vendor asks; other lists stay",
        ),
        contacts.subscribe,
    ),
    (
        _writes("contact.unsubscribe", "email", "phone", "list_ids", note="for good: only the reader can come back"),
        contacts.unsubscribe,
    ),
    (_writes("contact.exclude", "email", "phone", "list_ids", note="out of lists, without a mark"), contacts.exclude),
    (
        _writes(
            "contact.import",
            *_CONTACT, "rows", "list_ids", "tags", "overwrite_tags", "overwrite_lists", "drop_other_lists",
            cost=20,
            note="rows of fields, 500 in a call; what was turned down stands in `log`",
        ),
        contacts.import_,
    ),
    (_writes("contact.delete", "email", "phone", note="for good"), contacts.delete),
    (
        _reads(
            "contact.export",
            "list_id", "field_names", "email", "phone", "tag", "email_status", "phone_status", "notify_url",
            note="a file; its address comes as vendor.export_finished",
        ),
        contacts.export,
    ),
    (_reads("contact.list", "list_id", "field_names", cost=contacts.EXPORT_CALLS), contacts.listed),
    (_reads("contact.find", "email", note="`find: {email: contact.email}`"), contacts.found),
    (_reads("contact.in_lists", "email", "list_ids", "condition", required=("email", "list_ids")), contacts.in_lists),
    (_reads("contact.count", "list_id", "params", required=("list_id",)), contacts.count),
    (
        _writes(
            "list.create", "title", "before_subscribe_url", "after_subscribe_url", required=("title",), cost=2,
            note="one of this title that is there already is taken",
        ),
        directory.create_list,
    ),
    (_writes("list.rename", "list_id", "title", required=("list_id", "title")), directory.rename_list),
    (_writes("list.delete", "list_id", required=("list_id",), cost=2), directory.deleted),
    (_reads("list.list"), directory.listed),
    (_reads("list.find", "title", "id"), directory.found),
    (
        _writes("field.create", "name", "type", "public_name", required=("name",), cost=2, note="latin letters"),
        directory.create_field,
    ),
    (_writes("field.delete", "field_id", required=("field_id",), cost=2), directory.deleted),
    (_reads("field.list"), directory.listed),
    (_reads("tag.list"), directory.listed),
    (_writes("tag.delete", "tag_id", required=("tag_id",), cost=2), directory.deleted),
    (
        _writes(
            "email.send",
            "email", "subject", "body", "list_id", *_SENDER, *_WRAP, "cc", "headers", "track_read", "track_links",
            "metadata", "ref_key",
            required=("email", "subject", "body", "list_id"),
            note="one letter to one reader; ref_key keeps a repeated call from a second letter",
        ),
        letters.send_email,
    ),
    (_reads("email.check", "email_id", required=("email_id",)), letters.check_email),
    (
        ActionKind(
            "letter.create",
            ("list_id",),
            uncertain="repeat",
            linked=False,
            fields=(
                "subject", "body", "list_id", *_SENDER, *_WRAP, "text_body", "tag", "categories", "system_template_id",
                "generate_text",
            ),
            note="a letter for campaigns; a lost answer leaves a draft that nobody gets",
        ),
        letters.create_letter,
    ),
    (_reads("letter.list", "offset", "date_from", "date_to"), letters.list_letters),
    (
        ActionKind(
            "campaign.create",
            ("message_id",),
            marker="message_id",
            cost=2,
            fields=(
                "message_id", "start_time", "timezone", "contacts", "contacts_url", "track_read", "track_links",
                "track_ga", "ga_medium", "ga_source", "ga_campaign", "payment_limit", "payment_currency",
            ),
            note="sends a saved letter to its list; a lost answer: looked for by its letter",
        ),
        letters.create_campaign,
    ),
    (_writes("campaign.cancel", "campaign_id", required=("campaign_id",)), letters.cancel_campaign),
    (_reads("campaign.status", "campaign_id", required=("campaign_id",)), letters.campaign_status),
    (_reads("campaign.stats", "campaign_id", required=("campaign_id",)), letters.campaign_stats),
    (
        _reads("campaign.results", "campaign_id", "changed_since", required=("campaign_id",), cost=2),
        letters.campaign_results,
    ),
    (_reads("campaign.list", "from", "to"), letters.list_campaigns),
    (_reads("campaign.find", "message_id", "id"), letters.found),
    (
        ActionKind(
            "sms.send",
            ("phone", "text"),
            linked=False,
            fields=("phone", "text", "sender"),
            note="up to 150 numbers; a lost answer waits for a person: a text can't be looked up",
        ),
        letters.send_sms,
    ),
    (_reads("sms.check", "sms_id", required=("sms_id",)), letters.check_sms),
    (ActionKind("api", linked=False, note="any method: `method: getVisitedLinks`, values verbatim"), letters.api),
)  # fmt: skip

_GO: tuple[tuple[ActionKind, GoHandler], ...] = (
    (
        ActionKind(
            "email.send",
            linked=False,
            fields=message.WORDS,
            note="a letter with html, text or template_id, and substitutions; a lost answer waits for a person",
        ),
        transactional.send,
    ),
    (
        ActionKind(
            "email.subscribe",
            ("email",),
            linked=False,
            fields=("email", "from_email", "from_name"),
            note="the vendor's letter to one who has left, with a link to come back",
        ),
        transactional.subscribe,
    ),
    (_reads("email.validate", "email", required=("email",)), transactional.validate),
    (
        _writes("suppression.set", "email", "cause", required=("email",), note="no more letters to this address"),
        transactional.suppress,
    ),
    (_reads("suppression.get", "email", required=("email",)), transactional.suppressions),
    (_writes("suppression.delete", "email", required=("email",)), transactional.release),
    (_reads("template.list", "offset"), transactional.templates),
    (
        ActionKind("api", linked=False, note="any method: `method: suppression/list`, values verbatim"),
        transactional.api,
    ),
)

CLASSIC_ACTIONS = tuple(kind for kind, _ in _CLASSIC)
CLASSIC_HANDLERS = {kind.name: handler for kind, handler in _CLASSIC}
GO_ACTIONS = tuple(kind for kind, _ in _GO)
GO_HANDLERS = {kind.name: handler for kind, handler in _GO}
