"""Letters, campaigns and short messages of the classic product."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from hub.errors import RateLimited, Refused, Retry
from hub.model import Action, Done, Record, Watch
from plugins.unisender import codes, contacts, outgoing, values
from plugins.unisender.client import Row, objects
from plugins.unisender.desk import Desk

#: seconds between two campaigns: an account that made 35 in some minutes was blocked (a third party's note)
CAMPAIGN_GAP = 60.0
#: seconds between two single letters to one reader; the vendor's words for one that came too soon aren't confirmed
LETTERS_APART = 60.0
#: seconds within which a webhook has told what happened: an unanswered one is repeated for 24 hours
WEBHOOK_TELLS = 25 * 3600.0
_TOO_SOON = re.compile(r"\b60 ?(s|sec|сек)|(once|one|letter).{0,30}minute|too (often|frequent)|слишком част", re.I)
_UTC = "%Y-%m-%d %H:%M:%S"


# --- single letters -------------------------------------------------------------------------------


def send_email(desk: Desk, action: Action) -> Done:
    """Send one letter to one reader. Its events come with the id that is returned here."""
    params = outgoing.send_email(action.values, desk.settings, action.marker)
    try:
        letter = outgoing.sent(desk.client.call("sendEmail", params), params["email"])
    except Refused as error:
        if _TOO_SOON.search(error.reason):
            raise Retry(f"one letter a minute to one reader: {error.reason}", LETTERS_APART) from None
        if action.in_doubt_since is None or "ref_key" not in error.reason:
            raise
        # What a repeated ref_key is answered isn't confirmed: an objection to it means that the first call got through.
        return Done({"email": params["email"], "status": "sent before", "ref_key": params["ref_key"]})
    watch = _watch(desk, "email", letter["id"], {"email": letter["email"]})
    return Done(letter, id=letter["id"], links=[("email", letter["id"])], watch=watch)


def check_email(desk: Desk, action: Action) -> Done:
    """Ask what became of letters sent one by one; kept for a month."""
    ids = values.items(action.values.get("email_id"))
    if not ids or len(ids) > 500:
        raise Refused("email.check: email_id: 1 to 500 ids", {"email_id": "1 to 500"})
    told = outgoing.statuses(desk.client.call("checkEmail", {"email_id": ",".join(ids)}))
    rows = [
        {"id": id_, "status": status, "status_text": codes.status_of("classic", status).words}
        for id_, status in told.items()
    ]
    return Done({**rows[0], "rows": rows, "count": len(rows)})


# --- letters for campaigns, campaigns -------------------------------------------------------------


def create_letter(desk: Desk, action: Action) -> Done:
    """Save a letter for campaigns. A repeated call leaves a second draft, which nobody gets."""
    answer = desk.client.record("createEmailMessage", outgoing.create_letter(action.values, desk.settings))
    id_ = values.text(answer.get("message_id"))
    if not id_:
        raise Refused(f"createEmailMessage: no message_id in {str(answer)[:120]!r}")
    return Done({"id": id_, "message_id": id_}, id=id_)


def list_letters(desk: Desk, action: Action) -> Done:
    """List saved letters, at most 100."""
    asked = {"limit": min(action.limit or 50, 100), "offset": values.text(action.values.get("offset")) or None}
    for name in ("date_from", "date_to"):
        asked[name] = values.moment(action.values.get(name)) or None
    rows = desk.client.rows("getMessages", asked)
    return Done({**(rows[0] if rows else {}), "rows": rows, "count": len(rows)})


def create_campaign(desk: Desk, action: Action) -> Done:
    """Send a saved letter to its list. Two begun within a minute are kept apart, for the account's sake."""
    params = outgoing.create_campaign(action.values)
    if not params["start_time"]:
        _keep_apart(desk)
    row = outgoing.campaign_row(desk.client.record("createCampaign", params))
    if not row["id"]:
        raise Refused("createCampaign: no campaign_id in the answer")
    row["message_id"] = row["message_id"] or params["message_id"]
    return made(desk, row)


def made(desk: Desk, row: Row) -> Done:
    """Return what a campaign's making brings: its link, and the watch over what becomes of it."""
    watch = _watch(desk, "campaign", row["id"], {})
    return Done(row, id=row["id"], links=[("campaign", row["id"])], watch=watch)


def _keep_apart(desk: Desk) -> None:
    since = (desk.now - dt.timedelta(seconds=CAMPAIGN_GAP)).strftime(_UTC)
    until = (desk.now + dt.timedelta(seconds=CAMPAIGN_GAP)).strftime(_UTC)
    if desk.client.rows("getCampaigns", {"from": since, "to": until}):
        words = "another campaign has begun within the last minute; accounts that make many in a row get blocked"
        raise RateLimited(words, CAMPAIGN_GAP, "createCampaign")


def cancel_campaign(desk: Desk, action: Action) -> Done:
    """Call a campaign off before it begins."""
    id_ = values.needed(action.values, "campaign_id", "campaign.cancel")
    desk.client.call("cancelCampaign", {"campaign_id": id_})
    return Done({"id": id_, "status": "canceled"}, id=id_, echoes={id_: {"status": "canceled"}})


def campaign_status(desk: Desk, action: Action) -> Done:
    """Ask how far a campaign is."""
    row = status_of(desk, values.needed(action.values, "campaign_id", "campaign.status"))
    return Done(row, id=row["id"])


def status_of(desk: Desk, id_: str) -> Row:
    """Return a campaign's status and times."""
    answer = desk.client.record("getCampaignStatus", {"campaign_id": id_})
    return {**outgoing.campaign_row(answer), "id": id_}


def campaign_stats(desk: Desk, action: Action) -> Done:
    """Ask for a campaign's figures: total, sent, delivered, read, clicked, unsubscribed, spam."""
    id_ = values.needed(action.values, "campaign_id", "campaign.stats")
    return Done({"id": id_, **desk.client.record("getCampaignCommonStats", {"campaign_id": id_})}, id=id_)


def campaign_results(desk: Desk, action: Action) -> Done:
    """Ask what became of a campaign letter by letter, since an instant: rows of email, send_result, last_update.

    Older pages describe a call that answers at once, newer clients one that makes a file; whichever there is.
    """
    id_ = values.needed(action.values, "campaign_id", "campaign.results")
    params = {"campaign_id": id_, "changed_since": values.moment(action.values.get("changed_since")) or None}
    try:
        answer = desk.client.record("getCampaignDeliveryStats", params)
    except Refused as error:
        if error.vendor_code != "unknown_method":
            raise
        return contacts.ordered(desk, "async/getCampaignDeliveryStats", params)
    names, data = answer.get("fields"), answer.get("data")
    rows: list[Row] = []
    if isinstance(names, list) and isinstance(data, list):
        rows = [dict(zip(map(str, names), row, strict=False)) for row in data if isinstance(row, list)]
    return Done({"id": id_, "rows": rows, "count": len(rows)}, id=id_)


def list_campaigns(desk: Desk, action: Action) -> Done:
    """List campaigns that began between two instants."""
    asked = {name: values.moment(action.values.get(name)) or None for name in ("from", "to")}
    rows = [outgoing.campaign_row(row) for row in desk.client.rows("getCampaigns", asked)]
    return Done({**(rows[0] if rows else {}), "rows": rows, "count": len(rows)})


def find_campaigns(desk: Desk, by: Mapping[str, Any]) -> list[Record]:
    """Find campaigns: by `id`, or those of a saved letter (`marker`, `message_id`), oldest first."""
    if id_ := values.text(by.get("id")):
        return [status_of(desk, id_)]
    message = values.text(by.get("marker") or by.get("message_id"))
    asked: Row = {}
    if since := by.get("since"):
        start = dt.datetime.fromtimestamp(float(since), dt.UTC) if not isinstance(since, dt.datetime) else since
        asked["from"] = start.astimezone(dt.UTC).strftime(_UTC)
    rows = [outgoing.campaign_row(row) for row in desk.client.rows("getCampaigns", asked)]
    fitting = [row for row in rows if not message or row["message_id"] == message]
    return sorted(fitting, key=lambda row: row["start_time"])


def found(desk: Desk, action: Action) -> Done:
    """Find the oldest campaign of a letter, or the one of this id."""
    records = find_campaigns(desk, {**action.values, **action.find})
    return Done(records[0] if records else {}, id=records[0]["id"] if records else "")


# --- short messages -------------------------------------------------------------------------------


def send_sms(desk: Desk, action: Action) -> Done:
    """Send a short text. What becomes of it is asked for: short messages have no webhook."""
    params = outgoing.send_sms(action.values, desk.settings, desk.connection.region)
    numbers = params["phone"].split(",")
    messages, refused = outgoing.sms_sent(desk.client.call("sendSms", params), numbers)
    if not messages:
        said = "; ".join(f"{number}: {words}" for number, words in refused.items())
        raise Refused(f"sendSms: {said}", {"phone": said[:200]})
    watch = [one for row in messages for one in _watch(desk, "sms", row["id"], {"phone": row["phone"]})]
    first = messages[0]
    result = {**first, "rows": messages, "count": len(messages), "refused": refused}
    return Done(result, id=first["id"], links=[("sms", row["id"]) for row in messages], watch=watch)


def check_sms(desk: Desk, action: Action) -> Done:
    """Ask what became of a short message."""
    id_ = values.needed(action.values, "sms_id", "sms.check")
    status = sms_status(desk, id_)
    return Done({"id": id_, "status": status, "status_text": codes.SMS.get(status, "")}, id=id_)


def sms_status(desk: Desk, id_: str) -> str:
    """Return a short message's status."""
    return values.text(desk.client.record("checkSms", {"sms_id": id_}).get("status"))


def _watch(desk: Desk, kind: str, id_: str, data: Row) -> list[Watch]:
    after = 60.0 if kind == "sms" else float(desk.settings["poll"] or WEBHOOK_TELLS)
    return [Watch("status", f"{kind}:{id_}", {**data, "status": "", "since": desk.now.isoformat()}, after=after)]


def api(desk: Desk, action: Action) -> Done:
    """Call any method with the values as they are."""
    result = desk.client.call(action.method, action.values)
    rows = objects(result)
    if isinstance(result, Mapping):
        return Done({**result, "rows": rows, "value": result})
    return Done({**(rows[0] if rows else {}), "rows": rows, "count": len(rows), "value": result})
