"""HTTP to the classic API 2.0, nothing else: one envelope, one method per vendor call, refusals as hub errors.

Request: POST {"apiKey", "modelName", "calledMethod", "methodProperties"}. Answer: {"success", "data": [..],
"errors", "errorCodes", ...}, HTTP 200 even for refusals. What a refusal means is decided by `codes.classify`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import marshmallow as ma

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from hub.session import Session
from plugins.novaposhta import codes
from plugins.novaposhta.schemas import Envelope

Row = dict[str, Any]

#: how long to wait after "To many requests": no Retry-After comes with it, clients wait 1-2 s
RATE_PAUSE = 2.0
#: nothing was done, even if the call was a save: the service says it was not there
_NOT_DONE = frozenset(("20000100016", "20001701795"))
#: the record aimed at doesn't exist (any more)
_GONE = frozenset(
    (
        "20000200205", "20000200206",  # InternetDocument not found (by owner)
        "20000300415", "20000300416",  # Document not found (by owner)
        "20000300395", "20000300396",  # AdditionalServiceOrder not found (by owner)
        "20000301849",                 # Express Waybill document not found
        "20001300961",                 # ScanSheet not found
    )
)  # fmt: skip
_GONE_TEXTS = frozenset(codes.error_text(code).lower() for code in _GONE)
_NO_RIGHT = frozenset(("20000200217", "20000300394"))
_PROPERTY = re.compile(r"\b([A-Z][a-z]+(?:[A-Z][A-Za-z]*)+|Sender|Recipient|Weight|Cost|Description|Phone)\b")
_READS = re.compile(r"^(get|search|check)", re.I)


class StaleRef(Refused):
    """The vendor doesn't know a city, branch or settlement ref of ours: read the directories again."""


class Client:
    """The calls of one account."""

    def __init__(self, http: Session, url: str, key: str) -> None:
        self._http, self._url, self._key = http, url, key

    def call(self, model: str, method: str, properties: Mapping[str, Any], changes: bool | None = None) -> list[Row]:
        """Call `model.method` and return `data` as a list of objects.

        changes: whether a lost answer is `Uncertain` (the call may have taken effect) or plain `Retry`; by default
        everything but get..., search... and check... changes something.
        """
        may_change = not _READS.match(method) if changes is None else changes
        body = {"apiKey": self._key, "modelName": model, "calledMethod": method, "methodProperties": dict(properties)}
        answer = self._http.post(self._url, json=body, changes=may_change, scope=f"{model}.{method}")
        if answer.status in (401, 407, 408, 425, 429) or answer.status >= 500 or 300 <= answer.status < 400:
            answer.raise_for_status()
        try:
            envelope: dict[str, Any] = Envelope().load(answer.json())
        except ma.ValidationError:
            reason = f"{model}.{method}: HTTP {answer.status}, not the vendor's envelope: {answer.text[:120]!r}"
            raise (Uncertain(reason) if may_change else Retry(reason)) from None
        rows = envelope["data"] if isinstance(envelope["data"], list) else [envelope["data"]]
        rows = [row for row in rows if isinstance(row, dict)]
        if not envelope["success"]:
            raise refusal(f"{model}.{method}", envelope["errors"], envelope["errorCodes"], may_change)
        if inner := list(_inner_errors(rows)):
            raise Refused(f"{model}.{method}: {'; '.join(inner)}")
        return rows

    # --- tracking -------------------------------------------------------------------------------

    def track(self, documents: list[dict[str, str]]) -> list[Row]:
        """Read up to 100 parcels: [{"DocumentNumber", "Phone"}] -> tracking items."""
        return self.call("TrackingDocument", "getStatusDocuments", {"Documents": documents})

    # --- waybills -------------------------------------------------------------------------------

    def waybill_save(self, properties: Mapping[str, Any]) -> Row:
        """Make a waybill -> {Ref, IntDocNumber, CostOnSite, EstimatedDeliveryDate}. Twice makes two."""
        return _only(self.call("InternetDocument", "save", properties), "InternetDocument.save", Uncertain)

    def waybill_update(self, properties: Mapping[str, Any]) -> Row:
        """Change a waybill (`Ref` and everything save takes) until the parcel is accepted."""
        return _only(self.call("InternetDocument", "update", properties), "InternetDocument.update", Uncertain)

    def waybill_delete(self, refs: list[str]) -> list[Row]:
        """Delete waybills not yet handed over -> [{Ref}]."""
        return self.call("InternetDocument", "delete", {"DocumentRefs": refs})

    def waybill_list(self, first: str, last: str, page: int) -> list[Row]:
        """List a page of the waybills of these days (dd.mm.yyyy), those made by hand too."""
        properties = {"DateTimeFrom": first, "DateTimeTo": last, "GetFullList": "0", "Page": str(page)}
        return self.call("InternetDocument", "getDocumentList", properties)

    def price(self, properties: Mapping[str, Any]) -> Row:
        """Ask what delivery costs -> {AssessedCost, Cost, CostRedelivery, CostPack}."""
        return _only(self.call("InternetDocument", "getDocumentPrice", properties), "getDocumentPrice", Retry)

    def delivery_date(self, properties: Mapping[str, Any]) -> Row:
        """Ask when it would arrive -> {date} or {DeliveryDate: {date}}."""
        return _only(self.call("InternetDocument", "getDocumentDeliveryDate", properties), "delivery date", Retry)

    # --- directories ----------------------------------------------------------------------------

    def settlements(self, name: str, limit: int = 50) -> list[Row]:
        """Find settlements by the beginning of a name -> [{Present, MainDescription, Ref, DeliveryCity, ..}]."""
        return _addresses(self.call("Address", "searchSettlements", {"CityName": name, "Limit": limit, "Page": 1}))

    def streets(self, settlement: str, name: str, limit: int = 50) -> list[Row]:
        """Find streets of a settlement (its settlement ref) -> [{Present, SettlementStreetRef}]."""
        properties = {"StreetName": name, "SettlementRef": settlement, "Limit": limit}
        return _addresses(self.call("Address", "searchSettlementStreets", properties))

    def cities(self, properties: Mapping[str, Any]) -> list[Row]:
        """List cities by Ref, FindByString, Page, Limit -> [{Ref, Description, AreaDescription}]."""
        return self.call("Address", "getCities", properties)

    def warehouses(self, properties: Mapping[str, Any]) -> list[Row]:
        """List branches and postomats by CityRef, WarehouseId (number), Ref, FindByString, Page, Limit (500)."""
        return self.call("Address", "getWarehouses", {"Language": "UA", **properties})

    def address_save(self, properties: Mapping[str, Any]) -> Row:
        """Save a door of a counterparty -> {Ref, Description}; the same door again is the same Ref."""
        return _only(self.call("Address", "save", properties, changes=False), "Address.save", Retry)

    def address_delete(self, ref: str) -> list[Row]:
        """Forget a saved door -> [{Ref}]."""
        return self.call("Address", "delete", {"Ref": ref})

    # --- people ---------------------------------------------------------------------------------

    def counterparty_save(self, properties: Mapping[str, Any]) -> Row:
        """Save a person or company -> {Ref, ContactPerson: envelope}; the same again is the same Ref."""
        return _only(self.call("Counterparty", "save", properties, changes=False), "Counterparty.save", Retry)

    def counterparties(self, properties: Mapping[str, Any]) -> list[Row]:
        """List counterparties by CounterpartyProperty (Sender, Recipient), FindByString, Page."""
        return self.call("Counterparty", "getCounterparties", properties)

    def contact_persons(self, counterparty: str, page: int = 1) -> list[Row]:
        """List the people of a counterparty -> [{Ref, Description, Phones}]."""
        return self.call("Counterparty", "getCounterpartyContactPersons", {"Ref": counterparty, "Page": page})

    def counterparty_update(self, properties: Mapping[str, Any]) -> Row:
        """Change a company (`Ref`, CityRef, ...) -> its row. The same again is the same."""
        return _only(self.call("Counterparty", "update", properties, changes=False), "Counterparty.update", Retry)

    def counterparty_delete(self, ref: str) -> list[Row]:
        """Delete a company -> [{Ref}]."""
        return self.call("Counterparty", "delete", {"Ref": ref})

    def addresses(self, counterparty: str, role: str = "Sender") -> list[Row]:
        """List the saved doors of a counterparty -> [{Ref, Description}]."""
        properties = {"Ref": counterparty, "CounterpartyProperty": role}
        return self.call("Counterparty", "getCounterpartyAddresses", properties)

    def options(self, counterparty: str) -> Row:
        """Ask what a counterparty may do -> {CanAfterpaymentOnGoodsCost, ..}."""
        return _only(self.call("Counterparty", "getCounterpartyOptions", {"Ref": counterparty}), "options", Retry)

    def contact_save(self, properties: Mapping[str, Any]) -> Row:
        """Save a contact person -> {Ref, Description}; the same again is the same Ref."""
        return _only(self.call("ContactPerson", "save", properties, changes=False), "ContactPerson.save", Retry)

    def contact_update(self, properties: Mapping[str, Any]) -> Row:
        """Change a contact person (`Ref`) -> its row. The same again is the same."""
        return _only(self.call("ContactPerson", "update", properties, changes=False), "ContactPerson.update", Retry)

    def contact_delete(self, ref: str) -> list[Row]:
        """Delete a contact person -> [{Ref}]."""
        return self.call("ContactPerson", "delete", {"Ref": ref})

    # --- returns, redirects, changes ------------------------------------------------------------

    def return_addresses(self, number: str) -> list[Row]:
        """Ask whether a return of this parcel is possible -> the addresses it may go to [{Ref, Address}]."""
        return self.call("AdditionalService", "CheckPossibilityCreateReturn", {"Number": number})

    def return_reasons(self) -> list[Row]:
        """List reasons of returns -> [{Ref, Description}]."""
        return self.call("AdditionalService", "getReturnReasons", {})

    def return_subtypes(self, reason: str) -> list[Row]:
        """List the finer reasons under one -> [{Ref, Description}]."""
        return self.call("AdditionalService", "getReturnReasonsSubtypes", {"ReasonRef": reason})

    def order_save(self, properties: Mapping[str, Any]) -> Row:
        """Order a return, redirect or change (`OrderType`) -> {Number "102-..", Ref}."""
        return _only(self.call("AdditionalService", "save", properties), "AdditionalService.save", Uncertain)

    def orders(self, method: str, properties: Mapping[str, Any]) -> list[Row]:
        """List orders: getReturnOrdersList, getRedirectionOrdersList or getChangeEWOrdersList."""
        return self.call("AdditionalService", method, properties)

    def order_delete(self, ref: str) -> list[Row]:
        """Withdraw an order -> [{Number}]."""
        return self.call("AdditionalService", "delete", {"Ref": ref})

    # --- registers (scan sheets) ----------------------------------------------------------------

    def register_insert(self, properties: Mapping[str, Any]) -> Row:
        """Put waybills (DocumentRefs) into a new register, or into `Ref` -> {Ref, Number}."""
        return _only(self.call("ScanSheet", "insertDocuments", properties), "ScanSheet.insertDocuments", Uncertain)

    def registers(self) -> list[Row]:
        """List registers -> [{Ref, Number, DateTime}]."""
        return self.call("ScanSheet", "getScanSheetList", {})

    def register(self, ref: str, counterparty: str) -> Row:
        """Read one register -> {Ref, Number, DateTime, Count, ..}; counterparty: the sender's ref."""
        properties = {"Ref": ref, "CounterpartyRef": counterparty}
        return _only(self.call("ScanSheet", "getScanSheet", properties), "ScanSheet.getScanSheet", Retry)

    def register_remove(self, refs: list[str], register: str) -> list[Row]:
        """Take waybills out of a register."""
        return self.call("ScanSheet", "removeDocuments", {"DocumentRefs": refs, "Ref": register})

    def register_delete(self, refs: list[str]) -> list[Row]:
        """Delete registers; their waybills stay."""
        return self.call("ScanSheet", "deleteScanSheet", {"ScanSheetRefs": refs})

    # --- printing -------------------------------------------------------------------------------

    def print_file(self, url: str) -> bytes:
        """Fetch a printed form; the url holds the key, so it must never be shown or logged."""
        return self._http.get(url.replace("{key}", self._key)).raise_for_status().body


# --- refusals -----------------------------------------------------------------------------------


def refusal(method: str, errors: Any, error_codes: Any, changes: bool) -> HubError:
    """Return the hub error for `success: false`; errors and codes may be lists or objects, not aligned."""
    texts, found = codes.flatten(errors), codes.flatten(error_codes)
    said = "; ".join(texts or [codes.error_text(code) for code in found] or ["refused without a reason"])
    numbers = f" [{', '.join(found)}]" if found else ""
    reason = f"{method}: {said}{numbers}"
    if codes.is_rate_limit(found, texts):
        return RateLimited(reason, RATE_PAUSE)
    kind = codes.classify(found, texts)
    if kind == "auth":
        return AuthFailed(_auth_words(reason, found))
    if kind == "retry":
        return Uncertain(reason) if changes and not _NOT_DONE.intersection(found) else Retry(reason)
    first = found[0] if found else ""
    if kind == "directory":
        return StaleRef(reason, _fields(texts), first)
    if _GONE.intersection(found) or any(text.lower() in _GONE_TEXTS for text in texts):
        return Gone(reason, _fields(texts), first)
    return Refused(reason, _fields(texts), first)


def _auth_words(reason: str, found: list[str]) -> str:
    if _NO_RIGHT.intersection(found):
        return f"Nova Poshta lets this API key not do that ({reason}). Make a key with all rights in the cabinet."
    return (
        f"Nova Poshta does not accept the API key ({reason}). Make a new key in the cabinet "
        "(Settings - Security - API keys) and put it into api_key."
    )


def _fields(texts: Iterable[str]) -> dict[str, str]:
    """Name the property each text is about: "RecipientsPhone invalid format" is about RecipientsPhone."""
    return {match[1]: text for text in texts if (match := _PROPERTY.search(text))}


def _inner_errors(rows: list[Row]) -> Iterator[str]:
    """Yield the errors that hide under `success: true` (registers): data[].Error, .Errors[], .Data.Errors[]."""
    for row in rows:
        nested = row.get("Data")
        for holder in (row, nested if isinstance(nested, dict) else {}):
            for error in (holder.get("Error"), *_list(holder.get("Errors"))):
                if isinstance(error, dict):
                    yield " ".join(part for part in (str(error.get("Error") or ""), _number(error)) if part)
                elif isinstance(error, str) and error:
                    yield error


def _number(error: Row) -> str:
    number = str(error.get("Number") or error.get("Ref") or "")
    return f"({number})" if number.strip("0-") else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- shapes -------------------------------------------------------------------------------------


def _only(rows: list[Row], what: str, missing: type[HubError]) -> Row:
    if not rows:
        raise missing(f"{what}: success, but no data came")
    return rows[0]


def _addresses(rows: list[Row]) -> list[Row]:
    found = rows[0].get("Addresses") if rows else None
    return [row for row in _list(found) if isinstance(row, dict)]
