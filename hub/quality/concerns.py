"""Which rules plainly concern a plugin, so that they can't be exempt.

Each function returns why, in words that finish "it can't be exempt: ..."; "" where only a person can judge.
"""

from __future__ import annotations

from hub.events import KNOWN_EVENTS
from hub.quality.evidence import Evidence
from hub.records import FIELDS

_STATES = ("updated", "stage_changed", "status_changed")
#: every event about a record: the declaration of a plugin that brings whatever it is told to
_ANY = {name for name in KNOWN_EVENTS if name.split(".")[0] in FIELDS}
_DEFAULT_FIELD = r"$^"


def everybody(it: Evidence) -> str:
    """Return that a rule is for every plugin."""
    return "it concerns every plugin"


def own_offers(it: Evidence) -> str:
    """Return why a rule about events and actions applies; a plugin whose events its settings name has none to list."""
    any_event = any({kind.name for kind in one.events} >= _ANY for one in it.connectors)
    return "" if any_event or not (it.events or it.actions) else "it declares events and actions"


def nobody_but_a_person(it: Evidence) -> str:
    """Return nothing: whether the rule can apply isn't written anywhere."""
    return ""


def takes_in(it: Evidence) -> str:
    """Return why a rule about messages applies."""
    return "parse() reads messages" if it.takes_in else ""


def pushed(it: Evidence) -> str:
    """Return why a rule about the door applies."""
    return "verify() lets requests in" if it.overrides("verify") else ""


def acts(it: Evidence) -> str:
    """Return why a rule about calls applies."""
    return "it calls the vendor" if it.calls_out else ""


def creates(it: Evidence) -> str:
    """Return why a rule about doubtful calls applies."""
    risky = [kind.name for kind in it.actions if not kind.idempotent]
    return f"{risky[0]} may not simply be repeated" if risky else ""


def has_states(it: Evidence) -> str:
    """Return why a rule about order applies."""
    moving = [kind.name for kind in it.events if kind.name.endswith(_STATES) and kind.sample]
    return f"{moving[0]} tells of states" if moving else ""


def hears_itself(it: Evidence) -> str:
    """Return why a rule about echoes applies: it writes records of which it brings news."""
    told = {kind.name.split(".")[0] for kind in it.events}
    both = sorted({kind.record for kind in it.actions if not kind.idempotent} & told)
    return f"it brings news of a {both[0]}, and writes it" if both else ""


def renews_tokens(it: Evidence) -> str:
    """Return why a rule about tokens applies."""
    return "it asks for consent" if it.overrides("authorize_url") else ""


def has_statuses(it: Evidence) -> str:
    """Return why a rule about codes applies."""
    return "it declares statuses" if any(one.statuses for one in it.connectors) else ""


def has_codes(it: Evidence) -> str:
    """Return why a rule about names applies."""
    own = [one for one in it.connectors if one.vendor_field != _DEFAULT_FIELD]
    return f"{own[0].name} has fields of the account's own" if own and it.overrides("names") else ""


def polled(it: Evidence) -> str:
    """Return why a rule about back-fill applies."""
    return "polls() asks for news" if it.overrides("polls") else ""


def connects(it: Evidence) -> str:
    """Return why a rule about registering applies."""
    return "connect() registers the hub" if it.overrides("connect") else ""


def checks(it: Evidence) -> str:
    """Return why a rule about drift applies."""
    return "check() asks the vendor" if it.overrides("check") and it.calls_out else ""
