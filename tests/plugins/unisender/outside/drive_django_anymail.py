"""Drives PyPI django-anymail 15.2: it sends through Go, and its own view reads the webhooks that were heard."""

import base64
import json
import sys

import django
from django.conf import settings as django_settings

given = json.loads(sys.argv[1])
django_settings.configure(
    EMAIL_BACKEND="anymail.backends.unisender_go.EmailBackend",
    ANYMAIL={"UNISENDER_GO_API_KEY": given["api_key"], "UNISENDER_GO_API_URL": given["api_url"]},
    INSTALLED_APPS=["anymail"],
    SECRET_KEY="outside",
    ALLOWED_HOSTS=["*"],
)
django.setup()

from anymail.exceptions import AnymailError, AnymailWebhookValidationFailure  # noqa: E402
from anymail.message import AnymailMessage  # noqa: E402
from anymail.signals import tracking  # noqa: E402
from anymail.webhooks.unisender_go import UnisenderGoTrackingWebhookView  # noqa: E402
from django.test import RequestFactory  # noqa: E402

out = {}


def send(**options):
    message = AnymailMessage(
        subject="Hi {{name}}",
        body="plain",
        from_email="Dog club <club@dogclub.example>",
        to=["Anna <anna@example.com>", "left@example.com", "bad@example.com"],
        **options,
    )
    message.attach_alternative("<b>Hi {{name}}</b>", "text/html")
    message.metadata = {"order": "42"}
    message.merge_data = {"anna@example.com": {"name": "Anna"}}
    message.tags = ["care"]
    message.send()
    status = message.anymail_status
    return {email: [one.status, bool(one.message_id)] for email, one in status.recipients.items()}


if not given["bodies"]:
    out["sent"] = send()
    try:
        send(attachments=[("a.txt", "text", "text/plain")], reply_to=["club@dogclub.example"], connection=None)
        out["again"] = True
    except AnymailError as error:
        out["again"] = str(error)[:200]
    django_settings.ANYMAIL["UNISENDER_GO_API_KEY"] = "wrong"
    try:
        send()
    except AnymailError as error:
        out["wrong key"] = error.status_code

heard = []
tracking.connect(lambda sender, event, **kwargs: heard.append(event), weak=False)
view = UnisenderGoTrackingWebhookView.as_view(api_key=given["api_key"])
out["events"], out["answers"] = [], []
for packed in given["bodies"]:
    heard.clear()
    request = RequestFactory().post("/", data=base64.b64decode(packed), content_type="application/json")
    try:
        out["answers"].append(view(request).status_code)
    except AnymailWebhookValidationFailure:
        out["answers"].append("not genuine")
    out["events"].append([[one.event_type, one.recipient, one.click_url, one.metadata] for one in heard])
print(json.dumps(out))
