"""Methods of Unisender Go."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests

from hub import normal
from plugins.unisender.message import ENGINES, LANGUAGES
from plugins.unisender.sandbox.world import Fault, Hook, Params, World
from plugins.unisender.schemas import GO_STATUSES
from plugins.unisender.transactional import CAUSES

_FORMATS = ("json_post", "json_post_gzip", "json_post_compressed")


def _no(text: str, status: int = 400) -> Fault:
    return Fault("", text, status)


def send(world: World, body: Params) -> Params:
    """Take a letter; addresses refused at once are named, and all of them refused is a success too."""
    message = body.get("message")
    if not isinstance(message, dict):
        raise _no("Property 'message' is required")
    recipients = message.get("recipients")
    if not isinstance(recipients, list) or not recipients:
        raise _no("Property 'message.recipients' should be a non-empty array")
    addresses = [str(one.get("email") or "") if isinstance(one, dict) else "" for one in recipients]
    if len(set(addresses)) > 500:
        raise _no("No more than 500 recipients")
    _letter(world, message)
    taken: list[str] = []
    failed: dict[str, str] = {}
    for email in addresses:
        reason = world.suppressed.get(email.lower()) or ("" if normal.email(email) else "invalid")
        if email in taken:
            failed[email] = "duplicate"
        elif reason:
            failed[email] = reason
        else:
            taken.append(email)
    number = next(world.ids)
    job = f"1s{number:x}-00{number % 100000:05d}-Go"
    common = message.get("global_metadata") or {}
    metadata = {
        one["email"]: {**common, **(one.get("metadata") or {})} for one in recipients if isinstance(one, dict)
    }  # fmt: skip
    world.jobs[job] = {"emails": taken, "message": message, "metadata": metadata}
    return {"job_id": job, "emails": taken, **({"failed_emails": failed} if failed else {})}


def _letter(world: World, message: Params) -> None:
    template = message.get("template_id")
    if template and template not in {row["id"] for row in world.templates}:
        raise _no(f"Template {template} was not found")
    text = message.get("body")
    if not template and not (isinstance(text, dict) and (text.get("html") or text.get("plaintext"))):
        raise _no("Property 'message.body' is required")
    if not template and not message.get("subject"):
        raise _no("Property 'message.subject' is required")
    if not template and normal.email(str(message.get("from_email") or "")) is None:
        raise _no("Property 'message.from_email' should be a valid email")
    if message.get("template_engine", "simple") not in ENGINES:
        raise _no("Property 'message.template_engine' is unknown")
    if message.get("global_language", "ru") not in LANGUAGES:
        raise _no("Property 'message.global_language' is unknown")
    for one in message["recipients"]:
        substitutions = one.get("substitutions") if isinstance(one, dict) else None
        if isinstance(substitutions, dict) and len(str(substitutions.get("to_name", ""))) > 78:
            raise _no("Substitution 'to_name' is longer than 78 characters")


def subscribe(world: World, body: Params) -> Params:
    """The letter that asks somebody to come back."""
    for name in ("from_email", "from_name", "to_email"):
        if not body.get(name):
            raise _no(f"Property '{name}' is required")
    world.invitations.append({"email": str(body["to_email"]), "list_id": ""})
    return {}


def validate(world: World, body: Params) -> Params:
    """Whether an address exists."""
    email = str(body.get("email") or "")
    fine = normal.email(email) is not None
    cause = "" if fine else "email_contains_forbidden_symbols"
    return {"email": email, "result": "valid" if fine else "invalid", "cause": cause, "validity": 99 if fine else 0}


def suppress(world: World, body: Params) -> Params:
    """Hold letters to an address back."""
    email = normal.email(str(body.get("email") or ""))
    if email is None or body.get("cause") not in CAUSES:
        raise _no("Property 'email' or 'cause' is not valid")
    world.suppressed[email] = str(body["cause"])
    return {}


def suppressions(world: World, body: Params) -> Params:
    """Why letters to an address are held back."""
    email = str(body.get("email") or "").lower()
    cause = world.suppressed.get(email)
    row = {"project_id": None, "cause": cause, "source": "user", "is_deletable": True, "created": world.now()}
    return {"email": email, "suppressions": [row] if cause else []}


def release(world: World, body: Params) -> Params:
    """Let them go again."""
    world.suppressed.pop(str(body.get("email") or "").lower(), None)
    return {}


# --- webhooks -------------------------------------------------------------------------------------


def set_hook(world: World, body: Params) -> Params:
    """Register a webhook; on activation the address is asked by GET and must say 200."""
    url, events = str(body.get("url") or ""), body.get("events")
    if urlsplit(url).scheme not in ("http", "https"):
        raise _no("Property 'url' should be a valid URL")
    if not isinstance(events, dict) or set(events) - {"spam_block", "email_status"}:
        raise _no("Property 'events' should hold spam_block and email_status")
    if unknown := set(events.get("email_status") or ()) - {*GO_STATUSES, "*"}:
        raise _no(f"Unknown email_status: {', '.join(sorted(unknown))}")
    format_, status = str(body.get("event_format") or "json_post"), str(body.get("status") or "active")
    if format_ not in _FORMATS or status not in ("active", "disabled"):
        raise _no("Property 'event_format' or 'status' is unknown")
    if status == "active" and not _says_ok(url):
        raise _no("The url did not answer 200 to a GET request")
    known = world.hooks.get(url)
    more = {
        "id": known.more["id"] if known else next(world.ids),
        "updated_at": world.now(),
        "delivery_info": int(body.get("delivery_info") or 0),
        "max_parallel": int(body.get("max_parallel") or 10),
    }
    hook = Hook("go", url, events, str(body.get("single_event") or 0) == "1", format_, status, more)
    world.hooks[url] = hook
    return {"object": _shown(hook)}


def _says_ok(url: str) -> bool:
    try:
        return requests.get(url, timeout=3).status_code == 200
    except requests.RequestException:
        return False


def _shown(hook: Hook) -> Params:
    return {"url": hook.url, "status": hook.status, "event_format": hook.format, "single_event": int(hook.single),
            "events": hook.events, **hook.more}  # fmt: skip


def list_hooks(world: World, body: Params) -> Params:
    """All webhooks of Go."""
    return {"objects": [_shown(one) for one in world.hooks.values() if one.product == "go"]}


def get_hook(world: World, body: Params) -> Params:
    """One of them."""
    hook = world.hooks.get(str(body.get("url")))
    if hook is None or hook.product != "go":
        raise _no("Webhook was not found", 404)
    return {"object": _shown(hook)}


def delete_hook(world: World, body: Params) -> Params:
    """Take one away."""
    get_hook(world, body)
    del world.hooks[str(body["url"])]
    return {}


def list_templates(world: World, body: Params) -> Params:
    """Templates."""
    offset, limit = int(body.get("offset") or 0), int(body.get("limit") or 50)
    return {"templates": world.templates[offset : offset + limit]}


def get_template(world: World, body: Params) -> Params:
    """One of them."""
    found: Any = next((row for row in world.templates if row["id"] == body.get("id")), None)
    if found is None:
        raise _no("Template was not found", 404)
    return {"template": found}


METHODS = {
    "email/send": send, "email/subscribe": subscribe, "email-validation/single": validate, "webhook/set": set_hook,
    "webhook/list": list_hooks, "webhook/get": get_hook, "webhook/delete": delete_hook, "template/list": list_templates,
    "template/get": get_template, "suppression/set": suppress, "suppression/get": suppressions,
    "suppression/delete": release,
}  # fmt: skip
