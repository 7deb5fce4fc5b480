"""PHP's nesting in form fields: `fields[phone][value]=067...` becomes `{"fields": {"phone": {"value": "067..."}}}`.

Bitrix24, Elementor, Tilda and most of PHP's world write structured data that way. The rules are PHP's own
(https://www.php.net/manual/en/reserved.variables.post.php, https://www.php.net/manual/en/faq.html.php#faq.html.arrays):
the last value of a name wins, `a[]` appends, what follows the last bracket is dropped, a bracket that never closes
is part of the name. Unlike PHP, names keep their dots and spaces: `Your name` stays as the visitor saw it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.errors import Rejected

MAX_DEPTH = 64
MAX_KEYS = 10_000


class _Array(dict[str, Any]):
    """A PHP array in the making: a dict that knows its next free index."""

    __slots__ = ("following",)

    def __init__(self) -> None:
        super().__init__()
        self.following = 0

    def key(self, name: str) -> str:
        """Return the key that `name` stands for: the next index for an empty one."""
        if not name:
            name = str(self.following)
        if _is_index(name):
            self.following = max(self.following, int(name) + 1)
        return name


def decode(
    pairs: Iterable[tuple[str, str]], max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS
) -> dict[str, Any]:  # fmt: skip
    """Return the pairs as nested dicts; a level whose keys are exactly 0..n-1 becomes a list, in that order.

    Leaves are the strings as given. Where two names contradict each other (`a=1`, `a[b]=2`) the later one wins.
    Raises `Rejected` 400 for more than `max_depth` levels, 413 for more than `max_keys` keys at all levels together.
    """
    root, keys = _Array(), 0
    for name, value in pairs:
        path = _path(name, max_depth)
        node, key = root, path[0]
        for part in path[1:]:
            below = node.get(key)
            if not isinstance(below, _Array):
                below = node[key] = _Array()
                keys += 1
            node, key = below, below.key(part)
        node[key] = value
        keys += 1
        if keys > max_keys:
            raise Rejected(413, f"more than {max_keys} form fields")
    return {key: _plain(value) for key, value in root.items()}


def _path(name: str, max_depth: int) -> list[str]:
    """Return `["a", "b", ""]` for `a[b][]`."""
    opening = name.find("[")
    if opening <= 0 or "]" not in name[opening:]:
        return [name]
    path, place = [name[:opening]], opening
    while place < len(name) and name[place] == "[":
        closing = name.find("]", place)
        if closing < 0:
            break
        path.append(name[place + 1 : closing])
        if len(path) > max_depth:
            raise Rejected(400, f"form fields nested deeper than {max_depth} levels")
        place = closing + 1
    return path


def _plain(value: Any) -> Any:
    if not isinstance(value, _Array):
        return value
    if value.following == len(value) and all(map(_is_index, value)):
        return [_plain(value[str(index)]) for index in range(len(value))]
    return {key: _plain(below) for key, below in value.items()}


def _is_index(name: str) -> bool:
    """Return whether PHP takes the key for an integer: `0`, `17`, but not `00` or `1e3`."""
    return len(name) < 19 and name.isascii() and name.isdigit() and (name == "0" or name[0] != "0")
