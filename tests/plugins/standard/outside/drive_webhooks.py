"""Drives PyPI svix or standardwebhooks, alike in their names: signs and sends messages, reads what the hub has sent."""

import base64
import datetime as dt
import importlib
import json
import sys
import urllib.error
import urllib.request

settings = json.loads(sys.argv[1])
webhooks = importlib.import_module(settings["package"] + ".webhooks")
hook = webhooks.Webhook(settings["secret"])


def send(url, message, body):
    at = dt.datetime.now(tz=dt.UTC)
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": message,
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": hook.sign(message, at, body),
    }
    try:
        return urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def read(got):
    body = base64.b64decode(got["body"])
    try:
        hook.verify(body, got["headers"])
        return json.loads(body)
    except webhooks.WebhookVerificationError as error:
        return "refused: " + str(error)


sent = [send(url, message, body) for url, message, body in settings["send"]]
print(json.dumps({"sent": sent, "read": [read(got) for got in settings["read"]]}))
