"""What the tests of forms post, and how they read it back."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from hub.model import Receipt, Request
from hub.testing import build, request_from_file
from plugins.form.connector import FormConnector

SAMPLES = Path(__file__).parent / "samples"
SECRET = "page-key-page-key"
AT = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)


def connector(region="UA", **settings):
    return build(FormConnector, {"secret": SECRET, **settings}, region=region)


def sample(name, **changes):
    return replace(request_from_file(SAMPLES / name, "form", at=AT), **{"tail": SECRET, **changes})


def post(fields, *, kind="form", at=AT, query=(), headers=None, tail=SECRET):
    types = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
    body = json.dumps(fields).encode() if kind == "json" else urlencode(fields).encode()
    headers = {"content-type": types[kind], **(headers or {})}
    return Request("POST", "/in/form", tuple(query), headers, body, "203.0.113.7", tail, at)


def read(request, form=None):
    form = form or connector()
    [event] = form.parse(Receipt(1, "form", form.receipt_key(request), request, request.at))
    return event
