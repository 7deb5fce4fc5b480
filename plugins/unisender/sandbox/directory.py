"""Methods of the classic API: lists, fields, tags."""

from __future__ import annotations

from typing import Any

from plugins.unisender.sandbox.world import Params, World, wrong


def get_lists(world: World, given: Params) -> Any:
    """All lists."""
    return [{"id": row["id"], "title": row["title"]} for row in world.lists.values()]


def create_list(world: World, given: Params) -> Any:
    """A list; its title must be new."""
    title = str(given.get("title") or "")
    if not title or any(row["title"] == title for row in world.lists.values()):
        raise wrong("title", "A list of this title exists already" if title else "This value should not be blank.")
    id_ = next(world.ids)
    world.lists[str(id_)] = {"id": id_, "title": title, "confirmation": True}
    return {"id": id_}


def update_list(world: World, given: Params) -> Any:
    """Another title."""
    [list_id] = world.known_lists(given.get("list_id"), "list_id")
    world.lists[list_id]["title"] = str(given.get("title") or world.lists[list_id]["title"])
    return []


def delete_list(world: World, given: Params) -> Any:
    """Gone, and out of all contacts."""
    [list_id] = world.known_lists(given.get("list_id"), "list_id")
    del world.lists[list_id]
    for contact in world.contacts:
        contact.lists.pop(list_id, None)
    return []


def get_fields(world: World, given: Params) -> Any:
    """All fields."""
    return list(world.fields.values())


def create_field(world: World, given: Params) -> Any:
    """A field; its name must be new and latin."""
    name, kind = str(given.get("name") or ""), str(given.get("type") or "")
    if not name.isascii() or not name.replace("_", "a").isalnum():
        raise wrong("name", "Latin letters, digits and _ only")
    if kind not in ("string", "text", "number", "date", "bool"):
        raise wrong("type", "The value you selected is not a valid choice.")
    if any(row["name"] == name for row in world.fields.values()):
        raise wrong("name", "A field of this name exists already")
    id_ = next(world.ids)
    world.fields[str(id_)] = {
        "id": id_,
        "name": name,
        "type": kind,
        "public_name": str(given.get("public_name") or name),
    }
    return {"id": id_}


def update_field(world: World, given: Params) -> Any:
    """Another name."""
    row = world.fields.get(str(given.get("id")))
    if row is None:
        raise wrong("id", "There is no such field")
    row["name"] = str(given.get("name") or row["name"])
    return {"id": row["id"]}


def _delete(table: str) -> Any:
    def act(world: World, given: Params) -> Any:
        rows: dict[str, Any] = getattr(world, table)
        if str(given.get("id")) not in rows:
            raise wrong("id", "There is no such id")
        del rows[str(given["id"])]
        return []

    return act


def get_tags(world: World, given: Params) -> Any:
    """All tags."""
    return list(world.tags.values())


METHODS = {
    "getLists": get_lists, "createList": create_list, "updateList": update_list, "deleteList": delete_list,
    "getFields": get_fields, "createField": create_field, "updateField": update_field,
    "deleteField": _delete("fields"), "getTags": get_tags, "deleteTag": _delete("tags"),
}  # fmt: skip
