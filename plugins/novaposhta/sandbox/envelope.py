"""The RPC envelope of classic API 2.0: what a method answers, what it refuses with, and the table of methods.

Every answer, refusals too, is HTTP 200 with nine members. `errors`, `warnings`, their codes and `info` are lists
or objects depending on the method, and errors need not align with their codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugins.novaposhta.codes import error_text

if TYPE_CHECKING:
    from plugins.novaposhta.sandbox.world import World

Props = dict[str, Any]
Messages = list[Any] | dict[str, Any]


@dataclass
class Answer:
    """What a method returns when it succeeds; `data` is always a list."""

    data: list[Any]
    warnings: Messages = field(default_factory=list)
    warning_codes: Messages = field(default_factory=list)
    info: Messages = field(default_factory=list)

    def envelope(self) -> dict[str, Any]:
        """Return the answer as it goes over the wire."""
        return envelope(True, self.data, [], [], self.warnings, self.warning_codes, self.info)


class Refusal(Exception):
    """`success: false`; `errors` and `codes` go out exactly as given, aligned or not."""

    def __init__(self, errors: Messages, codes: Messages) -> None:
        super().__init__(str(errors))
        self.errors = errors
        self.codes = codes

    def envelope(self) -> dict[str, Any]:
        """Return the refusal as it goes over the wire."""
        return envelope(False, [], self.errors, self.codes)


def refuse(*codes: str) -> Refusal:
    """Return a refusal with these codes of the vendor's table and their texts, in order."""
    return Refusal([error_text(code) for code in codes], list(codes))


def envelope(
    success: bool,
    data: list[Any],
    errors: Messages,
    codes: Messages,
    warnings: Messages | None = None,
    warning_codes: Messages | None = None,
    info: Messages | None = None,
) -> dict[str, Any]:
    """Return the nine members in the vendor's order."""
    return {
        "success": success,
        "data": data,
        "errors": errors,
        "warnings": [] if warnings is None else warnings,
        "info": [] if info is None else info,
        "messageCodes": [],
        "errorCodes": codes,
        "warningCodes": [] if warning_codes is None else warning_codes,
        "infoCodes": [],
    }


# --- the table of methods ---------------------------------------------------------------------

Handler = Callable[["World", Props], Answer]


@dataclass(frozen=True)
class Method:
    """One "Model.method"; `without_key` says that it answers with an empty apiKey too."""

    handler: Handler
    without_key: bool


METHODS: dict[str, Method] = {}


def method(name: str, without_key: bool = False) -> Callable[[Handler], Handler]:
    """Enter a function into the table under the vendor's "Model.method"."""

    def enter(handler: Handler) -> Handler:
        METHODS[name] = Method(handler, without_key)
        return handler

    return enter


# --- reading methodProperties -----------------------------------------------------------------


def text(props: Props, name: str) -> str:
    """Return a property as text: clients send numbers and booleans as either; absent and null are ""."""
    value = props.get(name)
    if value is None or isinstance(value, list | dict):
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value).strip()


def number(props: Props, name: str) -> float | None:
    """Return a property as a number, or None where it is not one."""
    return as_number(text(props, name))


def as_number(value: Any) -> float | None:
    """Read "2.50", "2,50" or 2.5; a negative or endless number is none."""
    try:
        found = float(str(value).replace(",", "."))
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def refs(props: Props, name: str) -> list[str]:
    """Return a list of refs that may have come as one string."""
    value = props.get(name)
    if isinstance(value, str):
        return [value] if value.strip() else []
    return [str(ref) for ref in value] if isinstance(value, list) else []


def paged(rows: list[Any], props: Props, limit: int = 500) -> Answer:
    """Return one page and `info.totalCount` of all; `limit` is the most rows a page of this method holds."""
    asked = int(number(props, "Limit") or limit)
    size = max(1, min(asked, limit))
    start = (max(1, int(number(props, "Page") or 1)) - 1) * size
    return Answer(rows[start : start + size], info={"totalCount": len(rows)})
