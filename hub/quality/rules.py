"""The rules, tier by tier: what is claimed, why it matters, how the claim is tried, whom it concerns.

The long form, with exceptions, is docs/quality.md; a test keeps the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from hub.quality import concerns, proofs
from hub.quality.evidence import Evidence


class Tier(IntEnum):
    """How far a plugin is. A tier counts when all its rules and those below are done or can't apply."""

    none = 0
    bronze = 1  #: may be switched on: nothing forged, lost, doubled or leaked
    silver = 2  #: stands the vendor's bad days
    gold = 3  #: an admin is at home: found, told, mended without reading code
    platinum = 4  #: proven end to end, by others' programs and by the vendor itself


@dataclass(frozen=True)
class Rule:
    """One claim of quality.yaml. `why` is the reason for the rule, in one sentence."""

    name: str
    tier: Tier
    words: str
    why: str
    proof: Callable[[Evidence], list[str] | None]
    concerns: Callable[[Evidence], str]


B, S, G, P = Tier.bronze, Tier.silver, Tier.gold, Tier.platinum
_ALL = (
    # --- bronze ---
    Rule("settings", B, "settings have words for a person, those that must be filled in an example; secrets are marked",
         "an admin fills them in without reading code, and what isn't marked isn't masked",
         proofs.settings, concerns.everybody),
    Rule("redaction", B, "no secret stands in an error, a log line or a text of the connector",
         "error texts reach alerts, lists and tickets, and stay there",
         proofs.redaction, concerns.everybody),
    Rule("verification", B, "a forged request is turned away, in constant time",
         "the address is public, and what comes through it moves money and deals",
         proofs.verification, concerns.pushed),
    Rule("once", B, "a message that comes again has the key it had",
         "vendors repeat; only the plugin knows what a repetition leaves as it was",
         proofs.once, concerns.takes_in),
    Rule("samples", B, "recorded or documented messages of the vendor are kept as files, with their source",
         "what was never seen is guessed, and a source can be looked up again",
         proofs.samples, concerns.takes_in),
    Rule("hostile", B, "no message, however broken, ends in anything but a reason",
         "one crash on the way in stops every message behind it",
         proofs.hostile, concerns.takes_in),
    Rule("pure", B, "reading a message looks at nothing but the message",
         "a replay must bring what the first reading brought, a year later and offline",
         proofs.pure, concerns.takes_in),
    Rule("readme", B, "an admin finds set-up, permissions, limits, known limitations and removal",
         "the vendor's pages are written for programmers",
         proofs.readme, concerns.everybody),
    Rule("removal", B, "the README says how to leave: here, at the vendor, and what stays behind",
         "a forgotten webhook goes on sending, a forgotten token goes on opening doors",
         proofs.removal, concerns.everybody),
    # --- silver ---
    Rule("client", S, "the vendor's refusals become the hub's errors, by what to do next",
         "the hub decides by the class alone whether to wait, search, hold or park",
         proofs.client, concerns.acts),
    Rule("one_effect", S, "a repeated call does no harm, or the vendor can be searched first",
         "an answer gets lost one day, and then two waybills cost twice",
         proofs.one_effect, concerns.creates),
    Rule("order", S, "a late or backward state is known as such",
         "vendors overtake themselves, and a won deal must not fall back",
         proofs.order, concerns.has_states),
    Rule("echo", S, "what the hub wrote doesn't come back as news",
         "two systems that answer each other's echo never stop",
         proofs.echo, concerns.hears_itself),
    Rule("limits", S, "the vendor's limits and hosts are declared",
         "being polite is cheaper than being blocked, and a token goes nowhere else",
         proofs.limits, concerns.acts),
    Rule("limits_learned", S, "the vendor's answers about limits are obeyed and use up no try",
         "published limits are old, and shared with programs we don't know",
         proofs.limits_learned, concerns.acts),
    Rule("refresh_once", S, "a rotating token is refreshed once, and stored before it is used",
         "the second refresh of two kills the first, and the account is out until somebody consents again",
         proofs.refresh_once, concerns.renews_tokens),
    Rule("codes", S, "each status and error code is explained, with the page it came from",
         "a number without its page can't be checked by whoever comes next",
         proofs.codes, concerns.has_statuses),
    Rule("sandbox", S, "a stand-in of the vendor behaves as its documentation says",
         "routes are tried without an account, and tests without a network",
         proofs.sandbox, concerns.everybody),
    Rule("faults", S, "the vendor's bad days are played: outages, lost answers, refusals",
         "what was never broken on purpose breaks first",
         proofs.faults, concerns.acts),
    # --- gold ---
    Rule("check", G, "`hub check --live` finds a dead token, a missing right, a renamed field",
         "the admin asks before the first message, not after the first loss",
         proofs.check, concerns.acts),
    Rule("names", G, "`hub names` prints the account's own fields, stages and people as words",
         "nobody should copy codes out of a browser's address line",
         proofs.names, concerns.has_codes),
    Rule("connect", G, "`hub connect` registers the hub where the vendor's API allows it, and puts it back",
         "a hook set by hand is set wrong, and a vendor switches hooks off without a word",
         proofs.connect, concerns.connects),
    Rule("back_fill", G, "what the vendor did not deliver is found by asking",
         "most vendors try once or thrice and then never again",
         proofs.back_fill, concerns.polled),
    Rule("drift", G, "a field deleted, a stage renamed, a hook switched off is found and said, with what to do",
         "accounts change under a configuration that nobody looks at",
         proofs.drift, concerns.checks),
    Rule("described", G, "the README names every event and every action",
         "what isn't written down isn't used",
         proofs.described, concerns.own_offers),
    Rule("covered", G, "a test expects every event and performs every action",
         "a declaration is a promise",
         proofs.covered, concerns.own_offers),
    # --- platinum ---
    Rule("journey", P, "a message goes through hub, plugin and stand-in over HTTP, to its effect",
         "parts that fit alone need not fit together",
         proofs.journey, concerns.everybody),
    Rule("outside", P, "the stand-in was driven with a client that others wrote",
         "who writes both sides makes the same mistake twice",
         proofs.outside, concerns.nobody_but_a_person),
    Rule("structure", P, "files of one sitting, each says what it is for, built on the hub's public names alone",
         "whoever mends it next year has an hour",
         proofs.structure, concerns.everybody),
    Rule("live", P, "it was tried against the real vendor",
         "documentation and service differ, always",
         proofs.live, concerns.everybody),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}
