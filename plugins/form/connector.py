"""The declaration of the `form` connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hub.connector import ConnectionInfo, Connector, EventKind
from hub.errors import Rejected
from hub.model import Event, Finding, Receipt, Reply, Request
from plugins.form import incoming
from plugins.form.reading import read
from plugins.form.schemas import FormSettings

#: a transparent picture of one point, so that `/opened` can stand in an <img>
_POINT = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"
)
_FIELDS = ("title", "sender")
_SHORT = 16


class FormConnector(Connector):
    """Takes what forms send; there is nobody to call."""

    name = "form"
    title = "Site forms"
    docs_url = "https://help.tilda.cc/forms/webhook"
    Settings = FormSettings
    events: ClassVar[tuple[EventKind, ...]] = (
        EventKind("form.submitted", "form", sample="tilda-form.webhook.txt", fields=_FIELDS),
        EventKind("form.opened", "form", note="GET /in/<connection>/<secret>/opened?form=<id>", fields=_FIELDS),
    )
    #: a page may upload files with its form; without files a body may have 1 MB
    max_body = 5_000_000

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        named = tuple(ours.partition(".")[2] for ours in settings["read"] if ours.startswith("form."))
        if named:
            self.events = tuple(  # type: ignore[misc]
                EventKind(kind.name, kind.record, kind.sample, kind.note, (*kind.fields, *named))
                for kind in type(self).events
            )

    def handshake(self, request: Request) -> Reply | None:
        """Answer a browser's question whether a page may post, and Tilda's test of a new hook."""
        if request.method == "OPTIONS":
            return self._preflight(request)
        if request.method == "POST" and incoming.is_test(request, self.settings):
            try:
                self.verify(request)
            except Rejected:
                return None  # an address with a wrong secret must not look right to the admin: verify() will say so
            return Reply(200, "ok", headers=self._cors(request))
        return None

    def verify(self, request: Request) -> None:
        """Raise `Rejected` 401 without a right secret, 403 for a foreign page, 405 for anything but POST."""
        incoming.verify(request, self.settings)

    def receipt_key(self, request: Request) -> str:
        """Return the sender's id of the submission, else a hash of the answers and the time window."""
        return incoming.receipt_key(request, self.settings)

    def acknowledge(self, request: Request) -> Reply:
        """Say `ok`; send the visitor of a plain page on to the configured address."""
        cors = self._cors(request)
        if incoming.is_opened(request):
            return Reply(200, _POINT, "image/gif", {**cors, "Cache-Control": "no-store"})
        if self.settings["redirect"] and "text/html" in request.headers.get("accept", ""):
            return Reply(303, "", headers={"Location": self._thanks(request)})
        return Reply(200, "ok", headers=cors)

    def parse(self, receipt: Receipt) -> list[Event]:
        """Return `form.submitted` or `form.opened`."""
        return incoming.events(receipt, self.settings, self.connection.region)

    def check(self) -> list[Finding]:
        """Look at the secrets; there is no vendor to ask."""
        if min(map(len, (self.settings["secret"], *self.settings["secrets"]))) < _SHORT:
            return [
                Finding(
                    "warning",
                    f"a secret is shorter than {_SHORT} characters",
                    "make one with `openssl rand -hex 16`, set it as `secret`, keep the old one in `secrets` meanwhile",
                )
            ]
        return [Finding("ok", "the secrets are long enough")]

    def _cors(self, request: Request) -> dict[str, str]:
        origin = request.headers.get("origin", "")
        if origin not in self.settings["origins"]:
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def _preflight(self, request: Request) -> Reply:
        """Say whether a page may post. Without `origins` any may; it still may not read what the hub answers."""
        cors = self._cors(request) if self.settings["origins"] else {"Access-Control-Allow-Origin": "*"}
        if not cors:
            return Reply(403, "pages of this site may not send forms here")
        allowed = f"Content-Type, Authorization, {self.settings['secret_header']}"
        return Reply(
            204,
            headers={
                **cors,
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": allowed,
                "Access-Control-Max-Age": "86400",
            },
        )

    def _thanks(self, request: Request) -> str:
        try:
            wanted = read(request).get("redirect")
        except ValueError:
            wanted = None
        allowed: list[str] = self.settings["redirect"]
        return wanted if wanted in allowed else allowed[0]
