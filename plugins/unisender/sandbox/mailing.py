"""Methods of the classic API: letters, campaigns, short messages, webhooks."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlsplit

import requests

from hub import normal
from plugins.unisender.sandbox.contacts import export_async
from plugins.unisender.sandbox.world import Fault, Hook, Params, World, wrong

_UTC = "%Y-%m-%d %H:%M:%S"
#: seconds between two single letters to one reader
_APART = 60.0
EVENTS = ("email_status", "unsubscribe", "subscribe", "campaign_status", "user_info")


def _sender(given: Params) -> None:
    if normal.email(str(given.get("sender_email") or "")) is None:
        raise wrong("sender_email", "This value is not a valid email address.")
    if not given.get("sender_name"):
        raise wrong("sender_name", "This value should not be blank.")


def send_email(world: World, given: Params) -> Any:
    """One letter; the addresses in an array are answered with an array, each with its own error."""
    _sender(given)
    for name in ("subject", "body"):
        if not given.get(name):
            raise wrong(name, "This value should not be blank.")
    if not world.known_lists(given.get("list_id"), "list_id"):
        raise wrong("list_id", "This value should not be blank.")
    given_email = given.get("email")
    if not isinstance(given_email, list | dict):
        return {"email_id": _letter(world, str(given_email or ""), given)}
    answers: list[Params] = []
    for place, email in enumerate(given_email if isinstance(given_email, list) else given_email.values()):
        try:
            answers.append({"index": place, "email": email, "id": str(_letter(world, str(email), given))})
        except Fault as fault:
            answers.append({"email": email, "error": fault.text})
    return answers


def _letter(world: World, email: str, given: Params) -> int:
    if normal.email(email) is None:
        raise wrong("email", "This value is not a valid email address.")
    ref = str(given.get("ref_key") or "")
    for known, letter in world.letters.items():
        if ref and letter["ref_key"] == ref and letter["email"] == email:
            return int(known)  # the answer to a repeated ref_key is not confirmed; nothing is sent again, that much is
        if letter["email"] == email and world.clock() - letter["at"] < _APART:
            raise Fault("invalid_arg", f"{email}: one letter in 60 s to one recipient")
    id_ = 10_000_000_000 + next(world.ids)
    world.letters[str(id_)] = {
        "email": email, "status": "not_sent", "subject": given["subject"], "list_id": str(given["list_id"]),
        "body": given["body"], "metadata": given.get("metadata"), "ref_key": ref, "at": world.clock(),
        "attachments": sorted(given.get("attachments") or {}),
    }  # fmt: skip
    return id_


def check_email(world: World, given: Params) -> Any:
    """What became of up to 500 letters; one alone has its status at the top too."""
    ids = [part.strip() for part in str(given.get("email_id") or "").split(",") if part.strip()]
    if not 1 <= len(ids) <= 500:
        raise wrong("email_id", "1 to 500 ids")
    rows = [{"id": one, "status": world.letters.get(one, {}).get("status", "err_lost")} for one in ids]
    return {"statuses": rows, **({"status": rows[0]["status"]} if len(rows) == 1 else {})}


def create_message(world: World, given: Params) -> Any:
    """Save a letter for campaigns."""
    _sender(given)
    if not world.known_lists(given.get("list_id"), "list_id"):
        raise wrong("list_id", "This value should not be blank.")
    if not given.get("template_id") and not (given.get("subject") and given.get("body")):
        raise wrong("body", "This value should not be blank.")
    id_ = next(world.ids)
    world.messages[str(id_)] = {"id": id_, "subject": given.get("subject", ""), "list_id": int(given["list_id"]),
                                "sender_email": given["sender_email"], "body": given.get("body", "")}  # fmt: skip
    return {"message_id": id_}


def get_messages(world: World, given: Params) -> Any:
    """Saved letters, 50 unless asked otherwise, at most 100."""
    limit, offset = min(int(given.get("limit") or 50), 100), int(given.get("offset") or 0)
    return list(world.messages.values())[offset : offset + limit]


def create_campaign(world: World, given: Params) -> Any:
    """Send a saved letter."""
    message = world.messages.get(str(given.get("message_id")))
    if message is None:
        raise wrong("message_id", "There is no such message")
    start = str(given.get("start_time") or "") + ":00"
    if given.get("start_time"):
        try:
            dt.datetime.strptime(start, _UTC).replace(tzinfo=dt.UTC)
        except ValueError:
            raise wrong("start_time", "YYYY-MM-DD hh:mm") from None
    wanted = [part for part in str(given.get("contacts") or "").split(",") if part]
    list_id = str(message["list_id"])
    readers = wanted or [
        one.email for one in world.contacts if one.lists.get(list_id) in ("new", "active") and one.email
    ]  # fmt: skip
    id_ = next(world.ids)
    status = "scheduled" if given.get("start_time") else "waits_schedule"
    world.campaigns[str(id_)] = {
        "id": id_, "status": status, "message_id": message["id"], "list_id": message["list_id"],
        "subject": message["subject"], "creation_time": world.now(),
        "start_time": start if given.get("start_time") else world.now(), "readers": readers,
    }  # fmt: skip
    return {"campaign_id": id_, "status": status, "count": len(readers)}


def _campaign(world: World, given: Params) -> Params:
    campaign = world.campaigns.get(str(given.get("campaign_id")))
    if campaign is None:
        raise wrong("campaign_id", "There is no such campaign")
    return campaign


def cancel_campaign(world: World, given: Params) -> Any:
    """Call it off before it begins."""
    campaign = _campaign(world, given)
    if campaign["status"] not in ("scheduled", "waits_schedule", "waits_censor"):
        raise wrong("campaign_id", "The campaign has begun")
    campaign["status"] = "canceled"
    world.changes.append(("campaign_status", {"campaign_id": campaign["id"], "status": "canceled"}))
    return []


def campaign_status(world: World, given: Params) -> Any:
    """How far it is."""
    campaign = _campaign(world, given)
    return {name: campaign[name] for name in ("status", "creation_time", "start_time")}


def campaign_stats(world: World, given: Params) -> Any:
    """Its figures."""
    sent = len(_campaign(world, given)["readers"])
    return {"total": sent, "sent": sent, "delivered": sent, "read_unique": 0, "clicked_unique": 0, "unsubscribed": 0,
            "spam": 0}  # fmt: skip


def campaign_results(world: World, given: Params) -> Any:
    """What became of it, reader by reader."""
    campaign = _campaign(world, given)
    rows = [[email, "ok_delivered", campaign["start_time"]] for email in campaign["readers"]]
    since = str(given.get("changed_since") or "")
    return {"fields": ["email", "send_result", "last_update"], "data": [row for row in rows if row[2] >= since]}


def campaign_results_async(world: World, given: Params) -> Any:
    """Order it as a file."""
    _campaign(world, given)
    return export_async(world, {"notify_url": given.get("notify_url")})


def get_campaigns(world: World, given: Params) -> Any:
    """Campaigns that begin between two instants (UTC)."""
    first, last = str(given.get("from") or ""), str(given.get("to") or "9999")
    return [
        {name: value for name, value in row.items() if name != "readers"}
        for row in world.campaigns.values()
        if first <= row["start_time"] <= last
    ]


# --- short messages -------------------------------------------------------------------------------


def send_sms(world: World, given: Params) -> Any:
    """One number is answered with an object, more with a list."""
    numbers = [part.strip().lstrip("+") for part in str(given.get("phone") or "").split(",") if part.strip()]
    if not 1 <= len(numbers) <= 150:
        raise wrong("phone", "1 to 150 numbers")
    for name in ("sender", "text"):
        if not given.get(name):
            raise wrong(name, "This value should not be blank.")
    answers: list[Params] = []
    for number in numbers:
        if len(number) < 10:
            answers.append({"phone": number, "error": "The phone is not valid"})
            continue
        id_ = next(world.ids)
        world.sms[str(id_)] = {"phone": number, "text": given["text"], "sender": given["sender"], "status": "not_sent"}
        answers.append({"currency": "RUB", "price": 2.5, "sms_id": id_, "phone": number})
    if len(answers) > 1:
        return answers
    if "error" in answers[0]:
        raise wrong("phone", answers[0]["error"])
    return {name: value for name, value in answers[0].items() if name != "phone"}


def check_sms(world: World, given: Params) -> Any:
    """What became of it."""
    message = world.sms.get(str(given.get("sms_id")))
    if message is None:
        raise wrong("sms_id", "There is no such message")
    return {"status": message["status"]}


# --- webhooks -------------------------------------------------------------------------------------


def set_hook(world: World, given: Params) -> Any:
    """Register a webhook, known by its address; an address that doesn't answer is refused."""
    url = str(given.get("hook_url") or "")
    if urlsplit(url).scheme not in ("http", "https") or not _answers(url):
        text = "Error ID:00000000-0000-0000-0000-000000000000. 'hook_url' - This value is not a valid URL."
        raise Fault("invalid_arg", text)
    events = given.get("events")
    events = events if isinstance(events, dict) else dict.fromkeys(events or (), "*")
    for name in events:
        if name not in EVENTS:
            raise wrong("events", f"There is no event {name}")
    if not events:
        raise wrong("events", "This value should not be blank.")
    format_ = str(given.get("event_format") or "json_post")
    if format_ not in ("json_post", "json_post_compressed"):
        raise wrong("event_format", "The value you selected is not a valid choice.")
    single = str(given.get("single_event", "0")) == "1"
    status = str(given.get("status") or "active")
    world.hooks[url] = Hook(
        "classic", url, events, single, format_, status, {"max_parallel": given.get("max_parallel")}
    )
    return []


def _answers(url: str) -> bool:
    try:
        requests.get(url, timeout=3)
    except requests.RequestException:
        return False
    return True


def list_hooks(world: World, given: Params) -> Any:
    """All webhooks of the classic product."""
    return [
        {"url": one.url, "event_format": one.format, "single_event": int(one.single), "status": one.status,
         "events": one.events, **one.more}
        for one in world.hooks.values() if one.product == "classic"
    ]  # fmt: skip


def remove_hook(world: World, given: Params) -> Any:
    """Take a webhook away."""
    if world.hooks.pop(str(given.get("hook_url")), None) is None:
        raise wrong("hook_url", "There is no such hook")
    return []


METHODS = {
    "sendEmail": send_email, "checkEmail": check_email, "createEmailMessage": create_message,
    "getMessages": get_messages, "createCampaign": create_campaign, "cancelCampaign": cancel_campaign,
    "getCampaignStatus": campaign_status, "getCampaignCommonStats": campaign_stats,
    "getCampaignDeliveryStats": campaign_results, "async/getCampaignDeliveryStats": campaign_results_async,
    "getCampaigns": get_campaigns, "sendSms": send_sms, "checkSms": check_sms, "setHook": set_hook,
    "listHooks": list_hooks, "removeHook": remove_hook,
}  # fmt: skip
