"""Plays the senders: posts the bodies of Tilda, Elementor, Contact Form 7, Google Forms and a page to the hub.

`POST /send {"sender": "tilda", "url": "https://hub.example.com/in/site/<secret>"}` sends one submission; `phone`,
`name` and `id` may be given. `sent` in the state holds what went out and what the hub answered.
"""

from __future__ import annotations

from typing import Any

import requests
from flask import jsonify, request

from hub.sandbox import Sandbox, now_utc

SECRET = "fake-secret-of-the-form-sandbox"
SENDERS = ("tilda", "tilda_ping", "elementor", "cf7", "google", "page")


class FormSandbox(Sandbox):
    """The programs that send forms."""

    vendor = "form"

    def seed(self) -> None:
        """Start with nothing sent."""
        self.data["sent"] = []

    def credentials(self) -> dict[str, str]:
        """Return a secret for the connection; the address to send to is `/in/<connection>/<secret>`."""
        return {"secret": SECRET}

    def routes(self) -> None:
        """Add `/send`."""

        @self.app.post("/send")
        def send() -> Any:
            wanted = request.get_json(force=True)
            sender = wanted.get("sender", "tilda")
            if sender not in SENDERS:
                return jsonify(error=f"unknown sender {sender!r}; known: {', '.join(SENDERS)}"), 400
            said = self.send(sender, wanted["url"], wanted)
            return jsonify(said)

    def send(self, sender: str, url: str, answers: dict[str, Any] | None = None) -> dict[str, Any]:
        """Post one submission as `sender` does; return what was sent and what the hub said."""
        with self.lock:
            number = len(self.data["sent"]) + 1
        kind, body = body_of(sender, {"id": f"{number}:{int(now_utc().timestamp())}", **(answers or {})})
        form, json = (body, None) if kind == "data" else (None, body)
        answer = requests.post(url, data=form, json=json, timeout=5, allow_redirects=False)
        said = {"sender": sender, "body": body, "status": answer.status_code, "answer": answer.text[:200]}
        with self.lock:
            self.data["sent"].append(said)
        return said


def body_of(sender: str, answers: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return ("data" or "json", body) of one submission."""
    name, phone = answers.get("name", "Олена Коваль"), answers.get("phone", "067 123-45-67")
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "tilda_ping": ("data", {"test": "test"}),
        "tilda": ("data", {"Name": name, "Phone": phone, "tranid": answers["id"], "formid": "form789"}),
        "elementor": (
            "data",
            {
                "form[id]": "abc123",
                "form[name]": "Booking",
                "fields[name][title]": "Name",
                "fields[name][value]": name,
                "fields[phone][title]": "Phone",
                "fields[phone][type]": "tel",
                "fields[phone][value]": phone,
            },
        ),
        "cf7": ("json", {"your-name": name, "your-phone": phone}),
        "google": ("json", {"response": {"id": answers["id"], "payload": {"Name": name, "Phone": phone}}}),
        "page": ("data", {"name": name, "phone": phone}),
    }
    return bodies[sender]
