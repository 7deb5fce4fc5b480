"""The address book: counterparties, their contact persons, their doors.

Each: (desk, action) -> Done. Names and phones may stand under our words or the vendor's (`first_name` or FirstName);
any other property of the vendor's goes out verbatim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.errors import Refused
from hub.model import Action, Done
from plugins.novaposhta import outgoing, recipient
from plugins.novaposhta.client import Row
from plugins.novaposhta.desk import Desk
from plugins.novaposhta.directory import GUID
from plugins.novaposhta.services import need

#: our word -> the vendor's
PERSON = {
    "first_name": "FirstName", "last_name": "LastName", "middle_name": "MiddleName", "phone": "Phone", "email": "Email",
}  # fmt: skip
WORDS = ("name", *PERSON)


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values under our words, wherever the vendor's stand for them; ours win."""
    theirs = {word: values[name] for word, name in PERSON.items() if values.get(name)}
    return theirs | {word: given for word, given in values.items() if given and not word[:1].isupper()}


def _rest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the vendor's own properties that aren't a person's name, phone or e-mail."""
    return {name: value for name, value in outgoing.native(values).items() if name not in PERSON.values()}


def _ref(action: Action, what: str, word: str = "ref") -> str:
    """Return the ref of the record an action is about."""
    found = next((one for one in (action.values.get(word), action.find.get(word), action.id) if one), "")
    if not GUID.fullmatch(str(found)):
        raise Refused(f"{action.name} needs `{word}`, the {what}'s ref", {word: "missing"})
    return str(found)


def _listed(rows: Iterable[Row]) -> Done:
    return outgoing.rows(
        {**row, "id": row.get("Ref"), "ref": row.get("Ref"), "name": row.get("Description")} for row in rows
    )


def _saved(row: Row) -> Done:
    ref = str(row.get("Ref") or "")
    return Done(result={"id": ref, "ref": ref, "name": row.get("Description")}, id=ref)


# --- counterparties -----------------------------------------------------------------------------


def counterparty_create(desk: Desk, action: Action) -> Done:
    """Save a private person (`name`, `phone`) or a company (`edrpou`); the same again is the same ref."""
    values = said(action.values)
    outgoing.known(values, (*WORDS, "edrpou"), action.name)
    company = values.get("edrpou") or action.values.get("EDRPOU")
    if company:
        properties = {"CounterpartyType": "Organization", "CounterpartyProperty": "Recipient", "EDRPOU": str(company)}
        return _saved(desk.client.counterparty_save(properties | outgoing.native(action.values)))
    person, problems = recipient.read(values)
    outgoing.refuse("the person can't be saved", problems)
    assert person is not None
    extra = {"Email": str(values["email"])} if values.get("email") else {}
    row = desk.client.counterparty_save(person.properties() | extra | _rest(action.values))
    refs = outgoing.receiver(person, row)
    return Done(result={"ref": refs["Recipient"], "contact": refs["ContactRecipient"]}, id=refs["Recipient"])


def counterparty_list(desk: Desk, action: Action) -> Done:
    """List counterparties: CounterpartyProperty Sender | Recipient | ThirdPerson, FindByString, Page."""
    asked = {"CounterpartyProperty": "Recipient", "Page": "1", **outgoing.native({**action.find, **action.values})}
    return _listed(desk.client.counterparties(asked))


def counterparty_update(desk: Desk, action: Action) -> Done:
    """Change a company: `city` (name or ref), and properties of the vendor's.

    A private person's counterparty is shared by everybody: the vendor says success and changes nothing.
    """
    ref = _ref(action, "counterparty")
    values = {word: given for word, given in action.values.items() if word != "ref"}
    outgoing.known(values, ("city",), action.name)
    properties = {"Ref": ref, "CounterpartyProperty": "Recipient"}
    if values.get("city"):
        properties["CityRef"] = desk.directory.city(desk.client, str(values["city"]), branch_wanted=False).ref
    elif not values.get("CityRef"):
        raise Refused(f"{action.name} needs the company's `city`", {"city": "missing"})
    row = desk.client.counterparty_update(properties | outgoing.native(values))
    if row.get("CounterpartyType") == "PrivatePerson":
        raise Refused(
            "a private person's counterparty can't be changed: change the person with contact.update",
            {"ref": "a private person's"},
        )
    return _saved(row)


def counterparty_delete(desk: Desk, action: Action) -> Done:
    """Delete a company from the address book (`ref`)."""
    ref = _ref(action, "counterparty")
    desk.client.counterparty_delete(ref)
    return Done(result={"ref": ref}, id=ref)


# --- contact persons ----------------------------------------------------------------------------


def contact_create(desk: Desk, action: Action) -> Done:
    """Save a contact person of a counterparty (`counterparty`, `name`, `phone`); the same again is the same ref."""
    values = said(action.values)
    values.setdefault("counterparty", action.values.get("CounterpartyRef"))
    outgoing.known(values, ("counterparty", *WORDS), action.name)
    if not values["counterparty"]:
        need(action, "counterparty")
    person, problems = recipient.read(values)
    outgoing.refuse("the contact can't be saved", problems)
    assert person is not None
    properties = {name: value for name, value in person.properties().items() if name in PERSON.values()}
    properties |= {"Email": str(values["email"])} if values.get("email") else {}
    properties["CounterpartyRef"] = str(values["counterparty"])
    return _saved(desk.client.contact_save(properties | _rest(action.values)))


def contact_list(desk: Desk, action: Action) -> Done:
    """List the people of a counterparty (`counterparty`), those with `phone` or `name` if given."""
    asked = {**action.find, **action.values}
    outgoing.known(asked, ("counterparty", "phone", "name"), action.name)
    owner = str(asked.get("counterparty") or asked.get("Ref") or "")
    if not GUID.fullmatch(owner):
        raise Refused(f"{action.name} needs `counterparty`, whose people they are", {"counterparty": "missing"})
    wanted = recipient.vendor_phone(asked.get("phone")) or str(asked.get("phone") or "")
    name = str(asked.get("name") or "").casefold()
    rows: list[Row] = []
    for page in range(1, 1 + (action.limit or 500) // 100 + 1):
        found = desk.client.contact_persons(owner, page)
        rows += found
        if len(found) < 100:
            break
    fitting = [
        row for row in rows
        if (not wanted or wanted in str(row.get("Phones"))) and name in str(row.get("Description")).casefold()
    ]  # fmt: skip
    return _listed(fitting[: action.limit or 500])


def contact_update(desk: Desk, action: Action) -> Done:
    """Change a contact person (`ref`, or `find`): name, phone, e-mail; what isn't given stays."""
    ref = _ref(action, "contact person")
    values = {word: given for word, given in said(action.values).items() if word != "ref"}
    outgoing.known(values, ("counterparty", *WORDS), action.name)
    properties: dict[str, Any] = {"Ref": ref}
    if values.get("counterparty"):
        properties["CounterpartyRef"] = str(values["counterparty"])
    properties |= recipient.changes(values)
    return _saved(desk.client.contact_update(properties | _rest(action.values)))


def contact_delete(desk: Desk, action: Action) -> Done:
    """Delete a contact person (`ref`)."""
    ref = _ref(action, "contact person")
    desk.client.contact_delete(ref)
    return Done(result={"ref": ref}, id=ref)


# --- doors --------------------------------------------------------------------------------------


def address_create(desk: Desk, action: Action) -> Done:
    """Save a door of a counterparty (`counterparty`, `city`, `street`, `house`, `flat`); the same is the same ref."""
    need(action, "counterparty", "street", "house")
    values = action.values
    street = str(values["street"])
    if not GUID.fullmatch(street):
        need(action, "city")
        city = desk.directory.city(desk.client, str(values["city"]), branch_wanted=False)
        street = desk.directory.street(desk.client, city, street)
    properties = {
        "CounterpartyRef": str(values["counterparty"]),
        "StreetRef": street,
        "BuildingNumber": str(values["house"]),
        "Flat": str(values.get("flat") or ""),
        "Note": str(values.get("note") or ""),
    }
    return _saved(desk.client.address_save(properties | outgoing.native(values)))


def address_list(desk: Desk, action: Action) -> Done:
    """List the saved doors of a counterparty (`counterparty`; the sender's, if none is named)."""
    asked = {**action.find, **action.values}
    outgoing.known(asked, ("counterparty",), action.name)
    sender = str((desk.settings.get("sender") or {}).get("counterparty") or "")
    owner = str(asked.get("counterparty") or asked.get("Ref") or sender)
    if not GUID.fullmatch(owner):
        raise Refused(f"{action.name} needs `counterparty`, whose doors they are", {"counterparty": "missing"})
    role = str(asked.get("CounterpartyProperty") or ("Sender" if owner == sender else "Recipient"))
    return _listed(desk.client.addresses(owner, role))


def address_delete(desk: Desk, action: Action) -> Done:
    """Forget a saved door (`ref`)."""
    ref = _ref(action, "door")
    desk.client.address_delete(ref)
    return Done(result={"ref": ref}, id=ref)
