"""A stand-in of Nova Poshta's classic API 2.0: one URL, an RPC envelope, HTTP 200 on errors too.

    with NovaPoshtaSandbox().start() as running:
        api_key, api_url = (running.sandbox.credentials()[name] for name in ("api_key", "api_url"))

Beside what every sandbox has (`hub/sandbox.py`):

* `POST /_sandbox/parcels` makes a parcel as if by hand in the cabinet (see `sandbox_life.make_by_hand`)
* `POST /_sandbox/parcels/<number>/status` `{"code": "7", "at": "2026-05-04 10:00:00"}` moves it; `at` is Kyiv time
* `POST /_sandbox/quirks` `{"nested_delivery_date": true}` switches a known oddity of the answers
* `/orders/printDocument/...`, `/orders/printMarking...` are the cabinet's print links, the key in the path

The methods are in address, _common, _orders, _people, _scansheet, _tracking and _waybill.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from flask import Response, g, jsonify, request

from hub.sandbox import Sandbox, now_utc
from plugins.novaposhta.codes import RATE_LIMIT
from plugins.novaposhta.sandbox import (  # noqa: F401 - imported for the methods they enter into the table
    address,
    common,
    orders,
    people,
    scansheet,
    tracking,
    waybill_methods,
)
from plugins.novaposhta.sandbox.directory import KYIV, KYIV_BRANCH_2
from plugins.novaposhta.sandbox.envelope import METHODS, Answer, Method, Props, Refusal, refuse
from plugins.novaposhta.sandbox.life import make_by_hand, read_moment, set_status, status_text
from plugins.novaposhta.sandbox.world import (
    API_KEY,
    SENDER,
    SENDER_CONTACT,
    SENDER_PHONE,
    Quirks,
    Waybill,
    World,
)

_API = "/v2.0/json/"
_PRINT = re.compile(r"/orders/print(?:Document|Markings?|Marking100x100|Marking85x85)/")
_CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n% waybills: "


class NovaPoshtaSandbox(Sandbox):
    """One account at Nova Poshta: a sender, its recipients, waybills and what became of them."""

    vendor = "novaposhta"
    own_faults = (
        "rate_limit",  # "To many requests", nothing done
        "auth_fail",  # 20000200068
        "key_incorrect",  # "API key incorrect" with an empty errorCodes
        "key_expired",  # 20000201204
        "service_unavailable",  # 20000100016
        "html",  # HTTP 200 with a gateway's page instead of JSON
        "empty_data",  # success and no data, as seen with getWarehouses for a Ref that exists
    )

    def __init__(
        self,
        clock: Callable[[], dt.datetime] = now_utc,
        calls_per_second: int = 0,
        quirks: Quirks | None = None,
    ) -> None:
        self.clock = clock
        #: 0 is no limit; the vendor publishes no number
        self.calls_per_second = calls_per_second
        self._first_quirks = quirks or Quirks()
        super().__init__()

    # --- what the base asks for ---------------------------------------------------------------

    def seed(self) -> None:
        """Start an account with its sender and nothing sent."""
        self.recent: dict[str, deque[dt.datetime]] = {}
        self.world = World(self.data, self.clock, replace(self._first_quirks))

    def routes(self) -> None:
        """Serve the API with and without its last slash, the print links and the parcels' controls."""
        self.app.url_map.strict_slashes = False
        self.app.add_url_rule(_API, "api", self._api, methods=["POST"])
        self.app.add_url_rule("/orders/<path:rest>", "print", self._print, methods=["GET"])
        self.app.add_url_rule("/_sandbox/parcels", "make", self._make_parcel, methods=["POST"])
        self.app.add_url_rule("/_sandbox/parcels/<number>/status", "move", self._move_parcel, methods=["POST"])
        self.app.add_url_rule("/_sandbox/quirks", "quirks", self._switch_quirks, methods=["POST"])

    def call_name(self) -> str:
        """Return "Model.method", the same for plain and ...General models; print links are named by their path."""
        if request.path.rstrip("/") != _API.rstrip("/"):
            # the key is part of a print link: keep it out of the counters
            return re.sub(r"/apiKey/[^/]*", "", request.path)
        asked = _read_call()
        return f"{asked['model']}.{asked['method']}"

    def credentials(self) -> dict[str, Any]:
        """Return what a connection of the plugin needs; the sender's address is Kyiv's branch №2."""
        return {
            "api_key": API_KEY,
            "api_url": f"{self.base_url}{_API}",
            "print_url": f"{self.base_url}/orders/",
            "sender": {
                "city": KYIV,
                "counterparty": SENDER,
                "contact": SENDER_CONTACT,
                "address": KYIV_BRANCH_2,
                "phone": SENDER_PHONE,
            },
        }

    def state(self) -> dict[str, Any]:
        """Show every waybill ever made, deleted ones too, so that a test can prove there was no second one."""
        world = self.world
        tables = ("counterparties", "contacts", "addresses", "orders", "scan_sheets")
        shown = {name: [asdict(record) for record in getattr(world, name).values()] for name in tables}
        return {
            "waybills": [_shown(waybill) for waybill in world.waybills.values()],
            **shown,
            "counts": {
                "waybills": len(world.waybills),
                "deleted": sum(waybill.deleted for waybill in world.waybills.values()),
            }
            | {name: len(rows) for name, rows in shown.items()},
            "quirks": asdict(world.quirks),
        }

    # --- the API ------------------------------------------------------------------------------

    def _api(self) -> Response:
        asked = _read_call()
        name = f"{asked['model']}.{asked['method']}"
        if self.fault_for(name, "html"):
            return Response(_CHALLENGE, mimetype="text/html")
        with self.lock:
            try:
                body = self._answer(name, asked).envelope()
            except Refusal as refusal:
                body = self._bent(refusal).envelope()
        return Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")

    def _answer(self, name: str, asked: dict[str, Any]) -> Answer:
        if not asked["understood"]:
            raise refuse("20000100014")
        self._raise_armed(name)
        self._count(asked["key"])
        found = METHODS.get(name)
        if found is None:
            unknown = f"Method {asked['model']}General_{asked['method']} not found"
            raise Refusal([unknown], [])  # the text of a live answer; its code was not shown
        self._check_key(asked["key"], found)
        if self.fault_for(name, "empty_data"):
            return Answer([])
        self.world.key_given = bool(asked["key"])
        return found.handler(self.world, asked["props"])

    def _raise_armed(self, name: str) -> None:
        codes = {
            "rate_limit": RATE_LIMIT,
            "auth_fail": "20000200068",
            "key_expired": "20000201204",
            "service_unavailable": "20000100016",
        }
        if fault := self.fault_for(name, *codes, "key_incorrect"):
            raise refuse(codes[fault.kind]) if fault.kind in codes else _key_incorrect()

    def _count(self, key: str) -> None:
        """Refuse a call above the limit of its key within the last second; refused calls do not count."""
        if not self.calls_per_second:
            return
        now = self.clock()
        recent = self.recent.setdefault(key, deque())
        while recent and now - recent[0] >= dt.timedelta(seconds=1):
            recent.popleft()
        if len(recent) >= self.calls_per_second:
            raise refuse(RATE_LIMIT)
        recent.append(now)

    def _check_key(self, key: str, found: Method) -> None:
        if not key:
            if not found.without_key:
                raise refuse("20000200069")
            return
        state = self.world.keys.get(key)
        if state == "expired":
            raise refuse("20000201204")
        if state is None:
            raise refuse("20000200068") if self.world.quirks.wrong_key_has_code else _key_incorrect()

    def _bent(self, refusal: Refusal) -> Refusal:
        """Give a refusal the shape that the quirks ask for."""
        quirks, errors, codes = self.world.quirks, refusal.errors, refusal.codes
        if quirks.no_codes:
            codes = []
        if quirks.errors_as_objects:
            errors, codes = _as_object(errors), _as_object(codes)
        return Refusal(errors, codes)

    # --- print links --------------------------------------------------------------------------

    def _print(self, rest: str) -> Response:
        """Answer a small PDF or page for known waybills; a wrong key gets the cabinet's login page."""
        path = f"/orders/{rest}"
        with self.lock:
            key = re.search(r"/apiKey/([^/]+)", path)
            if not _PRINT.match(path) or not key or self.world.keys.get(key.group(1)) != "active":
                return Response("<html><body>Вхід до кабінету</body></html>", mimetype="text/html")
            wanted = _printed_names(path)
            found = [one for name in wanted if (one := self.world.waybill(name))]
            if not found or len(found) < len(wanted):
                return Response("<html><body>Документи не знайдено</body></html>", mimetype="text/html")
            for waybill in found:
                waybill.printed = True
        numbers = ", ".join(waybill.number for waybill in found)
        if re.search(r"/type/html\d*", path):
            return Response(f"<html><body>{numbers}</body></html>", mimetype="text/html")
        return Response(_PDF + numbers.encode() + b"\n%%EOF\n", mimetype="application/pdf")

    # --- controls -----------------------------------------------------------------------------

    def _make_parcel(self) -> Response:
        with self.lock:
            return jsonify(_shown(make_by_hand(self.world, request.get_json(force=True, silent=True) or {})))

    def _move_parcel(self, number: str) -> Any:
        body = request.get_json(force=True)
        with self.lock:
            waybill = self.world.by_number(number)
            if waybill is None:
                return jsonify(error=f"no parcel {number}"), 404
            at = read_moment(body["at"]) if body.get("at") else self.world.now()
            set_status(self.world, waybill, str(body["code"]), at, str(body.get("text") or ""))
            return jsonify(_shown(waybill))

    def _switch_quirks(self) -> Any:
        with self.lock:
            try:
                self.world.quirks = replace(self.world.quirks, **request.get_json(force=True))
            except TypeError as unknown:
                return jsonify(error=str(unknown)), 400
            return jsonify(asdict(self.world.quirks))


def _read_call() -> dict[str, Any]:
    """Read the request's envelope once; the Content-Type says nothing, one client sends text/plain."""
    if "asked" not in g:
        g.asked = _parse_call(request.get_data(cache=True))
    asked: dict[str, Any] = g.asked
    return asked


def _parse_call(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    understood = isinstance(body, dict)
    body = body if isinstance(body, dict) else {}
    props: Props | Any = body.get("methodProperties")
    return {
        "understood": understood,
        "key": str(body.get("apiKey") or "").strip(),
        "model": str(body.get("modelName") or "").removesuffix("General"),
        "method": str(body.get("calledMethod") or ""),
        "props": props if isinstance(props, dict) else {},
    }


def _key_incorrect() -> Refusal:
    return Refusal(["API key incorrect"], [])


def _as_object(messages: list[Any] | dict[str, Any]) -> dict[str, Any]:
    return messages if isinstance(messages, dict) else {str(index): one for index, one in enumerate(messages)}


def _printed_names(path: str) -> list[str]:
    """Read both forms: orders[]/<a>/orders[]/<b> and orders/<a>,<b>."""
    names = re.findall(r"/orders(?:\[\])?/([0-9a-fA-F,-]+)(?=/|$)", path)
    return [name for joined in names for name in joined.split(",") if name]


def _shown(waybill: Waybill) -> dict[str, Any]:
    return {
        "number": waybill.number,
        "ref": waybill.ref,
        "status": waybill.status,
        "status_text": waybill.status_text or status_text(waybill.status),
        "client_barcode": waybill.get("InfoRegClientBarcodes"),
        "phone": waybill.get("RecipientsPhone"),
        "sender_phone": waybill.get("SendersPhone"),
        "declared": waybill.get("Cost"),
        "cod": waybill.transfer,
        "payment_control": waybill.get("AfterpaymentOnGoodsCost"),
        "city": waybill.get("CityRecipient"),
        "address": waybill.get("RecipientAddress"),
        "cost": waybill.cost,
        "by_hand": waybill.by_hand,
        "deleted": waybill.deleted,
        "printed": waybill.printed,
        "owner_number": waybill.owner_number,
        "basis_number": waybill.basis_number,
        "history": waybill.history,
    }
