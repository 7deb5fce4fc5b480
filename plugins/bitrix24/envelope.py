"""The shape of what Bitrix24 posts, pure: a urlencoded form in PHP's brackets, read without trust in any of it.

https://apidocs.bitrix24.ru/api-reference/events/index.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from hub import jsonbody, phpform
from hub.errors import Rejected
from hub.model import Request

#: method of the requests that the plugin's own polls bring in
POLLED = "POLL"
#: characters kept of an id that came from outside
MAX_ID = 100


def read(request: Request) -> dict[str, Any]:
    """Return the message as nested dicts and lists. Raises `Rejected` 400/413 if it can't be one."""
    if request.method == POLLED or request.content_type == "application/json":
        body = jsonbody.loads(request.body)
    else:
        text = request.body.decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=phpform.MAX_KEYS)
        except ValueError:
            raise Rejected(413, f"more than {phpform.MAX_KEYS} form fields") from None
        body = phpform.decode(pairs)
    if not isinstance(body, dict):
        raise Rejected(400, "the body isn't a Bitrix24 event")
    return body


def text_of(value: Any) -> str:
    """Return a leaf as text; "" for what isn't there, for nested values, and for the placeholder `undefined`."""
    if value is None or isinstance(value, (Mapping, list, bool)):
        return ""
    words = str(value).strip()
    return "" if words == "undefined" else words


def id_of(value: Any, longest: int = MAX_ID) -> str:
    """Return an id as text, cut to a sane length; the vendor's "nobody" and "none" (0) is ""."""
    words = text_of(value)[:longest]
    return "" if words == "0" else words


def part(message: Any, *path: str) -> Any:
    """Return a nested value, whatever the shape: names of either case, indexes of lists and of maps; else None."""
    for name in path:
        if isinstance(message, list):
            message = message[int(name)] if name.isdigit() and int(name) < len(message) else None
        elif isinstance(message, Mapping):
            wanted = name.lower()
            message = message.get(
                name, next((value for key, value in message.items() if str(key).lower() == wanted), None)
            )
        else:
            return None
    return message


def items(value: Any) -> list[Any]:
    """Return PHP's array as a list, whether it came as a list or as a map."""
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []
