"""Methods of the classic API: contacts and exports."""

from __future__ import annotations

import uuid
from typing import Any

from hub import normal
from plugins.unisender.sandbox.world import Contact, Fault, Params, World, wrong

#: addresses of offices are turned down by an import
_ROLES = ("info", "sales", "admin", "support", "office", "postmaster", "noreply")
_SYSTEM = frozenset({"email", "phone", "tags", "delete"})


def _mapping(value: Any) -> Params:
    if isinstance(value, list):
        return {str(place): one for place, one in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _listing(value: Any) -> list[Any]:
    return value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []


def _who(world: World, fields: Params) -> Contact | None:
    """Find whom e-mail and phone mean together; two different contacts are refused."""
    email, phone = str(fields.get("email") or ""), str(fields.get("phone") or "")
    by_email, by_phone = world.by("email", email), world.by("phone", phone)
    if by_email and by_phone and by_email is not by_phone:
        raise Fault("invalid_arg", f"Contacts {email} and {phone} already exist but owned by different subscribers")
    return by_email or by_phone


def subscribe(world: World, given: Params) -> Any:
    """Add to lists; `overwrite` 0 fills gaps, 2 writes what is given, 1 drops everything else, other lists too."""
    lists = world.known_lists(given.get("list_ids"))
    if not lists:
        raise wrong("list_ids", "This value should not be blank.")
    fields = _mapping(given.get("fields"))
    email = str(fields.get("email") or "")
    if email and normal.email(email) is None:
        raise wrong("email", "This value is not a valid email address.")
    if not email and not fields.get("phone"):
        raise wrong("fields", "email or phone is required")
    consent = str(given.get("double_optin", "0"))
    if consent not in ("0", "3", "4"):
        raise wrong("double_optin", "The value you selected is not a valid choice.")
    contact = _who(world, fields)
    if consent == "0" and not world.lists[lists[0]]["confirmation"]:
        raise Fault("invalid_arg", f"These list ids={lists[0]} has no confirmation letters")
    asked = consent == "0" or (consent == "4" and (contact is None or contact.status not in ("new", "active")))
    if contact is None:
        contact = Contact(next(world.ids), added_at=world.now())
        world.contacts.append(contact)
    contact.email = email or contact.email
    contact.phone = str(fields.get("phone") or contact.phone)
    own = {name: str(value) for name, value in fields.items() if name not in _SYSTEM}
    _known_fields(world, own)
    mode, tags = str(given.get("overwrite", "0")), [tag for tag in str(given.get("tags") or "").split(",") if tag]
    if mode == "1":
        contact.fields, contact.tags = own, tags
        contact.lists = {id_: status for id_, status in contact.lists.items() if id_ in lists}
    elif mode == "2":
        contact.fields |= own
        contact.tags = tags or contact.tags
    else:
        contact.fields = {**own, **contact.fields}
        contact.tags = sorted({*contact.tags, *tags})
    for id_ in lists:  # who has left a list stays so: only he himself can come back
        contact.lists.setdefault(id_, "activation_requested" if asked else "new")
    if asked:
        contact.status = "activation_requested" if contact.status != "active" else contact.status
        world.invitations.append({"email": contact.email, "list_id": lists[0]})
    else:
        world.moved("subscribe", contact, lists)
    _tag(world, tags)
    return {"person_id": contact.person_id}


def _known_fields(world: World, own: Params) -> None:
    names = {row["name"] for row in world.fields.values()}
    for name in own:
        if name not in names:
            raise wrong("fields", f"There is no field {name}")


def _tag(world: World, tags: list[str]) -> None:
    names = {row["name"] for row in world.tags.values()}
    for tag in tags:
        if tag not in names:
            id_ = next(world.ids)
            world.tags[str(id_)] = {"id": id_, "name": tag}


def import_contacts(world: World, given: Params) -> Any:
    """Write up to 500 rows; those that can't be stand in `log` by their number."""
    columns, rows = [str(one) for one in _listing(given.get("field_names"))], _listing(given.get("data"))
    if not columns or not {"email", "phone"} & set(columns):
        raise wrong("field_names", "email or phone is required")
    if len(rows) > 500:
        raise wrong("data", "No more than 500 contacts are imported in one call")
    done = dict.fromkeys(("total", "inserted", "updated", "deleted", "new_emails", "invalid"), 0)
    log: list[Params] = []
    for place, cells in enumerate(rows):
        row = dict(zip(columns, map(str, _listing(cells)), strict=False))
        done["total"] += 1
        try:
            done[_import_row(world, row, str(given.get("overwrite_lists", "0")) == "1")] += 1
        except Fault as fault:
            done["invalid"] += 1
            log.append({"index": place, "code": fault.code, "message": fault.text})
    done["new_emails"] = done["inserted"]
    return {**done, "log": log}


def _import_row(world: World, row: dict[str, str], overwrite_lists: bool) -> str:
    email = row.get("email", "")
    if email and normal.email(email) is None:
        raise Fault("invalid_email", "Email is not valid")
    if email.partition("@")[0].lower() in _ROLES:
        raise Fault("role_email", "Addresses of this kind are not imported")
    contact = _who(world, row)
    if row.get("delete") == "1":
        if contact is None:
            raise Fault("not_found", "There is no such contact")
        world.contacts.remove(contact)
        return "deleted"
    kind = "updated" if contact is not None else "inserted"
    if contact is None:
        contact = Contact(next(world.ids), added_at=world.now())
        world.contacts.append(contact)
    contact.email, contact.phone = email or contact.email, row.get("phone") or contact.phone
    lists = world.known_lists(row.get("email_list_ids") or row.get("phone_list_ids"))
    if overwrite_lists:
        contact.lists = {id_: status for id_, status in contact.lists.items() if id_ in lists}
    for id_ in lists:
        contact.lists.setdefault(id_, "active")
    if lists:
        world.moved("subscribe", contact, lists)
    own = {
        name: value
        for name, value in row.items()
        if name not in _SYSTEM and not name.startswith(("email_", "phone_"))
    }  # fmt: skip
    _known_fields(world, own)
    contact.fields |= own
    tags = [tag for tag in row.get("tags", "").split(",") if tag]
    contact.tags = sorted({*contact.tags, *tags})
    _tag(world, tags)
    return kind


def _left(world: World, given: Params) -> tuple[Contact, list[str]]:
    kind = str(given.get("contact_type") or "")
    if kind not in ("email", "phone"):
        raise wrong("contact_type", "The value you selected is not a valid choice.")
    contact = world.by(kind, str(given.get("contact") or ""))
    if contact is None:
        raise wrong("contact", "The contact was not found")
    return contact, world.known_lists(given.get("list_ids")) or list(contact.lists)


def unsubscribe(world: World, given: Params) -> Any:
    """Mark as unsubscribed."""
    contact, lists = _left(world, given)
    left = [one for one in lists if one in contact.lists]
    contact.lists |= dict.fromkeys(left, "unsubscribed")
    if left:
        world.moved("unsubscribe", contact, left)
    return []


def exclude(world: World, given: Params) -> Any:
    """Take out of lists."""
    contact, lists = _left(world, given)
    contact.lists = {id_: status for id_, status in contact.lists.items() if id_ not in lists}
    return []


def get_contact(world: World, given: Params) -> Any:
    """Read a contact; lists and fields beside `email`."""
    contact = world.by("email", str(given.get("email") or ""))
    if contact is None:
        raise wrong("email", "The contact was not found")
    result: Params = {
        "email": {
            "email": contact.email,
            "added_at": contact.added_at,
            "status": contact.status,
            "availability": contact.availability,
            "last_send_datetime": None,
            "rating": None,
        }
    }
    if str(given.get("include_lists")) == "1":
        result["lists"] = [
            {"id": int(id_), "status": status, "added_at": contact.added_at} for id_, status in contact.lists.items()
        ]
    if str(given.get("include_fields")) == "1":
        result["fields"] = contact.fields or []
    return result


def is_in_lists(world: World, given: Params) -> Any:
    """Whether a contact is in all (`and`) or any (`or`) of the lists."""
    contact = world.by("email", str(given.get("email") or ""))
    inside = [contact is not None and id_ in contact.lists for id_ in world.known_lists(given.get("list_ids"))]
    return any(inside) if given.get("condition") == "or" else bool(inside) and all(inside)


def contact_count(world: World, given: Params) -> Any:
    """Count the contacts of a list."""
    [list_id] = world.known_lists(given.get("list_id"), "list_id") or [""]
    if not list_id:
        raise wrong("list_id", "This value should not be blank.")
    return {"listId": int(list_id), "searchParams": [], "count": sum(list_id in one.lists for one in world.contacts)}


def total(world: World, given: Params) -> Any:
    """Count all contacts."""
    return {"total": len(world.contacts)}


# --- export ---------------------------------------------------------------------------------------


def export(world: World, given: Params) -> Any:
    """The older export: a page at once."""
    names = [str(one) for one in _listing(given.get("field_names"))] or ["email", "email_status", "Name"]
    offset, limit = int(given.get("offset") or 0), min(int(given.get("limit") or 1000), 1000)
    wanted = world.known_lists(given.get("list_id"), "list_id")
    people = [one for one in world.contacts if not wanted or wanted[0] in one.lists][offset : offset + limit]
    return {"field_names": names, "data": [[_cell(one, name) for name in names] for one in people]}


def _cell(contact: Contact, name: str) -> Any:
    own = {
        "id": contact.person_id, "email": contact.email, "phone": contact.phone, "email_status": contact.status,
        "email_availability": contact.availability, "email_list_ids": ",".join(contact.lists),
        "email_unsubscribed_list_ids": ",".join(i for i, s in contact.lists.items() if s == "unsubscribed"),
        "tags": ",".join(contact.tags),
    }  # fmt: skip
    return own.get(name, contact.fields.get(name, ""))


def csv(world: World) -> str:
    """The file of an export."""
    return "\n".join(["email,email_status", *(f"{one.email},{one.status}" for one in world.contacts)]) + "\n"


def export_async(world: World, given: Params) -> Any:
    """Order a file."""
    if not str(given.get("notify_url") or "").startswith("http"):
        raise wrong("notify_url", "This value is not a valid URL.")
    world.known_lists(given.get("list_id"), "list_id")
    task = str(uuid.UUID(int=next(world.ids), version=4))
    world.tasks[task] = {"task_uuid": task, "status": "new", "notify_url": str(given["notify_url"])}
    return {"task_uuid": task, "status": "new"}


def task_result(world: World, given: Params) -> Any:
    """How far an order is."""
    task = world.tasks.get(str(given.get("task_uuid")))
    if task is None:
        raise wrong("task_uuid", "There is no such task")
    return {name: value for name, value in task.items() if name != "notify_url"}


METHODS = {
    "subscribe": subscribe, "importContacts": import_contacts, "unsubscribe": unsubscribe, "exclude": exclude,
    "getContact": get_contact, "isContactInLists": is_in_lists, "isContactInList": is_in_lists,
    "getContactCount": contact_count, "getTotalContactsCount": total, "exportContacts": export,
    "async/exportContacts": export_async, "async/getTaskResult": task_result,
}  # fmt: skip
