"""Counterparty.* and ContactPerson.*: who sends and who receives.

All private persons a sender ships to are contacts of one counterparty "Приватна особа". Saving the same person or
company again returns the Ref it already has, with a warning; for a private-person sender it is an error.
"""

from __future__ import annotations

import re
from typing import Any

from plugins.novaposhta.codes import error_text
from plugins.novaposhta.sandbox.envelope import Answer, Props, Refusal, method, paged, refuse, text
from plugins.novaposhta.sandbox.world import NOWHERE, PRIVATE_RECIPIENTS, SENDER, Contact, Counterparty, World

PHONE = re.compile(r"380\d{9}")
_NAME = re.compile(r"[^\W\d_]+(?:[-'’ʼ ][^\W\d_]+)*")
_EDRPOU = re.compile(r"\d{8}|\d{10}")
_ROLES = ("Sender", "Recipient", "ThirdPerson")

PERSON_EXISTS = "30000801043"
NOT_UNIQUE = "30000900779"
CANNOT_CHANGE = "30000902062"
OWNERSHIP_FORM = "7f0f351d-2519-11df-be9a-000c291af1b3"


# --- Counterparty -----------------------------------------------------------------------------


@method("Counterparty.save")
def save(world: World, props: Props) -> Answer:
    """Register a private person or a company."""
    kind, role = text(props, "CounterpartyType"), text(props, "CounterpartyProperty")
    if kind not in ("PrivatePerson", "Organization"):
        raise refuse("20000100516" if not kind else "20000100515")
    if role not in _ROLES:
        raise refuse("20000100014")
    return _save_company(world, props, role) if kind == "Organization" else _save_person(world, props, role)


def _save_person(world: World, props: Props, role: str) -> Answer:
    """Answer the shared counterparty; the person's own Ref is in the nested envelope of ContactPerson."""
    _check_person(props)
    if role == "Sender":
        raise refuse("20000801543")
    owner = world.counterparties[PRIVATE_RECIPIENTS]
    contact, existed = _find_or_add(world, owner.ref, props)
    nested = Answer([_person(contact)], warnings=[error_text(PERSON_EXISTS)] if existed else []).envelope()
    row = _counterparty(owner, contact) | {"ContactPerson": _with_translations(nested)}
    return Answer([row])


def _save_company(world: World, props: Props, role: str) -> Answer:
    """Find a company by its EDRPOU; the two errors without one come with a single code, under the key "1"."""
    edrpou = text(props, "EDRPOU")
    if not edrpou:
        errors = ["EDRPOU can't be empty for Organization", error_text("20000900759")]
        raise Refusal(errors, {"1": "20000900759"})
    if not _EDRPOU.fullmatch(edrpou):
        raise refuse("20000200164")
    if role == "ThirdPerson" and not text(props, "CityRef"):
        raise refuse("20000900767")
    known = next((one for one in world.counterparties.values() if (one.edrpou, one.role) == (edrpou, role)), None)
    company = known or Counterparty(
        world.new_ref(),
        "Organization",
        role,
        text(props, "CompanyName") or f"Компанія {edrpou}",
        edrpou,
        text(props, "CityRef"),
    )
    world.counterparties[company.ref] = company
    row = _counterparty(company)
    if role == "ThirdPerson":
        row["ContactPerson"] = _with_translations(Answer([], info={"totalCount": 0}).envelope())
    if known:
        key = "DuplicateValidate"
        return Answer([row], warnings={key: error_text(NOT_UNIQUE)}, warning_codes={key: NOT_UNIQUE})
    return Answer([row])


@method("Counterparty.update")
def update(world: World, props: Props) -> Answer:
    """Change a company; of a private person nothing changes but the answer says success, with a warning."""
    known = _known_counterparty(world, props)
    if not text(props, "CityRef"):
        raise refuse("20000900767")
    if known.kind == "PrivatePerson":
        return Answer([_counterparty(known)], warnings=[error_text(CANNOT_CHANGE)], warning_codes=[CANNOT_CHANGE])
    known.city = text(props, "CityRef")
    known.description = text(props, "CompanyName") or text(props, "FirstName") or known.description
    return Answer([_counterparty(known)])


@method("Counterparty.delete")
def delete(world: World, props: Props) -> Answer:
    """Delete a company; the account's own private-person counterparties stay."""
    known = _known_counterparty(world, props)
    if known.kind == "PrivatePerson":
        raise refuse("20000400480")
    del world.counterparties[known.ref]
    return Answer([{"Ref": known.ref}])


@method("Counterparty.getCounterparties")
def get_counterparties(world: World, props: Props) -> Answer:
    """List the account's counterparties of one role, 100 a page."""
    role = text(props, "CounterpartyProperty") or "Sender"
    wanted = text(props, "FindByString").lower()
    rows = [
        _listed_counterparty(one, _only_contact(world, one))
        for one in world.counterparties.values()
        if one.role == role and wanted in one.description.lower()
    ]
    return paged(rows, props, limit=100)


def _only_contact(world: World, one: Counterparty) -> Contact | None:
    if one.role != "Sender":
        return None
    return next((contact for contact in world.contacts.values() if contact.counterparty == one.ref), None)


def _listed_counterparty(one: Counterparty, contact: Contact | None) -> dict[str, Any]:
    row = _counterparty(one, contact)
    return {
        "Description": row["Description"],
        "Ref": one.ref,
        "City": NOWHERE,  # the vendor's City here is no ref to build on
        "Counterparty": None,
        "FirstName": row["FirstName"],
        "LastName": row["LastName"],
        "MiddleName": row["MiddleName"],
        "OwnershipFormRef": row["OwnershipForm"],
        "OwnershipFormDescription": row["OwnershipFormDescription"],
        "EDRPOU": one.edrpou,
        "CounterpartyType": one.kind,
        "CounterpartyFullName": "",
    }


@method("Counterparty.getCounterpartyContactPersons")
def get_contact_persons(world: World, props: Props) -> Answer:
    """List the people of a counterparty, 100 a page."""
    known = _known_counterparty(world, props)
    rows = [
        {
            "Description": contact.name,
            "Phones": contact.phone,
            "Email": contact.email,
            "Ref": contact.ref,
            "LastName": contact.last_name,
            "FirstName": contact.first_name,
            "MiddleName": contact.middle_name,
        }
        for contact in world.contacts.values()
        if contact.counterparty == known.ref
    ]
    return paged(rows, props, limit=100)


@method("Counterparty.getCounterpartyAddresses")
def get_counterparty_addresses(world: World, props: Props) -> Answer:
    """List the saved doors of a counterparty."""
    known = _known_counterparty(world, props)
    rows = [
        {
            "Ref": door.ref,
            "Description": door.description,
            "StreetRef": door.street,
            "BuildingDescription": door.building,
        }
        for door in world.addresses.values()
        if door.counterparty == known.ref
    ]
    return Answer(rows)


@method("Counterparty.getCounterpartyOptions")
def get_counterparty_options(world: World, props: Props) -> Answer:
    """Tell what the account may do; payment control needs CanAfterpaymentOnGoodsCost."""
    known = _known_counterparty(world, props)
    own = known.ref == SENDER
    return Answer(
        [
            {
                "AddressDocumentDelivery": own,
                "AfterpaymentType": own,
                "CanAfterpaymentOnGoodsCost": own and world.quirks.novapay_contract,
                "CanCreditDocuments": False,
                "CanEWTransporter": False,
                "CanForwardingService": False,
                "CanNonCashPayment": own,
                "CanPayTheThirdPerson": own,
                "CanSameDayDelivery": False,
                "CanSignedDocuments": False,
                "CustomerReturn": own,
                "DayCustomerReturn": own,
                "DeliveryByHand": False,
                "FillingWarranty": False,
                "HideDeliveryCost": False,
                "LoyaltyProgram": False,
                "SecurePayment": own,
                "TransferPricingConditions": False,
            }
        ]
    )


def _known_counterparty(world: World, props: Props) -> Counterparty:
    ref = text(props, "Ref")
    if not ref:
        raise refuse("20000900752")
    if ref not in world.counterparties:
        raise refuse("20000400480")
    return world.counterparties[ref]


def _counterparty(one: Counterparty, contact: Contact | None = None) -> dict[str, Any]:
    company = one.kind == "Organization"
    return {
        "Ref": one.ref,
        "Description": one.description,
        "FirstName": contact.first_name if contact else "",
        "MiddleName": contact.middle_name if contact else "",
        "LastName": contact.last_name if contact else "",
        "Counterparty": "",
        "OwnershipForm": OWNERSHIP_FORM if company else "",
        "OwnershipFormDescription": "ТОВ" if company else "",
        "EDRPOU": one.edrpou,
        "CounterpartyType": one.kind,
    }


def _with_translations(nested: dict[str, Any]) -> dict[str, Any]:
    """Put `translatedErrors` after `errors`: only nested envelopes have it."""
    members: dict[str, Any] = {}
    for name, value in nested.items():
        members[name] = value
        if name == "errors":
            members["translatedErrors"] = []
    return members


# --- ContactPerson ----------------------------------------------------------------------------


@method("ContactPerson.save")
def save_contact(world: World, props: Props) -> Answer:
    """Add a person to a counterparty; a private-person sender has its one person already."""
    owner = _owner(world, props)
    if (owner.role, owner.kind) == ("Sender", "PrivatePerson"):
        raise refuse("20000801543")
    _check_person(props)
    contact, existed = _find_or_add(world, owner.ref, props)
    row = _person(contact) | {"Phones": contact.phone, "Email": contact.email or None}
    if existed:
        return Answer([row], warnings=[error_text(PERSON_EXISTS)], warning_codes=[PERSON_EXISTS])
    return Answer([row])


@method("ContactPerson.update")
def update_contact(world: World, props: Props) -> Answer:
    """Change a person; members that are absent stay."""
    contact = _known_contact(world, props)
    if world.counterparties[contact.counterparty].role == "Sender":
        raise refuse("20000801416")
    changes = {
        "first_name": "FirstName",
        "last_name": "LastName",
        "middle_name": "MiddleName",
        "phone": "Phone",
        "email": "Email",
    }
    for attribute, member in changes.items():
        if value := text(props, member):
            setattr(contact, attribute, value)
    return Answer([_person(contact) | {"Phones": contact.phone, "AdditionalPhone": "", "Email": contact.email}])


@method("ContactPerson.delete")
def delete_contact(world: World, props: Props) -> Answer:
    """Forget a person."""
    contact = _known_contact(world, props)
    del world.contacts[contact.ref]
    return Answer([{"Ref": contact.ref}])


def _owner(world: World, props: Props) -> Counterparty:
    ref = text(props, "CounterpartyRef")
    if not ref:
        raise refuse("20000800728")
    if ref not in world.counterparties:
        raise refuse("20000400454")
    return world.counterparties[ref]


def _known_contact(world: World, props: Props) -> Contact:
    ref = text(props, "Ref")
    if ref not in world.contacts:
        raise refuse("20000400480")
    return world.contacts[ref]


def _person(contact: Contact) -> dict[str, Any]:
    return {
        "Ref": contact.ref,
        "Description": contact.name,
        "LastName": contact.last_name,
        "FirstName": contact.first_name,
        "MiddleName": contact.middle_name,
    }


def _check_person(props: Props) -> None:
    """Names are letters, surname and name required; the phone is 380 and nine digits."""
    codes = []
    for member, absent, bad in (
        ("FirstName", "20000100527", "20000100526"),
        ("LastName", "20000100533", "20000100532"),
    ):
        value = text(props, member)
        if not value:
            codes.append(absent)
        elif not _NAME.fullmatch(value):
            codes.append(bad)
    middle = text(props, "MiddleName")
    if middle and not _NAME.fullmatch(middle):
        codes.append("20000900763")
    phone = text(props, "Phone")
    if not PHONE.fullmatch(phone):
        codes.append("20000100552" if phone else "20000100556")
    if codes:
        raise refuse(*codes)


def _find_or_add(world: World, owner: str, props: Props) -> tuple[Contact, bool]:
    names = (text(props, "LastName"), text(props, "FirstName"), text(props, "MiddleName"), text(props, "Phone"))
    known = world.contact_named(owner, *names)
    return (known, True) if known else (world.add_contact(owner, *names, text(props, "Email")), False)
