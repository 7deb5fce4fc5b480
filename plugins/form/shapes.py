"""The shapes in which form builders send: each is told by its marks and read into one `Submission`."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import jsonbody
from hub.errors import Rejected
from plugins.form.codes import FILLERS

_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_APOSTROPHES = str.maketrans("’ʼ`‘´", "'''''")


@dataclass(slots=True)
class Field:
    """One answer: `name` as the sender has it, `label` as the visitor saw it, `kind` (`tel`, `email`) where told."""

    name: str
    value: Any
    label: str = ""
    kind: str = ""

    @property
    def text(self) -> str:
        """The answer as text; several ticked boxes are joined by commas."""
        return text(self.value)


@dataclass(slots=True)
class Submission:
    """One filled-in form, whatever program sent it."""

    sender: str
    fields: list[Field] = field(default_factory=list)
    form_id: str = ""
    title: str = ""
    page: str = ""
    ip: str = ""
    cookies: str = ""
    at: dt.datetime | None = None
    payment: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """Return the answers as texts by lower-case name."""
        return {field.name.strip().lower(): field.text for field in self.fields}


def read(raw: dict[str, Any]) -> Submission:
    """Return the submission in the decoded body."""
    submission = next(shape(raw) for fits, shape in SHAPES if fits(raw))
    submission.raw = raw
    submission.payment = _payment(raw.get("payment"))
    return submission


# --- Elementor Pro, "Advanced Data" on (elementor-pro modules/forms/actions/webhook.php) ------------------------------


def _is_elementor(raw: Mapping[str, Any]) -> bool:
    fields = raw.get("fields")
    return isinstance(fields, dict) and any(isinstance(item, dict) and "value" in item for item in fields.values())


def _elementor(raw: dict[str, Any]) -> Submission:
    submission = Submission("elementor")
    form, meta = _mapping(raw.get("form")), _mapping(raw.get("meta"))
    submission.form_id, submission.title = text(form.get("id")), text(form.get("name"))
    for name, item in raw["fields"].items():
        if isinstance(item, dict):
            value = item.get("value") or item.get("raw_value")
            submission.fields.append(Field(name, value, text(item.get("title")), text(item.get("type"))))
        else:
            submission.fields.append(Field(name, item))
    submission.page = text(_mapping(meta.get("page_url")).get("value"))
    submission.ip = text(_mapping(meta.get("remote_ip")).get("value"))
    return submission


# --- Google Forms, by an Apps Script trigger --------------------------------------------------------------------------


def _is_google(raw: Mapping[str, Any]) -> bool:
    answers = _mapping(raw.get("response")).get("payload") or raw.get("namedValues")
    return isinstance(answers, dict)


def _google(raw: dict[str, Any]) -> Submission:
    submission = Submission("google")
    form, response = _mapping(raw.get("form")), _mapping(raw.get("response"))
    submission.form_id, submission.title = text(form.get("id")), text(form.get("title"))
    with contextlib.suppress(ValueError, OverflowError):
        at = dt.datetime.fromisoformat(text(response.get("timestamp")))
        submission.at = at.astimezone(dt.UTC) if at.tzinfo else None
    answers = _mapping(response.get("payload")) or _mapping(raw.get("namedValues"))
    submission.fields = [Field(name, value) for name, value in answers.items()]
    return submission


# --- flat: Tilda, Elementor without "Advanced Data", Contact Form 7, an own page or script ----------------------------

_CONTAINERS = ("fields", "data", "payload", "answers", "values")


def _flat(raw: dict[str, Any]) -> Submission:
    known = {name.strip().lower(): value for name, value in raw.items() if not isinstance(value, dict)}

    def first(*names: str) -> str:
        return next((found for name in names if (found := text(known.get(name)))), "")

    submission = Submission("tilda" if "tranid" in known or "formid" in known else "page")
    form = _mapping(raw.get("form"))
    submission.form_id = first("formid", "form_id", "form") or text(form.get("id"))
    submission.title = first("formname", "form_name", "form_title", "_post_title") or text(
        form.get("title") or form.get("name")
    )
    submission.page = first("page_url", "page url", "pageurl", "_url", "page", "url")
    submission.ip = first("remote_ip", "remote ip", "_remote_ip")
    submission.cookies = first("cookies")
    for name, value in raw.items():
        if name.lower() in _CONTAINERS and isinstance(value, dict):
            submission.fields.extend(Field(inner, item) for inner, item in value.items())
        elif name.lower() not in ("payment", "cookies") and not (name == "form" and isinstance(value, dict)):
            submission.fields.append(Field(name, value))
    return submission


SHAPES: tuple[tuple[Callable[[Mapping[str, Any]], bool], Callable[[dict[str, Any]], Submission]], ...] = (
    (_is_elementor, _elementor),
    (_is_google, _google),
    (lambda raw: True, _flat),
)


# --- small words ------------------------------------------------------------------------------------------------------


def _payment(value: Any) -> dict[str, Any]:
    """Return Tilda's cart; it comes as brackets, or as one field of JSON."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with contextlib.suppress(Rejected):
            value = jsonbody.loads(value.encode())
    return _mapping(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return any answer as text: lists joined by commas, ticks as yes and no, nothing as an empty text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if "value" in value:
            return text(value["value"])
        return ", ".join(f"{key}: {text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(found for item in value if (found := text(item)))
    return str(value)


def normalise(name: str) -> str:
    """Return the name as paths write it: `Your Phone *` becomes `your_phone`, `Ім’я` becomes `імя`."""
    return alias(name, drop=False).replace("'", "")


def alias(name: str, drop: bool = True) -> str:
    """Return the name as the table of aliases writes it: `Your Phone *` becomes `phone`, `Ім’я` becomes `ім'я`."""
    words = _WORDS.findall(name[:300].translate(_APOSTROPHES).casefold().replace("_", " ").replace("-", " "))
    kept = [word for word in words if word not in FILLERS] if drop else words
    return "_".join(kept or words)
