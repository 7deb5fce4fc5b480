"""ScanSheet.*: registries of waybills handed over together.

`success: true` may hide failures here: insertDocuments puts them in data[0].Errors, the others in data[].Error.
"""

from __future__ import annotations

from typing import Any

from plugins.novaposhta.sandbox.envelope import Answer, Props, method, refs, refuse, text
from plugins.novaposhta.sandbox.world import KYIV, NOWHERE, ScanSheet, World


@method("ScanSheet.insertDocuments")
def insert_documents(world: World, props: Props) -> Answer:
    """Put waybills (by Ref) into a registry, a new one unless Ref names it; what failed is inside data."""
    wanted = refs(props, "DocumentRefs")
    if not wanted:
        raise refuse("20000200565")
    given = text(props, "Ref")
    if given and given not in world.scan_sheets:
        return Answer([_outcome(None, props, [{"Error": "Реєстр не знайдений", "Number": NOWHERE}])])
    good = [ref for ref in wanted if (one := world.waybills.get(ref)) and not one.deleted and one.status == "1"]
    errors = [{"Error": "Документ не знайдено", "Number": ref} for ref in wanted if ref not in good]
    if not good:
        return Answer([_outcome(None, props, errors)])
    sheet = world.scan_sheets.get(given) or _new_sheet(world)
    for ref in good:
        world.waybills[ref].scan_sheet = sheet.ref
        sheet.documents.append(ref)
    if errors:
        return Answer([_outcome(sheet, props, errors)])
    return Answer([{"Ref": sheet.ref, "Number": sheet.number, "Date": _date(sheet, props)}])


def _new_sheet(world: World) -> ScanSheet:
    sheet = ScanSheet(world.new_ref(), world.new_order_number("105"), world.now())
    world.scan_sheets[sheet.ref] = sheet
    return sheet


def _outcome(sheet: ScanSheet | None, props: Props, errors: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "Ref": sheet.ref if sheet else "",
        "Number": sheet.number if sheet else "",
        "Date": _date(sheet, props) if sheet else "",
        "Description": "",
        "Errors": errors,
        "Success": [],
        "Warnings": [],
        "Data": {"Errors": [], "Success": [], "Warnings": []},
    }


def _date(sheet: ScanSheet, props: Props) -> str:
    return text(props, "Date") or f"{sheet.created:%d.%m.%Y}"


@method("ScanSheet.getScanSheetList")
def get_list(world: World, _props: Props) -> Answer:
    """List the registries; their dates are ISO with an offset."""
    return Answer(
        [
            {"Ref": sheet.ref, "Number": sheet.number, "DateTime": sheet.created.isoformat(), "Printed": "0"}
            for sheet in world.scan_sheets.values()
        ]
    )


@method("ScanSheet.getScanSheet")
def get_one(world: World, props: Props) -> Answer:
    """Show one registry."""
    sheet = world.scan_sheets.get(text(props, "Ref"))
    if sheet is None:
        raise refuse("20001300961")
    first = world.waybills[sheet.documents[0]] if sheet.documents else None
    return Answer(
        [
            {
                "Ref": sheet.ref,
                "Number": sheet.number,
                "DateTime": sheet.created.astimezone(KYIV).isoformat(),
                "Count": str(len(sheet.documents)),
                "CitySenderRef": first.get("CitySender") if first else "",
                "CitySender": "Київ",
                "SenderAddressRef": first.get("SenderAddress") if first else "",
                "SenderAddress": world.place_text(first.get("SenderAddress")) if first else "",
                "SenderRef": first.get("Sender") if first else "",
                "Sender": "Приватна особа",
            }
        ]
    )


@method("ScanSheet.removeDocuments")
def remove_documents(world: World, props: Props) -> Answer:
    """Take waybills out of their registry; a row without Error is one that went out."""
    rows = []
    for ref in refs(props, "DocumentRefs"):
        waybill = world.waybills.get(ref)
        sheet = world.scan_sheets.get(waybill.scan_sheet) if waybill else None
        if waybill and sheet:
            sheet.documents.remove(ref)
            waybill.scan_sheet = ""
        rows.append(
            {
                "Ref": ref,
                "Number": waybill.number if waybill else "",
                "Error": "" if sheet else "Document is invalid",
            }
        )
    return Answer(rows)


@method("ScanSheet.deleteScanSheet")
def delete_sheet(world: World, props: Props) -> Answer:
    """Dissolve registries; their waybills stay."""
    rows = []
    for ref in refs(props, "ScanSheetRefs"):
        sheet = world.scan_sheets.pop(ref, None)
        for document in sheet.documents if sheet else ():
            world.waybills[document].scan_sheet = ""
        rows.append(
            {"Ref": ref, "Number": sheet.number if sheet else "", "Error": "" if sheet else "ScanSheet is invalid"}
        )
    return Answer(rows)
