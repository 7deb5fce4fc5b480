"""Fields of leads, deals, contacts and companies: types, names in crm.item.*, user fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

FM_TYPES = ("PHONE", "EMAIL", "WEB", "IM", "LINK")

_ADDRESS = (
    "ADDRESS ADDRESS_2 ADDRESS_CITY ADDRESS_POSTAL_CODE ADDRESS_REGION ADDRESS_PROVINCE ADDRESS_COUNTRY"
    " ADDRESS_COUNTRY_CODE ADDRESS_LOC_ADDR_ID:ref"
)
_UTM = "UTM_SOURCE UTM_MEDIUM UTM_CAMPAIGN UTM_CONTENT UTM_TERM"
_TRAIL = "!LAST_ACTIVITY_BY:user !LAST_ACTIVITY_TIME:datetime"
_WHO = "ASSIGNED_BY_ID:user !CREATED_BY_ID:user !MODIFY_BY_ID:user"
_WHEN = "!DATE_CREATE:datetime !DATE_MODIFY:datetime"
_MOVED = "!MOVED_BY_ID:user !MOVED_TIME:datetime"
_ORIGIN = "ORIGINATOR_ID ORIGIN_ID"
_HAS = "!HAS_PHONE:flag !HAS_EMAIL:flag !HAS_IMOL:flag"

#: `!` = read-only, `:type` = not a string; in the order the portal shows them
_LAYOUT = {
    "lead": f"""!ID:id TITLE HONORIFIC:status NAME SECOND_NAME LAST_NAME COMPANY_TITLE COMPANY_ID:ref
        CONTACT_ID:ref !IS_RETURN_CUSTOMER:flag BIRTHDATE:date SOURCE_ID:status SOURCE_DESCRIPTION
        STATUS_ID:status STATUS_DESCRIPTION POST COMMENTS CURRENCY_ID OPPORTUNITY:amount
        IS_MANUAL_OPPORTUNITY:flag {_HAS} {_WHO} {_WHEN} !DATE_CLOSED:datetime !STATUS_SEMANTIC_ID OPENED:flag
        {_ORIGIN} {_MOVED} {_ADDRESS} {_UTM} {_TRAIL}""",
    "deal": f"""!ID:id TITLE TYPE_ID:status STAGE_ID:status PROBABILITY:integer CURRENCY_ID OPPORTUNITY:amount
        IS_MANUAL_OPPORTUNITY:flag TAX_VALUE:amount LEAD_ID:ref COMPANY_ID:ref CONTACT_ID:ref QUOTE_ID:ref
        BEGINDATE:date CLOSEDATE:date {_WHO} {_WHEN} OPENED:flag !CLOSED:flag COMMENTS ADDITIONAL_INFO LOCATION_ID
        CATEGORY_ID:integer !STAGE_SEMANTIC_ID !IS_NEW:flag !IS_RECURRING:flag IS_RETURN_CUSTOMER:flag
        IS_REPEATED_APPROACH:flag SOURCE_ID:status SOURCE_DESCRIPTION {_ORIGIN} {_MOVED}
        !LAST_ACTIVITY_TIME:datetime {_UTM} !LAST_ACTIVITY_BY:user""",
    "contact": f"""!ID:id POST COMMENTS HONORIFIC:status NAME SECOND_NAME LAST_NAME PHOTO:file LEAD_ID:ref
        TYPE_ID:status SOURCE_ID:status SOURCE_DESCRIPTION COMPANY_ID:ref BIRTHDATE:date EXPORT:flag {_HAS}
        {_WHEN} {_WHO} OPENED:flag {_ORIGIN} ORIGIN_VERSION !FACE_ID:ref !LAST_ACTIVITY_TIME:datetime {_ADDRESS}
        {_UTM} !LAST_ACTIVITY_BY:user""",
    "company": f"""!ID:id COMPANY_TYPE:status TITLE LOGO:file LEAD_ID:ref {_HAS} {_WHO} BANKING_DETAILS
        INDUSTRY:status REVENUE:double CURRENCY_ID EMPLOYEES:status COMMENTS {_WHEN} OPENED:flag IS_MY_COMPANY:flag
        {_ORIGIN} ORIGIN_VERSION {_ADDRESS} ADDRESS_LEGAL REG_ADDRESS {_UTM} {_TRAIL}""",
}

TYPE_IDS = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
KINDS = {number: kind for kind, number in TYPE_IDS.items()}
UF_ENTITIES = {f"CRM_{kind.upper()}": kind for kind in TYPE_IDS}

_ITEM_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
}
_DIRECTORIES = {
    ("lead", "STATUS_ID"): "STATUS",
    ("deal", "STAGE_ID"): "DEAL_STAGE",
    ("deal", "TYPE_ID"): "DEAL_TYPE",
    ("contact", "TYPE_ID"): "CONTACT_TYPE",
    ("company", "COMPANY_TYPE"): "COMPANY_TYPE",
    ("company", "INDUSTRY"): "INDUSTRY",
    ("company", "EMPLOYEES"): "EMPLOYEES",
}
_SHARED_DIRECTORIES = {"SOURCE_ID": "SOURCE", "HONORIFIC": "HONORIFIC"}


@dataclass(frozen=True)
class Field:
    """One field; `label` is what an administrator called it, `directory` the list a status value comes from."""

    name: str
    kind: str = "string"
    read_only: bool = False
    multiple: bool = False
    label: str = ""
    directory: str = ""
    items: tuple[tuple[int, str], ...] = ()

    @property
    def is_user(self) -> bool:
        """Tell user fields (UF_CRM_...) from system ones."""
        return self.name.startswith("UF_")

    @property
    def item_name(self) -> str:
        """Return the name this field has in crm.item.*."""
        return item_name(self.name)


def item_name(name: str) -> str:
    """Turn a field's name into the one of crm.item.*: `UF_CRM_1742556744977` keeps `_` before the digits."""
    if name in _ITEM_NAMES:
        return _ITEM_NAMES[name]
    first, *rest = name.lower().split("_")
    camel = first + "".join(part.capitalize() for part in rest)
    return re.sub(r"^(ufCrm\D*)(\d)", r"\1_\2", camel) if name.startswith("UF_") else camel


def _parse(kind: str, word: str) -> Field:
    name, _, type_name = word.lstrip("!").partition(":")
    directory = _DIRECTORIES.get((kind, name)) or _SHARED_DIRECTORIES.get(name, "")
    return Field(name, type_name or "string", word.startswith("!"), directory=directory)


SYSTEM_FIELDS: dict[str, dict[str, Field]] = {
    kind: {field.name: field for field in (_parse(kind, word) for word in layout.split())}
    for kind, layout in _LAYOUT.items()
}

_SHOWN_TYPES = {
    "id": "integer",
    "ref": "integer",
    "amount": "double",
    "flag": "char",
    "status": "crm_status",
}
_REFS = {
    "COMPANY_ID": "crm_company",
    "CONTACT_ID": "crm_contact",
    "LEAD_ID": "crm_lead",
    "QUOTE_ID": "crm_quote",
    "CATEGORY_ID": "crm_category",
    "CURRENCY_ID": "crm_currency",
}
_REQUIRED = {("company", "TITLE")}


def describe(kind: str, field: Field) -> dict[str, Any]:
    """Return a field's row in `crm.deal.fields`."""
    shown = {
        "type": _REFS.get(field.name) or _SHOWN_TYPES.get(field.kind, field.kind),
        "isRequired": (kind, field.name) in _REQUIRED,
        "isReadOnly": field.read_only,
        "isImmutable": False,
        "isMultiple": field.multiple,
        "isDynamic": field.is_user,
    }
    if field.directory:
        shown["statusType"] = field.directory
    if field.items:
        shown["items"] = [{"ID": str(number), "VALUE": text} for number, text in field.items]
    shown["title"] = field.name if field.is_user else field.name.replace("_", " ").capitalize()
    if field.is_user:
        shown |= {"listLabel": field.label, "formLabel": field.label, "filterLabel": field.label}
    return shown


def describe_multifield(name: str) -> dict[str, Any]:
    """Return the row of PHONE, EMAIL and their like."""
    return {
        "type": "crm_multifield",
        "isRequired": False,
        "isReadOnly": False,
        "isImmutable": False,
        "isMultiple": True,
        "isDynamic": False,
        "title": name.capitalize(),
    }
