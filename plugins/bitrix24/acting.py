"""Acting: each action's few calls, in order, with what makes a repetition harmless."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done
from plugins.bitrix24 import codes, outgoing, records
from plugins.bitrix24.client import Client
from plugins.bitrix24.items import Items
from plugins.bitrix24.reading import Reading
from plugins.bitrix24.search import Search

#: how far before the event a first try may have written (clocks differ)
_SLACK = dt.timedelta(minutes=5)
#: a to-do needs a deadline; an attached one is due after this
_TODO_WITHIN = dt.timedelta(days=1)


class Acting:
    """What the hub does in one portal."""

    def __init__(
        self, client: Client, search: Search, reading: Reading, portal: str, region: str, user: str = ""
    ) -> None:
        self._client, self._search, self._reading = client, search, reading
        self._portal, self._region, self._user = portal, region, user

    def perform(self, action: Action) -> Done:
        """Do it. The core has turned `upsert` into `create` or `update`."""
        outgoing.refuse_empty(action, self._user)
        if action.record in codes.ENTITIES:
            crm: dict[str, Callable[[Action], Done]] = {
                "create": self._create, "update": self._update, "set_stage": self._set_stage, "find": self._find,
                "list": self._list, "delete": self._delete, "convert": self._convert,
                "set_products": self._set_products, "products": self._products,
            }  # fmt: skip
            if (act := crm.get(action.verb)) is not None:
                return act(action)
        if action.record == "item":
            return Items(self._client, self._portal, self._user).perform(action)
        others: dict[str, Callable[[Action], Done]] = {
            "comment.create": self._comment, "todo.create": self._todo, "activity.create": self._activity,
            "task.create": self._create_task, "task.update": self._update_task, "task.complete": self._complete_task,
            "task.list": self._list, "task.find": self._find, "user.find": self._find, "notify.send": self._notify,
            "comment.list": self._list, "field.list": self._fields,
            "api": self._api, "api.call": self._api,
        }  # fmt: skip
        do = others.get(action.name) or others.get(f"{action.record}.{action.verb}")
        if do is None:
            raise Refused(f"plugin bitrix24 has no action {action.name}")
        return do(action)

    # --- leads, deals, contacts, companies -----------------------------------------------------------

    def _create(self, action: Action) -> Done:
        fields = outgoing.creation(action, self._user, self._region)
        number = self._add(action.record, fields, action.quiet)
        return outgoing.made(action.record, number, fields, self._portal, self._region)

    def _add(self, kind: str, fields: Mapping[str, Any], quiet: bool = False) -> str:
        return outgoing.new_id(self._client.call(f"crm.{kind}.add", {"fields": fields, **_params(quiet)}))

    def _update(self, action: Action) -> Done:
        """Read, then write only what differs. What the person said of themselves fills what `people.fill` allows.

        That holds for a value of the route's `set` too if it only repeats the person's; constants and texts of the
        administrator's own are written as they stand, and so is what an event about a contact itself tells: a name that
        was looked up is to replace what stood in for it.
        """
        kind = action.record
        current = self._reading.raw(kind, self._target(action))
        wanted = outgoing.fields(kind, action.values, self._region)
        said: dict[str, Any] = {}
        if kind in ("contact", "lead") and action.person:
            theirs = outgoing.typed(action.person)
            said = outgoing.contact_values(action.person, self._region) if kind == "contact" else {}
            said = {name: given for name, given in said.items() if name not in wanted}
            if action.event is None or action.event.kind != "contact":
                said |= {name: given for name, given in wanted.items() if outgoing.as_typed(given) in theirs}
        willed = {name: given for name, given in wanted.items() if name not in said}
        only_empties = action.fill != "newest"
        wrote = outgoing.changes(kind, said, current, self._region, only_empties)
        wrote |= outgoing.changes(kind, willed, current, self._region, exact=action.exact)
        return self._write(kind, current, wrote, action.quiet)

    def _write(self, kind: str, current: Mapping[str, Any], wrote: Mapping[str, Any], quiet: bool = False) -> Done:
        number = str(current["ID"])
        if wrote:
            try:
                self._client.call(f"crm.{kind}.update", {"ID": number, "fields": wrote, **_params(quiet)})
            except Refused as error:
                raise self._reading.gone_or(error, kind, number) from None
        done = outgoing.changed(kind, current, wrote, self._portal, self._region)
        if appended := set(wrote) & set(codes.MULTIFIELDS):
            # values get their ids from the portal; only read back do they tell our own echo from news
            after = self._reading.raw(kind, number)
            done.written |= {name: after.get(name) for name in appended}
            done.result = records.neutral(kind, after, self._portal, self._region)
        return done

    def _set_stage(self, action: Action) -> Done:
        """Move a lead or deal; into another pipeline together with CATEGORY_ID."""
        kind = action.record
        current = self._reading.raw(kind, self._target(action))
        more = {name: given for name, given in action.values.items() if name != "stage"}
        wanted = {**outgoing.fields(kind, more), **outgoing.stage_change(kind, action.values)}
        return self._write(kind, current, outgoing.changes(kind, wanted, current, self._region))

    def _delete(self, action: Action) -> Done:
        number = self._target(action)
        try:
            self._client.call(f"crm.{action.record}.delete", {"ID": number})
        except Refused as error:
            again = self._reading.gone_or(error, action.record, number)
            if not (isinstance(again, Gone) and action.in_doubt_since is not None):
                raise again from None
        return Done({"id": number}, number)

    def _find(self, action: Action) -> Done:
        found = self._search.find(action.record, action.find or action.values, limit=1)
        return Done(found[0], str(found[0]["id"])) if found else Done()

    def _list(self, action: Action) -> Done:
        rows = self._search.find(action.record, action.find or action.values, limit=action.limit or 500)
        return Done({"rows": rows, "count": len(rows)})

    def _set_products(self, action: Action) -> Done:
        """Replace the product rows. https://apidocs.bitrix24.ru/api-reference/crm/deals/crm-deal-productrows-set.html"""
        number, rows = self._target(action), action.values.get("rows")
        if not isinstance(rows, list):
            raise Refused("set_products needs `rows`, a list of PRODUCT_NAME, PRICE, QUANTITY", {"rows": "not a list"})
        self._client.call(f"crm.{action.record}.productrows.set", {"id": number, "rows": rows})
        return Done({"id": number, "goods": records.goods(rows)}, number)

    def _products(self, action: Action) -> Done:
        """Read the product rows. https://apidocs.bitrix24.ru/api-reference/crm/deals/crm-deal-productrows-get.html"""
        number = self._target(action)
        try:
            rows = records.goods(self._client.call(f"crm.{action.record}.productrows.get", {"id": number}))
        except Refused as error:
            raise self._reading.gone_or(error, action.record, number) from None
        return Done({"rows": rows, "count": len(rows)}, number)

    def _fields(self, action: Action) -> Done:
        """List the user fields of a kind of record, with the ids of their values.

        https://apidocs.bitrix24.ru/api-reference/crm/deals/user-defined-fields/crm-deal-userfield-list.html; labels
        come only when a language is asked for.
        """
        kind = str(action.values.get("record") or action.find.get("record") or "").lower()
        if kind not in codes.ENTITIES:
            raise Refused(f"field.list needs `record`: {', '.join(codes.ENTITIES)}", {"record": "not one of them"})
        asked = {"order": {"SORT": "ASC"}, "filter": {"LANG": str(action.values.get("language") or "ru")}}
        rows = [records.user_field(row) for row in self._client.call(f"crm.{kind}.userfield.list", asked) or []]
        return Done({"rows": rows, "count": len(rows)})

    def _convert(self, action: Action) -> Done:
        """Make a contact and a deal of a lead and mark it converted. The result is the deal, the id the lead's.

        Each part is looked for by our marker first, so the whole may be repeated. The vendor has no method for
        it: the three writes are what its own conversion does.
        """
        number = self._target(action)
        lead = self._reading.raw("lead", number)
        made = self._converted_before(lead, action.marker)
        bound = str(lead.get("CONTACT_ID") or "0")
        contact = action.contact or (bound if bound != "0" else "") or made["contact"]
        if not contact:
            contact = self._add("contact", outgoing.contact_of_lead(lead, action, self._user, self._region))
        deal_fields = outgoing.deal_of_lead(lead, contact, action, self._user)
        deal = made["deal"] or self._add("deal", deal_fields)
        marks = {"STATUS_ID": "CONVERTED"} | ({"CONTACT_ID": contact} if bound == "0" else {})
        done = self._write("lead", lead, outgoing.changes("lead", marks, lead, self._region))
        done.result = outgoing.made("deal", deal, deal_fields, self._portal, self._region).result
        done.links = [("contact", contact), ("deal", deal)]
        return done

    def _converted_before(self, lead: Mapping[str, Any], marker: str) -> dict[str, str]:
        """Return the ids of the contact and the deal that an earlier try (or a colleague) has made of this lead."""
        ours = {"ORIGINATOR_ID": codes.ORIGINATOR, "ORIGIN_ID": marker}
        asked: dict[str, tuple[str, Mapping[str, Any]]] = {}
        if marker:
            for kind in ("contact", "deal"):
                asked[kind] = (f"crm.{kind}.list", {"filter": ours, "select": ["ID"], "start": -1})
        if lead.get("STATUS_ID") == "CONVERTED":
            of_lead = {"LEAD_ID": str(lead["ID"])}
            asked["of_lead"] = ("crm.deal.list", {"filter": of_lead, "select": ["ID"], "start": -1})
        if not asked:
            return {"contact": "", "deal": ""}
        batch = self._client.batch(asked)
        first = {name: next((str(row["ID"]) for row in batch.take(name) or []), "") for name in asked}
        return {"contact": first.get("contact", ""), "deal": first.get("deal") or first.get("of_lead", "")}

    @staticmethod
    def _target(action: Action) -> str:
        number = str(action.id or "")
        if not number:
            raise Refused(f"{action.name} needs a record: give `find`")
        return number

    # --- timeline, to-dos, tasks, notifications --------------------------------------------------------

    def _comment(self, action: Action) -> Done:
        fields = outgoing.comment(action.values)
        since = self._since(action) if action.in_doubt_since is not None else None
        return self.add_comment(str(fields["ENTITY_TYPE"]), str(fields["ENTITY_ID"]), fields, since)

    def add_comment(self, kind: str, number: str, fields: Mapping[str, Any], since: dt.datetime | None) -> Done:
        """Write into a record's timeline; when `since` is given, look for the same text written since first.

        A comment has no field for a marker, so a repetition is told by its record, its text and its time.
        """
        if since is not None:
            by = {"ENTITY_TYPE": kind, "ENTITY_ID": number, "text": fields["COMMENT"], "since": since}
            if found := self._search.find("comment", by, limit=1):
                return Done(found[0], str(found[0]["id"]))
        made = outgoing.new_id(self._client.call("crm.timeline.comment.add", {"fields": fields}))
        return Done({"id": made, "text": str(fields["COMMENT"]), kind: number}, made)

    def _todo(self, action: Action) -> Done:
        return self.add_todo(
            outgoing.todo(action.values, self._user), self._since(action) if action.in_doubt_since is not None else None
        )

    def add_todo(self, params: Mapping[str, Any], since: dt.datetime | None) -> Done:
        """Add a to-do. https://apidocs.bitrix24.ru/api-reference/crm/timeline/activities/todo/crm-activity-todo-add.html"""
        kind = codes.BY_TYPE_ID.get(str(params["ownerTypeId"]), "")
        if since is not None:
            by = {"OWNER_TYPE_ID": params["ownerTypeId"], "OWNER_ID": params["ownerId"], "since": since}
            title = str(params.get("title") or "")
            text = str(params.get("description") or "")
            for found in self._search.find("activity", by):
                if (found.get("title") or "", found.get("text") or "") == (title, text):
                    return Done(found, str(found["id"]))
        made = outgoing.new_id(self._client.call("crm.activity.todo.add", params), "id")
        result = {"id": made, "title": params.get("title"), "deadline": params.get("deadline")}
        return Done({**result, **({kind: str(params["ownerId"])} if kind else {})}, made)

    def _activity(self, action: Action) -> Done:
        fields = outgoing.activity(action, self._user)
        made = outgoing.new_id(self._client.call("crm.activity.add", {"fields": fields}))
        return Done(records.activity({"ID": made, **fields}), made)

    def _create_task(self, action: Action) -> Done:
        fields = outgoing.task(action.values, self._user)
        if action.in_doubt_since is not None:
            links = fields.get("UF_CRM_TASK")
            by = {"title": fields.get("TITLE"), "since": self._since(action)} | (
                {"UF_CRM_TASK": links} if links else {}
            )
            if found := self._search.find("task", by, limit=1):
                return Done(found[0], str(found[0]["id"]))
        result = self._client.call("tasks.task.add", {"fields": fields})
        made = outgoing.new_id(result, "task", "id")
        return Done(records.task({"ufCrmTask": fields.get("UF_CRM_TASK"), **result["task"]}, self._portal), made)

    def _update_task(self, action: Action) -> Done:
        number, fields = self._task_id(action), outgoing.task(action.values)
        result = self._on_task("tasks.task.update", {"taskId": number, "fields": fields})
        row = result.get("task") if isinstance(result, Mapping) else None
        task = records.task(row, self._portal) if isinstance(row, Mapping) else {}
        return Done({**task, "id": number}, number, written=fields)

    def _complete_task(self, action: Action) -> Done:
        number = self._task_id(action)
        self._on_task("tasks.task.complete", {"taskId": number})
        return Done({"id": number, "done": True}, number)

    def _on_task(self, method: str, params: Mapping[str, Any]) -> Any:
        try:
            return self._client.call(method, params)
        except Refused as error:
            raise self._reading.gone_or(error, "task", str(params["taskId"])) from None

    def _task_id(self, action: Action) -> str:
        return str(action.values.get("id") or self._target(action))

    def _notify(self, action: Action) -> Done:
        """Tell an employee. https://apidocs.bitrix24.ru/api-reference/chats/notifications/im-notify-system-add.html"""
        values = {name.upper(): given for name, given in action.values.items()}
        if not values.get("USER_ID") and self._user:
            values["USER_ID"] = self._user
        made = outgoing.new_id(self._client.call("im.notify.system.add", values))
        return Done({"id": made}, made)

    def _api(self, action: Action) -> Done:
        """Call any method with the values as they stand; its `result` is the step's result."""
        if not action.method:
            raise Refused("api needs `method`")
        params = {name: outgoing.value(name, given) for name, given in action.values.items()}
        result = self._client.call(action.method, params)
        if isinstance(result, Mapping):
            return Done(dict(result), str(result.get("id") or result.get("ID") or ""))
        if isinstance(result, list):
            return Done({"rows": result, "count": len(result)})
        number = str(result) if isinstance(result, (int, str)) and not isinstance(result, bool) else ""
        return Done({"id": number, "value": result}, number)

    # --- joining to what is there ------------------------------------------------------------------------

    def attach(
        self, record: str, number: str, how: str, text: str, since: dt.datetime | None, now: dt.datetime
    ) -> Done:
        """Join a text to a record: `comment` and `note` go into its timeline, `task` and `activity` become to-dos."""
        if record not in codes.ENTITIES:
            raise Refused(f"plugin bitrix24 can't attach to a {record}")
        if how in ("comment", "note"):
            fields = {"ENTITY_TYPE": record, "ENTITY_ID": number, "COMMENT": text}
            return self.add_comment(record, number, fields, since)
        if how not in ("task", "activity"):
            raise Refused(f"plugin bitrix24 can't attach as {how}")
        title, _, description = text.strip().partition("\n")
        values = {
            "ownerTypeId": record,
            "ownerId": number,
            "title": title[:250],
            "description": description,
            "deadline": now + _TODO_WITHIN,
        }
        return self.add_todo(outgoing.todo(values, self._user), since)

    @staticmethod
    def _since(action: Action) -> dt.datetime:
        """Return since when an earlier try of this action may have written."""
        return (action.in_doubt_since or dt.datetime.now(dt.UTC) - dt.timedelta(days=4)) - _SLACK


def _params(quiet: bool) -> dict[str, Any]:
    """Return what keeps a write out of the activity stream and its notifications.

    https://apidocs.bitrix24.ru/api-reference/crm/deals/crm-deal-add.html, `params`
    """
    return {"params": {"REGISTER_SONET_EVENT": "N"}} if quiet else {}
