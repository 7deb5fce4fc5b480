"""Weak likeness: the same or a similar name, and a phone or an e-mail that differs by a slip of the finger.

Pure. Never a reason to merge: such pairs go to a human (`hub people suspects`). To find them without comparing
everybody with everybody, each phone and e-mail has near words: itself with one character left out, at each place. Two
that differ by one character, by two neighbours changed about, or by one character more share at least one of them, so
one look into an index finds all candidates, however many persons there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from hub.identity import words_of

#: how alike two names must be, of 100 (RapidFuzz, words in any order)
THRESHOLD = 85.0
#: digits of a phone in which a slip is looked for, from the end: a wrong country code is no phone at all
DIGITS = 10
#: characters of the part before the @; a longer one is looked at by its halves
LOCAL = 16
#: persons a near word leads to, at most, that are compared: a word of more is no hint
MOST = 50


def near_words(kind: str, value: str) -> list[int]:
    """Return the near words of a phone or an e-mail, as numbers of 63 bits; none for other keys."""
    if kind == "phone":
        digits = value.lstrip("+")
        head, tail = digits[:-DIGITS], digits[-DIGITS:]
        found = [f"p{head}.{_without(tail, place)}" for place in range(len(tail))]
    elif kind == "email":
        local, _, domain = value.rpartition("@")
        if not local:
            return []
        if len(local) <= LOCAL:
            found = [f"e{_without(local, place)}@{domain}" for place in range(len(local))]
        else:
            middle = len(local) // 2
            found = [f"<{local[:middle]}@{domain}", f">{local[middle:]}@{domain}"]
        found.append(f"d{local}@{domain[:1]}")  # the domain's slip: gmial.com
        found.append(f"e{local}@{domain}")  # one character more, or less
    else:
        return []
    return sorted({_number(one) for one in found})


def _without(text: str, place: int) -> str:
    return text[:place] + text[place + 1 :]


def _number(word: str) -> int:
    return int.from_bytes(hashlib.blake2s(word.encode(), digest_size=8).digest(), "big") >> 1


def near(kind: str, one: str, other: str) -> bool:
    """Return whether two different values are one slip apart: one character wrong, more or less, or two swapped."""
    if one == other:
        return False
    if kind == "phone":
        return len(one) == len(other) and OSA.distance(one, other, score_cutoff=1) == 1
    if kind != "email":
        return False
    local, _, domain = one.rpartition("@")
    their_local, _, their_domain = other.rpartition("@")
    if domain == their_domain:
        return bool(OSA.distance(local, their_local, score_cutoff=1) == 1) and min(len(local), len(their_local)) > 3
    return local == their_local and bool(OSA.distance(domain, their_domain, score_cutoff=1) == 1)


def name_score(one: Any, other: Any) -> float:
    """Return how alike two names are, 0 to 100; 0 where either is missing. Words may come in any order."""
    mine, theirs = words_of(one), words_of(other)
    if not mine or not theirs:
        return 0.0
    fewer, more = sorted((mine, theirs), key=len)
    if len(fewer) < len(more):  # a first name alone against a full name: each of its words must be there
        found = [process.extractOne(word, more, scorer=fuzz.ratio) for word in fewer]
        return min((float(one[1]) for one in found if one is not None), default=0.0)
    return float(fuzz.ratio(" ".join(sorted(mine)), " ".join(sorted(theirs))))


def alike(
    one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]], threshold: float = THRESHOLD
) -> dict[str, Any] | None:
    """Return why two persons may be one: {"kind", "value", "other", "score"}; None if they aren't alike.

    one, other: field (`name`, `phone`, `email`) -> values.
    """
    for kind in ("phone", "email"):
        for value in one.get(kind, ()):
            for theirs in other.get(kind, ()):
                if not near(kind, value, theirs):
                    continue
                score = max((name_score(a, b) for a in one.get("name", ()) for b in other.get("name", ())), default=0.0)
                if score < threshold:
                    return None
                return {"kind": kind, "value": value, "other": theirs, "score": round(score)}
    return None


def words_of_keys(keys: Iterable[tuple[str, str]]) -> set[int]:
    """Return all near words of a person's keys."""
    return {word for kind, value in keys for word in near_words(kind, value)}
