"""Webhooks as the vendor sends them: signed, grouped or single, again with `retry_count` where no 200 came in 3 s."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import requests

from plugins.unisender.sandbox.world import KEY, LOGIN, USER, Fault, Hook, World

#: seconds the vendor waits for the answer; hours it repeats
PATIENCE, HOURS = 3.0, 24.0


@dataclass
class Undelivered:
    """What was not taken, and how often it was tried again."""

    url: str
    body: dict[str, Any]
    retries: int = 0


class Outbox:
    """Tells the account's webhooks what happens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting: list[Undelivered] = []
        #: webhooks sent so far, repetitions included
        self.sent = 0

    def waiting_count(self) -> int:
        """Return how many messages wait to be sent again."""
        return len(self.waiting)

    # --- what happens ---------------------------------------------------------------------------

    def letter(self, id_: str, body: dict[str, Any]) -> dict[str, Any]:
        """A letter of sendEmail gets on."""
        letter = _known(self.world.letters, id_, "letter")
        letter["status"] = body["status"]
        data = {"email": letter["email"], "status": body["status"], "status_group": "success_pending_group"}
        data |= {"email_id": int(id_), **({"url": body["url"]} if body.get("url") else {})}
        if letter.get("metadata"):
            data["metadata"] = letter["metadata"]
        return self.emit("classic", "email_status", data)

    def job(self, id_: str, body: dict[str, Any]) -> dict[str, Any]:
        """A letter of Go gets on, at one of its readers."""
        job = _known(self.world.jobs, id_, "job")
        email = body.get("email") or job["emails"][0]
        data: dict[str, Any] = {"job_id": id_, "email": email, "status": body["status"]}
        if metadata := job["metadata"].get(email):
            data["metadata"] = metadata
        data["event_time"] = self.world.now()
        data |= {name: body[name] for name in ("url", "comment") if body.get(name)}
        if body.get("delivery_status"):
            data["delivery_info"] = {"delivery_status": body["delivery_status"], "destination_response": "550 no"}
        self.world.happened.append(data)
        return {} if body.get("silent") else self.emit("go", "transactional_email_status", data)

    def leave(self, body: dict[str, Any]) -> dict[str, Any]:
        """A reader unsubscribes by the link in a letter or on the page."""
        return self._membership("unsubscribe", "unsubscribed", body)

    def join(self, body: dict[str, Any]) -> dict[str, Any]:
        """Somebody subscribes on the vendor's form."""
        return self._membership("subscribe", "active", body)

    def _membership(self, event: str, status: str, body: dict[str, Any]) -> dict[str, Any]:
        contact = self.world.by("email", body["email"])
        if contact is None:
            raise Fault("invalid_arg", f"no contact {body['email']}")
        lists = [str(one) for one in body.get("list_ids") or contact.lists]
        contact.lists |= dict.fromkeys(lists, status)
        return self.emit("classic", event, {"email": contact.email, "list_ids": [int(one) for one in lists]})

    def campaign(self, id_: str, body: dict[str, Any]) -> dict[str, Any]:
        """A campaign gets on."""
        _known(self.world.campaigns, id_, "campaign")["status"] = body["status"]
        return self.emit("classic", "campaign_status", {"campaign_id": int(id_), "status": body["status"]})

    def sms(self, id_: str, body: dict[str, Any]) -> None:
        """A short message gets on; nothing tells of it."""
        _known(self.world.sms, id_, "sms")["status"] = body["status"]

    def task(self, id_: str, body: dict[str, Any], base: str) -> dict[str, Any]:
        """An export is ready: its file, and the note to notify_url."""
        task = _known(self.world.tasks, id_, "task")
        task["status"] = body.get("status", "completed")
        if task["status"] == "completed":
            task["file_to_download"] = f"{base}/files/{id_}.csv"
        if not body.get("silent"):
            told = {"result": {key: value for key, value in task.items() if key != "notify_url"}}
            return {"answers": [self._post(task["notify_url"], json.dumps(told).encode())]}
        return {}

    def by_hand(self, body: dict[str, Any]) -> None:
        """A person makes a webhook in the cabinet, switches one off or on, or deletes it."""
        url, status = body["url"], body.get("status", "active")
        if status == "deleted":
            self.world.hooks.pop(url, None)
        elif known := self.world.hooks.get(url):
            known.status = status
        else:
            product = body.get("product", "classic")
            names = ("email_status", "spam_block") if product == "go" else ("email_status", "unsubscribe", "subscribe")
            events = dict.fromkeys((*names, "campaign_status", "user_info"), "*")
            self.world.hooks[url] = Hook(product, url, events, bool(body.get("single")), more={"id": 1})

    # --- sending --------------------------------------------------------------------------------

    def emit(self, product: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Tell every active webhook that wants it; return what each answered."""
        answers = []
        for hook in list(self.world.hooks.values()):
            if hook.product == product and hook.status == "active" and _wants(hook, name, data):
                answers.append(self.send(Undelivered(hook.url, self.body(hook, name, data))))
        return {"answers": answers}

    def body(self, hook: Hook, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Return what is told, `auth` still missing."""
        owner: dict[str, Any] = {"login": LOGIN}
        event: dict[str, Any] = {"event_name": name, "event_time": self.world.now(), "event_data": data}
        if hook.product == "go":
            owner = {"user_id": USER, "project_id": "6000001", "project_name": "Testing"}
            del event["event_time"]
        if hook.single:
            flat = {"event_name": name, **({} if hook.product == "go" else {"event_time": event["event_time"]})}
            return {"auth": "", **flat, **owner, **data}
        return {"auth": "", "events_by_user": [{**owner, "events": [event]}]}

    def send(self, message: Undelivered) -> int:
        """Send; what isn't answered with 200 in time waits for the next round."""
        body = dict(message.body)
        if message.retries:
            body["retry_count"] = message.retries
        self.sent += 1
        status = self._post(message.url, signed(body))
        if status != 200:
            self.waiting.append(message)
        return status

    def redeliver(self, hours: float) -> dict[str, Any]:
        """Send again what waits; when 24 hours are over, its webhook is stopped."""
        again, self.waiting = self.waiting, []
        for message in again:
            message.retries += 1
        answers = [self.send(message) for message in again]
        if hours >= HOURS:
            for message in self.waiting:
                if hook := self.world.hooks.get(message.url):
                    hook.status = "stopped"
            self.waiting = []
        return {"answers": answers}

    @staticmethod
    def _post(url: str, body: bytes) -> int:
        try:
            return requests.post(
                url, data=body, headers={"Content-Type": "application/json"}, timeout=PATIENCE
            ).status_code
        except requests.RequestException:
            return 0


def signed(body: dict[str, Any]) -> bytes:
    """Return the bytes: PHP's JSON, slashes escaped, `auth` the MD5 of the whole with the key in its place."""
    text = json.dumps({**body, "auth": KEY}, separators=(",", ":")).replace("/", "\\/")
    auth = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return text.replace(KEY, auth, 1).encode()


def _wants(hook: Hook, name: str, data: dict[str, Any]) -> bool:
    wanted = hook.events.get(name.removeprefix("transactional_"))
    listed = wanted if isinstance(wanted, list) else str(wanted or "").split(",")
    return "*" in listed or str(data.get("status")) in listed


def _known(table: dict[str, Any], id_: str, what: str) -> Any:
    if id_ not in table:
        raise Fault("invalid_arg", f"no {what} {id_}")
    return table[id_]
