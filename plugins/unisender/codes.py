"""Status and error tables of both products, each code explained.

Names are the vendor's, from these pages; what a status means for a route is ours:

* letters: https://www.unisender.com/en/support/api/partners/checkemail/ (Selzy: /en/support/api/messages/checkemail)
* webhooks: https://www.unisender.com/en/support/api/common/sistema-uvedomlenij-o-sobytiyah-webhooks/
* errors: https://www.unisender.com/en/support/api/common/api-errors/
* Go: https://godocs.unisender.ru/web-api-ref, https://docs.unione.io/en/web-api-ref
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: native names of what has no neutral word
CLASSIC_OTHER = "vendor.email_status"
GO_OTHER = "vendor.transactional_email_status"


@dataclass(frozen=True)
class Status:
    """What a status of a letter is for the hub: the neutral event ("" = none), words, how far it is (`rank`)."""

    event: str
    words: str
    rank: int = 0


#: A bounce is an address that takes no letters. A letter that failed for another reason (mailbox full, refused as
#: spam, too large) says nothing lasting about its reader, so it is no `email.bounced` and no mark on a contact.
CLASSIC: Mapping[str, Status] = {
    "not_sent": Status("", "not processed yet", 0),
    "ok_sent": Status("email.sent", "sent, no answer of the receiving server yet", 1),
    "err_will_retry": Status("", "not delivered for now, further tries follow", 2),
    "err_resend": Status("", "not delivered for now, to be sent once more", 2),
    "ok_delivered": Status("email.delivered", "delivered", 3),
    "ok_spam_folder": Status("email.delivered", "delivered into the spam folder", 3),
    "ok_read": Status("email.opened", "delivered and opened", 4),
    "ok_link_visited": Status("email.clicked", "delivered, a link was followed", 5),
    "ok_unsubscribed": Status("email.unsubscribed", "delivered, its reader unsubscribed", 6),
    "ok_fbl": Status("email.complained", "delivered, its reader called it spam", 7),
    "err_user_unknown": Status("email.bounced", "no such mailbox", 9),
    "err_user_inactive": Status("email.bounced", "the mailbox is switched off", 9),
    "err_mailbox_discarded": Status("email.bounced", "the mailbox is no longer in use", 9),
    "err_domain_inactive": Status("email.bounced", "the domain takes no mail", 9),
    "err_no_dns": Status("email.bounced", "the domain doesn't exist", 9),
    "err_no_smtp": Status("email.bounced", "the domain has no mail server", 9),
    "err_unreachable": Status("email.bounced", "the address can't be reached", 9),
    "err_not_available": Status("email.bounced", "the address was found to be out of reach before", 9),
    "err_dest_invalid": Status("email.bounced", "not a valid address", 9),
    "err_src_invalid": Status("", "the sender's address is not valid", 9),
    "err_blacklisted": Status("", "a blacklist is in the way", 9),
    "err_unsubscribed": Status("email.unsubscribed", "not sent: its reader has unsubscribed before", 9),
    "err_not_allowed": Status("", "sending to this contact or from this account is not allowed", 9),
    "err_mailbox_full": Status("", "the mailbox is full", 9),
    "err_spam_rejected": Status("", "the receiving server took it for spam", 9),
    "err_spam_removed": Status("", "removed as spam after it was delivered", 9),
    "err_spam_may_retry": Status("", "taken for spam, may be tried again", 2),
    "err_spam_skipped": Status("", "not sent: too many letters of this mailing were taken for spam", 9),
    "err_too_large": Status("", "the letter is too large for this mailbox", 9),
    "err_giveup": Status("", "given up after many tries", 9),
    "err_delivery_failed": Status("", "delivery failed", 9),
    "err_destination_misconfigured": Status("", "the receiving server is misconfigured", 9),
    "err_skip_letter": Status("", "not sent: the address is switched off or excluded", 9),
    "err_over_quota": Status("", "a quota is used up", 9),
    "err_internal": Status("", "the vendor's own failure", 9),
    "err_lost": Status("", "the letter was lost at the vendor and must be sent again", 9),
    "skip_dup_unreachable": Status("", "not sent: the same person's other address is out of reach", 9),
    "skip_dup_temp_unreachable": Status("", "not sent: the same person's other address is out of reach for now", 9),
    "skip_dup_mailbox_full": Status("", "not sent: the same person's other mailbox is full", 9),
}

GO: Mapping[str, Status] = {
    "accepted": Status("", "taken, not sent yet", 0),
    "sent": Status("email.sent", "sent, no answer of the receiving server yet", 1),
    "soft_bounced": Status("", "not delivered for now, further tries follow", 2),
    "delivered": Status("email.delivered", "delivered", 3),
    "opened": Status("email.opened", "opened", 4),
    "clicked": Status("email.clicked", "a link was followed", 5),
    "unsubscribed": Status("email.unsubscribed", "its reader unsubscribed", 6),
    "subscribed": Status("subscription.changed", "its reader subscribed again", 6),
    "spam": Status("email.complained", "its reader called it spam", 7),
    "hard_bounced": Status("email.bounced", "the address takes no letters", 9),
}

#: `failed_emails` of email/send: the address was refused at once and no webhook will ever speak of it
FAILED: Mapping[str, Status] = {
    "unsubscribed": Status("email.unsubscribed", "this reader has unsubscribed"),
    "complained": Status("email.complained", "this reader has called a letter spam"),
    "invalid": Status("email.bounced", "not a valid address"),
    "permanent_unavailable": Status("email.bounced", "the address is out of reach for good"),
    "temporary_unavailable": Status("", "the address is out of reach for now; try again in some days"),
    "blocked": Status("", "sending to this address is blocked; ask the vendor's support"),
    "duplicate": Status("", "stands twice among the recipients; sent once"),
}

SMS: Mapping[str, str] = {
    "not_sent": "not processed yet",
    "ok_sent": "sent, not delivered yet",
    "ok_delivered": "delivered",
    "err_src_invalid": "the sender's name is not valid",
    "err_dest_invalid": "not a valid number",
    "err_skip_letter": "not sent: the number is switched off or excluded",
    "err_not_allowed": "this operator can't be reached",
    "err_delivery_failed": "delivery failed",
    "err_lost": "lost at the vendor; send it again",
    "err_internal": "the vendor's own failure",
}

CAMPAIGN: Mapping[str, str] = {
    "waits_censor": "waits for the vendor's moderators",
    "censor_hold": "looked at by the moderators, held back",
    "declined": "declined by the moderators",
    "waits_schedule": "approved, will be scheduled",
    "scheduled": "scheduled, goes out at its time",
    "in_progress": "is being sent",
    "analysed": "sent, figures are being worked out",
    "completed": "sent, figures are there",
    "stopped": "stopped by a person",
    "canceled": "called off before it began",
}

#: nothing more happens to a campaign in one of these
CAMPAIGN_OVER = frozenset({"completed", "declined", "stopped", "canceled"})
#: something more happens to a short message in one of these
SMS_PENDING = frozenset({"not_sent", "ok_sent"})

#: what `code` of a classic error means (auth | retry | limit | refused), and what a person can do
ERRORS: Mapping[str, tuple[str, str]] = {
    "unspecified": ("refused", ""),
    "invalid_api_key": (
        "auth",
        "Unisender doesn't accept the API key: copy it again from the cabinet (Settings - Integration and API)",
    ),
    "access_denied": (
        "auth",
        "Unisender lets this key not do that: switch the API on in the cabinet (Settings - Integration and API)",
    ),
    "unknown_method": ("refused", ""),
    "invalid_arg": ("refused", ""),
    "not_enough_money": ("refused", "the account's money is used up: top it up, then hub retry"),
    "retry_later": ("retry", ""),
    "api_call_limit_exceeded_for_api_key": ("limit", ""),
    "api_call_limit_exceeded_for_ip": ("limit", ""),
    "too_many_double_optins": ("refused", "the day's limit of confirmation letters is reached: hub retry tomorrow"),
}

#: methods with a limit of their own (calls in 60 s): over it, only they have to wait
OWN_LIMITS: Mapping[str, int] = {
    "sendEmail": 60,
    "subscribe": 300,
    "checkEmail": 300,
    "async/exportContacts": 20,
}
#: calls in 60 s of one key, all methods together; older texts say 300
ALL_CALLS = 1200
#: seconds to wait over a limit: no Retry-After comes, the vendor counts by the minute
LIMIT_PAUSE = 60.0


def status_of(product: str, name: str) -> Status:
    """Return what a status means; one the vendor has added since is no neutral event."""
    known = (GO if product == "go" else CLASSIC).get(name)
    if known is not None:
        return known
    return Status("", "delivery failed" if name.startswith("err_") else "")


def neutral(table: Mapping[str, Status], other: str) -> dict[str, str]:
    """Return status -> event, for `hub plugins show`."""
    return {name: status.event or other for name, status in table.items()}
