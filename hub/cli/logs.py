"""The log of a running hub: one line each on stderr, secrets and people's data masked whoever wrote it."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys

import orjson

from hub.masking import Masker, mask_person, visible


class MaskingFormatter(logging.Formatter):
    """Formats a record, traceback included, and masks what must not be seen."""

    def __init__(self, masker: Masker, as_json: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.masker = masker
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, masked."""
        if self.as_json:
            return self.mask(self._json(record))
        return self.mask(visible(super().format(record), keep="\n\t"))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line itself; a line break from outside must not begin another."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the time in UTC."""
        return dt.datetime.fromtimestamp(record.created, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def mask(self, line: str) -> str:
        """Return the line without secrets, phones and e-mails; its own time at the front stays as it is."""
        head, rest = line[:24], line[24:]
        if self.as_json:
            head, rest = "", line
        return head + mask_person(self.masker.mask(rest))

    def _json(self, record: logging.LogRecord) -> str:
        shown = {
            "at": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name,
            "process": record.process, "message": visible(record.getMessage(), keep="\n\t"),
        }  # fmt: skip
        if record.exc_info:
            shown["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(shown, default=str).decode()


def set_up(masker: Masker, as_json: bool = False) -> None:
    """Send the log of this process, and of those it forks, to stderr. HUB_DEBUG=1 says more."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter(masker, as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("hub").setLevel(logging.DEBUG if os.environ.get("HUB_DEBUG") else logging.INFO)
    for name in ("urllib3", "alembic", "rq", "werkzeug", "_granian", "granian"):
        logging.getLogger(name).setLevel(logging.WARNING)
