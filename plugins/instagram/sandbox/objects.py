"""The objects of the stand-in: who one is, chats, messages, people, comments, posts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from plugins.instagram.sandbox.world import Chat, World, stamp
from plugins.meta.sandbox import Call, GraphError

if TYPE_CHECKING:
    from plugins.instagram.sandbox import InstagramSandbox

#: messages of a conversation that have details; older ones count as deleted
NEWEST = 20
_TOP = re.compile(r"([\w.]+)(?:\(([^)]*)\))?(?:\{([^{}]*)\})?(?:,|$)")


def fields_of(call: Call) -> dict[str, tuple[str, str]]:
    """Return the wanted fields: name -> (argument in brackets, names inside)."""
    return {name: (argument, inside) for name, argument, inside in _TOP.findall(str(call.params.get("fields", "")))}


def account(stand: InstagramSandbox, call: Call, me: str) -> dict[str, Any]:
    """Answer GET /me."""
    world, wanted = stand.world, fields_of(call)
    own = world.accounts[me]
    for name, (argument, _) in wanted.items():
        if name == "mentioned_comment.comment_id":
            return {
                "mentioned_comment": {"id": argument, "text": f"@{own['username']} look", "timestamp": stamp(0)},
                "id": me,
            }
        if name == "mentioned_media.media_id":
            media = {"id": argument, "caption": f"with @{own['username']}", "username": "somebody.fake"}
            return {"mentioned_media": media, "id": me}
    if call.kind == "user":
        if "instagram_business_account" in wanted:
            raise GraphError(100, "(#100) Tried accessing nonexisting field (instagram_business_account)")
        return {"id": "500000000000001", "name": "Fake Person"}
    if stand.login.tagged:
        page = {"id": own["page"], "name": own["name"]}
        linked = {"instagram_business_account": {"id": me}} if "instagram_business_account" in wanted else {}
        return {**page, **linked}
    id = own["app_scoped"] if call.path[0] == "me" else call.path[0]
    known = {"id": id, "user_id": me, "username": own["username"], "name": own["name"]}
    return {"id": known["id"], **{name: known[name] for name in wanted if name in known}}


def pages(stand: InstagramSandbox, me: str) -> dict[str, Any]:
    """Answer GET /me/accounts: the Pages of whoever logged in."""
    rows = [
        {"id": own["page"], "name": own["name"], "access_token": stand.issue(id, "page", None),
         "instagram_business_account": {"id": id}}
        for id, own in stand.world.accounts.items()
        if id == me
    ]  # fmt: skip
    return {"data": rows}


def conversations(world: World, me: str, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GET /me/conversations, newest first."""
    if params.get("platform") != "instagram":
        raise GraphError(100, "(#100) Param platform must be instagram")
    person = str(params.get("user_id") or "")
    found = [chat for (account, _), chat in world.chats.items() if account == me and person in ("", chat.person)]
    rows = [{"id": chat.id, "updated_time": stamp(chat.messages[-1]["at"])} for chat in found if chat.messages]
    return {"data": sorted(rows, key=lambda row: row["updated_time"], reverse=True)}


def answer(world: World, call: Call, me: str) -> Any:
    """Answer a call about one object."""
    id, edge = call.path[0], call.path[1] if len(call.path) > 1 else ""
    if (chat := next((one for one in world.chats.values() if one.id == id and one.account == me), None)) is not None:
        return _conversation(world, call, chat)
    if (found := world.message(id)) is not None and found[0].account == me:
        return _message(world, *found)
    if id in world.people:
        return _person(world, call, me, id)
    if id in world.comments:
        return _comment(world, call, me, id, edge)
    if id in world.media and world.media[id]["owner"] == me:
        return _media(world, call, id, edge)
    raise GraphError(
        100,
        f"Unsupported {call.method.lower()} request. Object with ID '{id}' does not exist",
        33,
        "GraphMethodException",
    )


def _conversation(world: World, call: Call, chat: Chat) -> dict[str, Any]:
    _, inside = fields_of(call).get("messages", ("", ""))
    rows: list[dict[str, Any]] = []
    for row in reversed(chat.messages):
        brief = {"id": row["id"], "created_time": stamp(row["at"])}
        rows.append({**brief, **_message(world, chat, row)} if "from" in inside and len(rows) < NEWEST else brief)
    return {"messages": {"data": rows}, "id": chat.id}


def _message(world: World, chat: Chat, row: dict[str, Any]) -> dict[str, Any]:
    if row not in chat.messages[-NEWEST:]:
        raise GraphError(100, "(#100) The message has been deleted", 33, "GraphMethodException")
    return {
        "id": row["id"],
        "created_time": stamp(row["at"]),
        "from": {"username": world.person_name(row["from"]), "id": row["from"]},
        "to": {"data": [{"username": world.person_name(row["to"]), "id": row["to"]}]},
        "message": row.get("text", ""),
    }


def _person(world: World, call: Call, me: str, id: str) -> dict[str, Any]:
    chat = world.chats.get((me, id))
    if chat is None or not any(row["from"] == id for row in chat.messages):
        raise GraphError(230, "(#230) User consent is required to access user profile", type="IGApiException")
    known = {
        **world.people[id], "profile_pic": "https://scontent.cdninstagram.com/fake.jpg", "is_verified_user": False,
        "follower_count": 1, "is_user_follow_business": False, "is_business_follow_user": False,
    }  # fmt: skip
    return {**{name: known[name] for name in fields_of(call) if name in known}, "id": id}


def _comment(world: World, call: Call, me: str, id: str, edge: str) -> Any:
    row = world.comments[id]
    if world.media[row["media"]]["owner"] != me:
        raise GraphError(100, f"Object with ID '{id}' does not exist", 33, "GraphMethodException")
    replies = [one for one in world.comments.values() if one["parent"] == id]
    shown = [{"id": one["id"], "text": one["text"], "timestamp": stamp(one["at"])} for one in replies]
    match (call.method, edge):
        case ("GET", "replies"):
            return {"data": shown}
        case ("POST", "replies"):
            said = str(call.params.get("message") or "")
            if not said:
                raise GraphError(100, "(#100) The parameter message is required")
            if row["hidden"]:
                raise GraphError(100, "(#100) A hidden comment can't be replied to")
            made = world.number("178")
            top = row["parent"] or id
            world.comments[made] = {**row, "id": made, "from": me, "text": said, "parent": top,
                                    "at": world.clock().timestamp(), "hidden": False}  # fmt: skip
            return {"id": made, "told": world.comments[made]}
        case ("DELETE", ""):
            del world.comments[id]
            return {"success": True}
        case ("POST", "") if "hide" in call.params:
            row["hidden"] = str(call.params["hide"]).lower() == "true"
            return {"success": True}
    known: dict[str, Any] = {
        "from": {"id": row["from"], "username": world.person_name(row["from"])}, "hidden": row["hidden"],
        "like_count": 0, "media": {"id": row["media"]}, "text": row["text"], "timestamp": stamp(row["at"]),
        "username": world.person_name(row["from"]), "replies": {"data": shown},
        **({"parent_id": row["parent"]} if row["parent"] else {}),
    }  # fmt: skip
    return {**{name: known[name] for name in fields_of(call) if name in known}, "id": id}


def _media(world: World, call: Call, id: str, edge: str) -> Any:
    if edge == "comments":
        top = [one for one in world.comments.values() if one["media"] == id and not one["parent"]]
        rows = [_row(world, one) for one in reversed(top)]
        if "replies" in fields_of(call):
            for row in rows:
                below = [_row(world, one) for one in world.comments.values() if one["parent"] == row["id"]]
                row |= {"replies": {"data": below}} if below else {}
        return {"data": rows}
    if call.method == "POST" and "comment_enabled" in call.params:
        world.media[id]["comments_enabled"] = str(call.params["comment_enabled"]).lower() == "true"
        return {"success": True}
    return {"id": id}


def _row(world: World, comment: dict[str, Any]) -> dict[str, Any]:
    name = world.person_name(comment["from"])
    return {"id": comment["id"], "text": comment["text"], "timestamp": stamp(comment["at"]), "username": name,
            "from": {"id": comment["from"], "username": name}}  # fmt: skip


def posts(world: World, call: Call, me: str) -> list[dict[str, Any]]:
    """Answer GET /me/media."""
    counted = "comments_count" in fields_of(call)
    count = {id: sum(one["media"] == id for one in world.comments.values()) for id in world.media}
    mine = [id for id, one in world.media.items() if one["owner"] == me]
    return [{"id": id, **({"comments_count": count[id]} if counted else {})} for id in mine]
