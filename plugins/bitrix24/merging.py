"""Two contacts of one human become one, and are parted again.

crm.entity.mergeBatch deletes the losers and keeps the first
(https://apidocs.bitrix24.ru/api-reference/crm/universal/merge/crm-entity-merge-batch.html). Where fields differ, or we
may not, it answers CONFLICT and does nothing: then a person merges on the portal's own page. Nothing of it can be
undone there, so each loser is kept whole before, with the deals and leads it hung on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Done, Record
from plugins.bitrix24 import codes, multifield, outgoing, records
from plugins.bitrix24.client import Client
from plugins.bitrix24.reading import Reading
from plugins.bitrix24.search import Search

#: what hangs on a contact and must find back to it
_BOUND = ("deal", "lead")
#: so many records of each kind are led back at most; a person with more is one for a human
_MOST = 200
#: fields of a contact that can be written and are its own (crm.contact.add)
_FIELDS = (
    "HONORIFIC", "NAME", "SECOND_NAME", "LAST_NAME", "BIRTHDATE", "TYPE_ID", "SOURCE_ID", "SOURCE_DESCRIPTION", "POST",
    "COMMENTS", "OPENED", "EXPORT", "ASSIGNED_BY_ID", "COMPANY_ID", "ADDRESS", "ADDRESS_2", "ADDRESS_CITY",
    "ADDRESS_POSTAL_CODE", "ADDRESS_REGION", "ADDRESS_PROVINCE", "ADDRESS_COUNTRY",
)  # fmt: skip
_NAMES = ("NAME", "SECOND_NAME", "LAST_NAME")


def _nameless(raw: Mapping[str, Any]) -> bool:
    """Return whether a contact has no name but a phone, an address or a handle that stands in for it."""
    own = {value for field in codes.MULTIFIELDS for value in multifield.values(raw, field)}
    return not raw.get("LAST_NAME") and (not raw.get("NAME") or raw.get("NAME") in own)


class Merging:
    """Merges of one portal."""

    def __init__(self, client: Client, search: Search, reading: Reading, portal: str, region: str) -> None:
        self._client, self._search, self._reading = client, search, reading
        self._portal, self._region = portal, region

    def merge(self, record: str, into: str, ids: Sequence[str]) -> Done:
        """Merge into `into`; an id that is gone already was merged by an earlier try."""
        if record not in codes.ENTITIES:
            raise Refused(f"plugin bitrix24 can't merge {record} records")
        survivor = self._reading.raw(record, into)
        there = {number: raw for number in ids if (raw := self._raw(record, number)) is not None}
        kept = [self._kept(record, number, raw, survivor) for number, raw in there.items()]
        if there:
            self._name_the_nameless(record, into, survivor, there)
            asked = {"entityTypeId": codes.ENTITIES[record].type_id, "entityIds": [int(into), *map(int, there)]}
            answer = self._client.call("crm.entity.mergeBatch", {"params": asked}, changes=True)
            self._judge(record, into, list(there), answer)
        after = self._reading.raw(record, into)
        done = Done({"id": into, "kept": kept, "lost": list(ids)}, into)
        names = [name for name in after if name not in codes.VOLATILE and after[name] != survivor.get(name)]
        done.written = {name: after[name] for name in names}
        done.before = {name: survivor.get(name) for name in names}
        return done

    def _name_the_nameless(
        self, record: str, into: str, survivor: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]]
    ) -> None:  # fmt: skip
        """Give whoever is only called by their phone or address the other's name: that difference is no conflict."""
        known = dict(survivor)
        for number, raw in there.items():
            names = {name: raw.get(name) for name in _NAMES if raw.get(name)}
            if _nameless(known) and names and not _nameless(raw):
                self._client.call(f"crm.{record}.update", {"ID": into, "fields": names})
                known |= names
            elif _nameless(raw) and not _nameless(known):
                own = {name: known.get(name) or "" for name in _NAMES}
                self._client.call(f"crm.{record}.update", {"ID": number, "fields": own})

    def _judge(self, record: str, into: str, ids: Sequence[str], answer: Any) -> None:
        status = answer.get("STATUS") if isinstance(answer, Mapping) else None
        if status == "SUCCESS":
            return
        page = f"{self._portal}/crm/{record}/merge/?id={','.join([into, *ids])}"
        if status == "CONFLICT":
            raise Refused(
                f"the portal leaves this merge to a person, since fields differ or our user may not: {page} "
                "(afterwards drop this delivery)",
                vendor_code="CONFLICT",
            )
        raise Refused(f"the portal could not merge {record} {', '.join(ids)} into {into}: {page}", vendor_code="ERROR")

    def _raw(self, record: str, number: str) -> dict[str, Any] | None:
        try:
            return self._reading.raw(record, number)
        except Gone:
            return None

    def _kept(self, record: str, number: str, raw: Mapping[str, Any], survivor: Mapping[str, Any]) -> Record:
        """Return what brings a loser back: its fields, what it hung on, and what the survivor has of it alone."""
        kept: Record = {"id": number, "raw": self._writable(raw), "bound": {}, "added": {}, "filled": {}}
        for kind in _BOUND if record == "contact" else ():
            rows = self._search.rows(kind, {"contact": number}, _MOST, ["ID"])
            kept["bound"][kind] = {str(row["ID"]): self._contacts(kind, str(row["ID"])) for row in rows}
        for name in codes.MULTIFIELDS:
            theirs = set(multifield.values(survivor, name))
            if added := [value for value in multifield.values(raw, name) if value not in theirs]:
                kept["added"][name] = added
        for name, value in kept["raw"].items():
            if name not in codes.MULTIFIELDS and (not survivor.get(name) or (name in _NAMES and _nameless(survivor))):
                kept["filled"][name] = {"value": value, "before": survivor.get(name) or ""}
        return kept

    @staticmethod
    def _writable(raw: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: value for name, value in raw.items() if name in _FIELDS or name.startswith(("UF_", "UTM_"))}
        out = {name: value for name, value in own.items() if value not in (None, "", [], False)}
        for name in codes.MULTIFIELDS:
            if rows := [row for row in raw.get(name) or () if isinstance(row, Mapping) and row.get("VALUE")]:
                out[name] = [{"VALUE": row["VALUE"], "VALUE_TYPE": row.get("VALUE_TYPE") or "WORK"} for row in rows]
        return out

    def _contacts(self, kind: str, number: str) -> list[str]:
        items = self._client.call(f"crm.{kind}.contact.items.get", {"id": number}, changes=False)
        return [str(item["CONTACT_ID"]) for item in items or ()]

    # --- parting -------------------------------------------------------------------------------------

    def unmerge(self, record: str, into: str, kept: Sequence[Record], marker: str) -> Done:
        """Make each loser again and give it back what hung on it; the survivor gives up what it had of it."""
        if record != "contact":
            raise Refused(f"plugin bitrix24 can't undo a merge of {record} records")
        restored: dict[str, str] = {}
        done = Done({"id": into}, into)
        for one in kept:
            number = self._made_again(one, f"{marker}-{one['id']}")
            restored[str(one["id"])] = number
            self._bind_again(one, number)
            self._give_up(done, into, one)
        done.result["restored"] = restored
        return done

    def _made_again(self, one: Record, marker: str) -> str:
        """Return the contact's new id; one that an earlier try has made is found by its marker."""
        if found := self._search.rows("contact", {"marker": marker}, 1, ["ID"]):
            return str(found[0]["ID"])
        fields = dict(one.get("raw") or outgoing.contact_values(one.get("person") or {}, self._region))
        fields |= {"ORIGINATOR_ID": codes.ORIGINATOR, "ORIGIN_ID": marker}
        return outgoing.new_id(self._client.call("crm.contact.add", {"fields": fields}))

    def _bind_again(self, one: Record, number: str) -> None:
        """Hang deals and leads on the contacts they hung on; those that are gone are left alone."""
        for kind, bound in (one.get("bound") or {}).items():
            for owner, contacts in bound.items():
                wanted = [number if contact == str(one["id"]) else contact for contact in contacts]
                items = [
                    {"CONTACT_ID": int(contact), "SORT": (place + 1) * 10, "IS_PRIMARY": "N" if place else "Y"}
                    for place, contact in enumerate(dict.fromkeys(wanted))
                ]
                try:
                    self._client.call(f"crm.{kind}.contact.items.set", {"id": owner, "items": items}, changes=True)
                except Refused as error:
                    if not isinstance(self._reading.gone_or(error, kind, owner), Gone):
                        raise

    def _give_up(self, done: Done, into: str, one: Record) -> None:
        """Take from the survivor what it got from the loser, as far as nobody changed it since."""
        try:
            current = self._reading.raw("contact", into)
        except Gone:
            return
        wrote: dict[str, Any] = {}
        for name, values in (one.get("added") or {}).items():
            rows = [row for row in current.get(name) or () if row.get("VALUE") in values]
            if rows:
                wrote[name] = [{"ID": row["ID"], "DELETE": "Y"} for row in rows]
        for name, given in (one.get("filled") or {}).items():
            if current.get(name) and outgoing.same(name, given["value"], current.get(name)):
                wrote[name] = given["before"]
        if not wrote:
            return
        self._client.call("crm.contact.update", {"ID": into, "fields": wrote})
        after = self._reading.raw("contact", into)
        done.before = {**{name: current.get(name) for name in wrote}, **done.before}
        done.written |= {name: after.get(name) for name in wrote}
        done.result |= records.neutral("contact", after, self._portal, self._region)
