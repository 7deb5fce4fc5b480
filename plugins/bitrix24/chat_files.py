"""Files of a chat, pure: they go by their link, so their kind and size are judged and never their content.

The portal fetches what is behind the link itself; it must be public
(https://apidocs.bitrix24.ru/api-reference/imopenlines/imconnector/imconnector-send-messages.html, `files`).
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from plugins.bitrix24 import codes

#: the portal shows a file as a picture by the ending of its name; channels give links without one
_EXTENSIONS = {"image": ".jpg", "video": ".mp4", "audio": ".m4a"}


def link(value: Any) -> str:
    """Return a value if it is a web address, else ""."""
    words = str(value or "").strip()
    return words if re.match(r"https?://[^\s/]", words) else ""


@dataclass
class File:
    """An attachment by its link. size: bytes, None = unknown. trouble: why the portal could not take it."""

    url: str
    kind: str
    name: str
    size: int | None = None
    trouble: str = ""


def read_file(row: Any) -> File | None:
    """Return a file as routes carry it: a link, or `{"url", "name", "type", "size"}` as plugins make it."""
    given = row if isinstance(row, Mapping) else {"url": row}
    url = str(given.get("url") or given.get("link") or "").strip()
    title = str(given.get("name") or given.get("title") or "").strip()
    if not url and not title:
        return None
    found = link(url)
    path = PurePosixPath(unquote(urlsplit(found).path)).name if found else ""
    kind = _kind(str(given.get("type") or ""), title or path)
    name = title if "." in title else path if "." in path else (title or path or kind) + _EXTENSIONS.get(kind, "")
    size = str(given.get("size") or "")
    known = int(size) if size.isascii() and size.isdigit() and len(size) < 13 else None
    trouble = "" if found else "it has no link that the portal could fetch"
    return File(found, kind, name[:255], known, trouble)


def _kind(said: str, name: str) -> str:
    """Return image, video, audio or file, by what the channel says (or a media type), else by the name's ending."""
    word = said.lower().partition("/")[0]
    guess = (mimetypes.guess_type(name)[0] or "").partition("/")[0]
    return next((one for one in (word, guess) if one in codes.FILE_KINDS), "file")


def judged(file: File, settings: Mapping[str, Any]) -> File:
    """Return the file with the reason why it can't be carried by its link, if there is one."""
    kinds, most = settings.get("files", codes.FILE_KINDS), settings.get("max_file", codes.MAX_FILE)
    if file.trouble:
        return file
    if file.kind not in kinds:
        file.trouble = f"files of kind {file.kind} aren't carried (openlines: files)"
    elif file.size is not None and file.size > most:
        file.trouble = f"{megabytes(file.size)}, more than {megabytes(most)} (openlines: max_file)"
    return file


def megabytes(size: int) -> str:
    """Return a size for people."""
    return f"{size / 1_000_000:.1f} MB".replace(".0 ", " ")
