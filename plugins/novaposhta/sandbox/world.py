"""What the stand-in remembers: waybills, people, orders, registries; and the little arithmetic of the carrier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.envelope import as_number

KYIV = ZoneInfo("Europe/Kyiv")

#: obviously invented, but in the shape of the vendor's (32 hex digits)
API_KEY = "fa4e0000000000000000000000000001"
EXPIRED_KEY = "fa4e000000000000000000000000dead"

SENDER = "5e4de700-0000-4000-8000-000000000001"
SENDER_CONTACT = "5e4de700-0000-4000-8000-000000000002"
SENDER_PHONE = "380500000001"
#: one counterparty of the account stands for all private persons it sends to; each person is a contact of it
PRIVATE_RECIPIENTS = "5e4de700-0000-4000-8000-000000000003"
NOWHERE = "00000000-0000-0000-0000-000000000000"


@dataclass
class Quirks:
    """Ways in which the vendor's answers are known to differ; each can be switched on a running sandbox."""

    #: getDocumentDeliveryDate: {"DeliveryDate": {"date": ...}} instead of {"date": ...}
    nested_delivery_date: bool = False
    #: getDocumentPrice: TzoneInfo, as one client's types say, instead of TZoneInfo
    lower_tzone: bool = False
    #: a wrong key: 20000200068 "API auth fail" of the table instead of the live "API key incorrect" without a code
    wrong_key_has_code: bool = False
    #: every refusal's errors and errorCodes as objects
    errors_as_objects: bool = False
    #: every refusal without its codes
    no_codes: bool = False
    #: the sender has a NovaPay contract, so payment control (AfterpaymentOnGoodsCost) is open to it
    novapay_contract: bool = True


@dataclass
class Waybill:
    """An express waybill; `sent` keeps the properties it was saved with."""

    ref: str
    number: str
    sent: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    cost: int
    eta: dt.date
    status: str = "1"
    status_text: str = ""
    by_hand: bool = False
    deleted: bool = False
    printed: bool = False
    scan_sheet: str = ""
    owner_number: str = ""
    owner_type: str = ""
    basis_number: str = ""
    basis_type: str = ""
    basis_at: dt.datetime | None = None
    scanned: dt.datetime | None = None
    arrived: dt.datetime | None = None
    received: dt.datetime | None = None
    paid_out: dt.datetime | None = None
    failed: dt.datetime | None = None
    history: list[dict[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return one of the saved properties as text."""
        value = self.sent.get(name)
        return "" if value is None else str(value)

    @property
    def transfer(self) -> str:
        """The sum of the money transfer back to the sender, "" without one."""
        for item in self.sent.get("BackwardDeliveryData") or []:
            if item.get("CargoType") == "Money":
                return str(item.get("RedeliveryString", ""))
        return ""

    @property
    def phones(self) -> tuple[str, str]:
        """Whoever knows one of the two sees the whole record."""
        return self.get("SendersPhone"), self.get("RecipientsPhone")


@dataclass
class Counterparty:
    """A company, or the one "Приватна особа" that stands for all private persons of the account."""

    ref: str
    kind: str
    role: str
    description: str
    edrpou: str = ""
    city: str = ""


@dataclass
class Contact:
    """A real person: the contact of a counterparty."""

    ref: str
    counterparty: str
    first_name: str
    last_name: str
    middle_name: str
    phone: str
    email: str = ""

    @property
    def name(self) -> str:
        """Return surname, name, patronymic: the vendor's order."""
        return " ".join(part for part in (self.last_name, self.first_name, self.middle_name) if part)


@dataclass
class SavedAddress:
    """A door of a counterparty."""

    ref: str
    counterparty: str
    street: str
    building: str
    flat: str
    note: str

    @property
    def description(self) -> str:
        """Return it as the vendor words it: "Хрещатик вул. 7 кв. 2 примітка"."""
        flat = f" кв. {self.flat}" if self.flat else ""
        return f"{directory.STREETS[self.street].name} вул. {self.building}{flat} {self.note}".strip()


@dataclass
class Order:
    """An order of AdditionalService: a return, a redirection, or a change of the waybill's data."""

    ref: str
    number: str
    kind: str
    waybill: str
    sent: dict[str, Any]
    created: dt.datetime
    new_waybill: str = ""


@dataclass
class ScanSheet:
    """A registry: waybills handed over together."""

    ref: str
    number: str
    created: dt.datetime
    documents: list[str] = field(default_factory=list)


class World:
    """The records of one account, kept in the sandbox's `data`, and the clock they are dated by."""

    def __init__(self, data: dict[str, Any], clock: Callable[[], dt.datetime], quirks: Quirks) -> None:
        self._clock = clock
        self.quirks = quirks
        self.key_given = True
        self.keys: dict[str, str] = data.setdefault("keys", {API_KEY: "active", EXPIRED_KEY: "expired"})
        self.serial: dict[str, int] = data.setdefault("serial", {})
        self.waybills: dict[str, Waybill] = data.setdefault("waybills", {})
        self.counterparties: dict[str, Counterparty] = data.setdefault("counterparties", {})
        self.contacts: dict[str, Contact] = data.setdefault("contacts", {})
        self.addresses: dict[str, SavedAddress] = data.setdefault("addresses", {})
        self.orders: dict[str, Order] = data.setdefault("orders", {})
        self.scan_sheets: dict[str, ScanSheet] = data.setdefault("scan_sheets", {})
        self._seed_account()

    def _seed_account(self) -> None:
        for ref, role in ((SENDER, "Sender"), (PRIVATE_RECIPIENTS, "Recipient")):
            self.counterparties[ref] = Counterparty(ref, "PrivatePerson", role, "Приватна особа")
        self.contacts[SENDER_CONTACT] = Contact(
            SENDER_CONTACT, SENDER, "Приклад", "Прикладенко", "Прикладович", SENDER_PHONE
        )

    # --- time and numbers -------------------------------------------------------------------

    def now(self) -> dt.datetime:
        """Return the present instant in the vendor's zone; fractions of a second never leave the vendor."""
        return self._clock().astimezone(KYIV).replace(microsecond=0)

    def _next(self, kind: str) -> int:
        self.serial[kind] = self.serial.get(kind, 0) + 1
        return self.serial[kind]

    def new_ref(self) -> str:
        """Return a new GUID."""
        return f"aaaaaaaa-0000-4000-8000-{self._next('ref'):012d}"

    def new_number(self, prefix: str = "2045") -> str:
        """Return a new waybill number: 14 digits."""
        return f"{prefix}{self._next('number'):010d}"

    def new_order_number(self, prefix: str) -> str:
        """Return a new number of an order ("102-...") or of a registry ("105-...")."""
        return f"{prefix}-{self._next(prefix):08d}"

    # --- waybills ---------------------------------------------------------------------------

    def add_waybill(self, sent: dict[str, Any], **known: Any) -> Waybill:
        """Register a waybill as created now."""
        now = self.now()
        waybill = Waybill(
            ref=self.new_ref(),
            number=known.pop("number", "") or self.new_number(),
            sent=sent,
            created=now,
            updated=now,
            cost=price(sent),
            eta=now.date() + days_on_the_way(sent),
            **known,
        )
        waybill.history.append({"code": waybill.status, "at": f"{now:%Y-%m-%d %H:%M:%S}"})
        self.waybills[waybill.ref] = waybill
        return waybill

    def waybill(self, ref_or_number: str) -> Waybill | None:
        """Find a waybill that is not deleted, by either of its names."""
        found = self.by_number(ref_or_number) or self.waybills.get(ref_or_number)
        return found if found and not found.deleted else None

    def by_number(self, number: str) -> Waybill | None:
        """Find a waybill by its number, deleted ones too."""
        return next((waybill for waybill in self.waybills.values() if waybill.number == number), None)

    # --- people -----------------------------------------------------------------------------

    def contact_named(self, counterparty: str, last: str, first: str, middle: str, phone: str) -> Contact | None:
        """Find the same person again: the vendor knows them by names and phone."""
        wanted = (counterparty, last, first, middle, phone)
        for contact in self.contacts.values():
            known = (contact.counterparty, contact.last_name, contact.first_name, contact.middle_name, contact.phone)
            if known == wanted:
                return contact
        return None

    def add_contact(
        self, counterparty: str, last: str, first: str, middle: str, phone: str, email: str = ""
    ) -> Contact:
        """Register a person under a counterparty."""
        contact = Contact(self.new_ref(), counterparty, first, last, middle, phone, email)
        self.contacts[contact.ref] = contact
        return contact

    def place(self, ref: str) -> dict[str, Any] | SavedAddress | None:
        """Return what an address ref of a waybill stands for: a warehouse, or a saved door."""
        return directory.WAREHOUSES.get(ref) or self.addresses.get(ref)

    def place_text(self, ref: str) -> str:
        """Return the words for such a ref."""
        place = self.place(ref)
        if isinstance(place, SavedAddress):
            return place.description
        return str(place["Description"]) if place else ""


def price(sent: dict[str, Any]) -> int:
    """Return a plausible price: 70 UAH, each door 35 more, each kilogram above two 5, half a percent of the value."""
    service = str(sent.get("ServiceType", ""))
    weight = as_number(sent.get("Weight")) or 0
    declared = as_number(sent.get("Cost")) or 0
    seats = as_number(sent.get("SeatsAmount")) or 1
    return round(70 + 35 * service.count("Doors") + 5 * max(0.0, weight - 2) * seats + 0.005 * declared)


def transfer_fee(amount: float) -> int:
    """Return what sending money back costs: 20 UAH and two percent."""
    return round(20 + 0.02 * amount)


def days_on_the_way(sent: dict[str, Any]) -> dt.timedelta:
    """Return a day within one city, two between cities."""
    return dt.timedelta(days=1 if sent.get("CitySender") == sent.get("CityRecipient") else 2)
