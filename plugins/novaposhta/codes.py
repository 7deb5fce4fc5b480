"""Nova Poshta's status and error codes in the hub's words.

Statuses: `TrackingDocument.getStatusDocuments` answers a `StatusCode` (a string) and a `Status` text that depends
on the language. The codes come from the Go client platx/go-nova-poshta (its enum, 2023) and the npm package
@shopana/novaposhta-api-client (2025), which agree; the two that only older integrators' tables know say so.

Errors: every answer is HTTP 200; `errors` and `errorCodes` are lists or objects, and the two need not align.
`data/error_codes.json` is the vendor's table (code -> English text; what `Common.getMessageCodeText` serves):
2000... are errors, 3000... warnings, 4000... news.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

# --- statuses ---------------------------------------------------------------------------------

#: neutral status -> the vendor's codes that mean it
STATUSES: dict[str, tuple[str, ...]] = {
    "registered": (
        "1",  # created by the sender, not handed over yet
    ),
    "accepted": (
        "12",  # Nova Poshta has it and is packing it
    ),
    "in_transit": (
        "4",  # in the sender's city, goes to another region
        "41",  # in the city, for services within one city
        "5",  # on the way to the recipient's city
        "6",  # in the recipient's city, not at the branch yet: the notice of arrival comes later
    ),
    "arrived": (
        "7",  # at the branch
        "8",  # loaded into a postomat
        "14",  # handed to the recipient to look at (older integrators' tables only)
    ),
    "out_for_delivery": (
        "101",  # on the way to the recipient with a courier
    ),
    "delivery_failed": (
        "111",  # a failed attempt: nobody there, or no contact
    ),
    "delayed": (
        "112",  # the recipient moved the delivery date
    ),
    "delivered": (
        "9",  # received
        "10",  # received; the money transfer follows within a day
        "106",  # received, and a waybill for the return delivery was created
    ),
    "paid_out": (
        "11",  # received; the money transfer was paid out
    ),
    "returning": (
        "102",  # refusal; the sender ordered the return (older tables: refused by the recipient)
        "105",  # the storage time ended
    ),
    "refused": (
        "103",  # refused by the recipient
        "108",  # refused (older integrators' tables only)
    ),
    "redirected": (
        "104",  # the address was changed; another waybill goes on
    ),
    "cancelled": (
        "2",  # deleted
    ),
    "unknown": (
        "3",  # no such number
    ),
}
_NEUTRAL = {code: status for status, codes in STATUSES.items() for code in codes}

#: nothing more will happen to this number
FINISHED = frozenset(("2", "9", "11", "106"))
#: the story goes on under the number in LastCreatedOnTheBasisNumber
CONTINUED = frozenset(("102", "103", "104", "105", "106", "108"))
#: getStatusDocuments takes at most so many numbers at once
TRACKING_BATCH = 100


def neutral_status(code: str) -> str:
    """Return the hub's status for a StatusCode; a code nobody has listed yet is `unknown`, never an error."""
    return _NEUTRAL.get(str(code).strip(), "unknown")


# --- errors -----------------------------------------------------------------------------------

ErrorClass = Literal["retry", "auth", "directory", "refused"]

RATE_LIMIT = "20000401501"  # "To many requests" (sic); no Retry-After comes with it

#: error class -> the codes in it; every other code is "refused", for a person to read
ERRORS: dict[str, tuple[str, ...]] = {
    "retry": (
        RATE_LIMIT,
        "20000100002",  # General error
        "20000100008",  # An unknown error occurred. Try again later.
        "20000100016",  # Service Unavailable
        "20001701795",  # Service temporarily unavailable
        "20000400470",  # Network error
        "20001400980",  # Unknown error
    ),
    "auth": (
        "20000200068",  # API auth fail
        "20000200069",  # apiKey is empty
        "20000201204",  # API key expired
        "20000200217",  # No rights to the method
        "20000300394",  # access denied
    ),
    "directory": (  # a Ref of ours has gone out of use: read the directories again
        "20000200103",  # CityRecipient not found
        "20000200106",  # CitySender not found
        "20000900768",  # City not found
        "20000200265",  # RecipientAddress does not exists
        "20000200266",  # RecipientAddress is incorrect
        "20000500626",  # SettlementRef is invalid
    ),
}
_CLASSES = {code: name for name, codes in ERRORS.items() for code in codes}

#: what a text says when it came without a code: a live answer of 2024 was "API key incorrect" with `errorCodes: []`
_TEXTS = (
    ("api key", "auth"),
    ("apikey", "auth"),
    ("to many requests", "retry"),
    ("too many requests", "retry"),
    ("try again later", "retry"),
)


def classify(codes: Iterable[str], errors: Iterable[str] = ()) -> ErrorClass:
    """Say what to do about a refusal: stop the connection, refresh directories, show a person, or try again.

    Codes decide; texts are read only where there are none. A refusal that repeats (a wrong phone beside a
    "General error") is not retried.
    """
    classes = {_class_of(code) for code in codes} or {_class_of_text(text) for text in errors}
    for name in ("auth", "directory", "refused", "retry"):
        if name in classes:
            return name
    return "refused"


def is_rate_limit(codes: Iterable[str], errors: Iterable[str] = ()) -> bool:
    """Say whether the answer is "To many requests": wait and repeat, nothing was done."""
    known = list(codes)
    return RATE_LIMIT in known or (not known and any("many requests" in text.lower() for text in errors))


def flatten(value: Any) -> list[str]:
    """Return errors, warnings or their codes as a plain list of strings, in whichever shape they came.

    Seen: `["text"]`, `{"1": "20000900759"}`, `{"DuplicateValidate": "..."}`, `[{"ID_20400048799000": "..."}]`.
    """
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return [text for part in value.values() for text in flatten(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in flatten(part)]
    return [str(value)]


@lru_cache(maxsize=1)
def error_table() -> dict[str, str]:
    """Return the vendor's table of messages: code -> English text."""
    path = Path(__file__).parent / "data" / "error_codes.json"
    table: dict[str, str] = json.loads(path.read_text("utf-8"))
    return table


def error_text(code: str) -> str:
    """Return the vendor's English text of a code, or the code itself where the table lacks it."""
    return error_table().get(code, code).removesuffix(" (warning)")


@lru_cache(maxsize=1)
def _codes_by_text() -> dict[str, str]:
    return {text.lower(): code for code, text in error_table().items()}


def _class_of(code: str) -> str:
    return _CLASSES.get(code, "refused")


def _class_of_text(text: str) -> str:
    lowered = text.strip().lower()
    for part, name in _TEXTS:
        if part in lowered:
            return name
    return _class_of(_codes_by_text().get(lowered, ""))
