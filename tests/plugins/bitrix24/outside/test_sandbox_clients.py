"""Clients that others wrote for the real portal get along with the stand-in.

Each test installs its client when it is missing (see conftest.py), so the first run needs a package registry.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from plugins.bitrix24.sandbox import WEBHOOK_SECRET

pytestmark = pytest.mark.outside

SDK = "b24pysdk==1.3.2"


def host(running):
    return urlsplit(running.url).netloc


def hook(running):
    return running.sandbox.credentials()["webhook_url"]


def creates(running):
    return running.sandbox.state()["counters"]["creates"]


def arm(running, **fault):
    answer = requests.post(f"{running.url}/_sandbox/fault", json=fault, timeout=5, verify=running.certificate or True)
    assert answer.ok


def test_the_official_python_sdk_by_webhook(tls_portal, python_client):
    told = python_client(
        SDK, "b24pysdk_hook.py", host(tls_portal), f"1/{WEBHOOK_SECRET}", REQUESTS_CA_BUNDLE=tls_portal.certificate
    )
    assert told == {
        "updated": True,
        "stage": "C5:WON",
        "semantics": "S",
        "paged": 121,
        "fast": 121,
        "batch": ["one", "two"],
        "many": 60,
        "error": "Not found",
        "contact": 3001,
        "found": {"CONTACT": [3001]},
    }
    assert creates(tls_portal)["lead"] == 3 + 60


def test_the_official_python_sdk_repeats_after_503(tls_portal, python_client):
    arm(tls_portal, kind="rate_limit", match="crm.deal.add")
    told = python_client(
        SDK, "b24pysdk_hook.py", host(tls_portal), f"1/{WEBHOOK_SECRET}", REQUESTS_CA_BUNDLE=tls_portal.certificate
    )
    assert told["paged"] == 121
    assert tls_portal.sandbox.calls["crm.deal.add"] == 2
    assert creates(tls_portal)["deal"] == 121


def captured_events(running):
    """Collect one event to an outgoing webhook and one to an application, as flattened keys."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode())))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{listener.server_port}/"
        sandbox = running.sandbox
        sandbox.events.listen(url, ["ONCRMDEALADD"], "fake_outgoing")
        sandbox.act("event.bind", {"event": "ONCRMCONTACTADD", "handler": url})
        sandbox.act("crm.deal.add", {"fields": {}})
        sandbox.act("crm.contact.add", {"fields": {}})
        assert sandbox.wait_events()
        listener.shutdown()
        thread.join()
    return heard


def test_the_official_python_sdk_refreshes_and_reads_our_events(tls_portal, python_client):
    sandbox = tls_portal.sandbox
    credentials, tokens = sandbox.credentials(), sandbox.tokens()
    events = captured_events(tls_portal)
    arm(tls_portal, kind="expired_token", match="profile")
    told = python_client(
        SDK,
        "b24pysdk_app.py",
        tls_portal.url,
        credentials["client_id"],
        credentials["client_secret"],
        tokens["access_token"],
        tokens["refresh_token"],
        json.dumps(events),
        REQUESTS_CA_BUNDLE=tls_portal.certificate,
    )
    assert (told["user"], told["rotated"], told["renewed"]) == ("1", True, True)
    assert sandbox.state()["counters"]["refreshes"] == 1
    member = credentials["member_id"]
    assert told["events"] == [
        {"event": "ONCRMDEALADD", "data": {"FIELDS": {"ID": "2121"}}, "system": True, "member": member},
        {"event": "ONCRMCONTACTADD", "data": {"FIELDS": {"ID": "3001"}}, "system": False, "member": member},
    ]


def test_the_official_python_sdk_talks_through_an_open_line(tls_portal, python_client):
    sandbox, trust = tls_portal.sandbox, {"REQUESTS_CA_BUNDLE": tls_portal.certificate}
    who = (tls_portal.url, sandbox.tokens()["access_token"])
    assert python_client(SDK, "b24pysdk_chat.py", *who, **trust) == {
        "registered": {"result": True},
        "set_up": [True, True],
        "listed": "SDK",
        "status": [True, True, False],
        "taken": True,
        "session": ["CHAT_ID", "ID"],
    }
    said = {"connector": "sdk_channel", "line": "107", "chat": "u1", "text": "hi", "user_id": 27}
    answer = requests.post(f"{tls_portal.url}/_sandbox/operator", json=said, timeout=5, verify=tls_portal.certificate)
    chat = sandbox.state()["chats"][0]["chat_id"]
    told = python_client(SDK, "b24pysdk_chat.py", *who, chat, str(answer.json()["message_id"]), **trust)
    assert told == {
        "delivered": {"SUCCESS": True, "DATA": []},
        "read": {"SUCCESS": True, "DATA": []},
        "ids": [["m1"], ["x1"]],
        "dropped": True,
    }
    client, operator = sandbox.state()["messages"]
    assert (client["deleted"], operator["delivered"], operator["read"]) == (True, True, True)


def test_fast_bitrix24(portal, python_client):
    told = python_client("fast-bitrix24==1.8.14", "fast_bitrix24_hook.py", hook(portal))
    assert told == {"every": 120, "added": 55, "by_id": 3, "whole": 3, "batch": "lead 0", "raw": True}
    assert creates(portal)["contact"] == 55


def test_b24api(portal, python_client):
    address = {"BITRIX24_API_WEBHOOK_URL": hook(portal)}
    told = python_client("b24api==0.4.1", "b24api_hook.py", **address)
    assert told == {"title": "b24api", "sequential": 121, "batched": 121, "no_count": 121, "batch": 70}


def test_b24api_repeats_what_can_be_repeated(portal, python_client):
    arm(portal, kind="rate_limit", match="crm.deal.add")
    arm(portal, kind="operating_limit", match="crm.deal.get")
    python_client("b24api==0.4.1", "b24api_hook.py", BITRIX24_API_WEBHOOK_URL=hook(portal))
    assert (portal.sandbox.calls["crm.deal.add"], portal.sandbox.calls["crm.deal.get"]) == (2, 2)
    assert creates(portal)["deal"] == 121


def test_bitrix24_rest_with_get_requests(portal, python_client):
    told = python_client("bitrix24-rest==2.0.3", "bitrix24_rest_hook.py", hook(portal))
    # this client does not encode the plus of a phone; PHP too reads it as a space
    assert told == {"deals": 120, "name": "Олена", "phone": "380501112233", "error": "HTTP error: 404"}


def test_pybitrix24_by_webhook_and_as_an_application(tls_portal, python_client):
    credentials = tls_portal.sandbox.credentials()
    consent = requests.get(
        f"{tls_portal.url}/oauth/authorize/",
        params={"client_id": credentials["client_id"], "state": "s"},
        allow_redirects=False,
        verify=tls_portal.certificate,
        timeout=5,
    )
    code = dict(parse_qsl(urlsplit(consent.headers["Location"]).query))["code"]
    told = python_client(
        "pybitrix24==1.1.0",
        "pybitrix24_both.py",
        host(tls_portal),
        WEBHOOK_SECRET,
        credentials["client_id"],
        credentials["client_secret"],
        code,
        SSL_CERT_FILE=tls_portal.certificate,
    )
    assert told == {"deal": 2121, "batch": "py", "user": "1", "rotated": True, "bound": True}
    assert [each["events"] for each in tls_portal.sandbox.state()["handlers"]] == [["ONCRMDEALADD"]]


def test_the_official_js_sdk(tls_portal, node_client):
    told = node_client(
        "@bitrix24/b24jssdk@2.2.0", "b24jssdk_hook.mjs", hook(tls_portal), NODE_EXTRA_CA_CERTS=tls_portal.certificate
    )
    assert told == {"title": "js", "list": 121, "items": 121, "batch": "js", "failure": "NOT_FOUND"}


def test_2bad_bitrix(portal, node_client):
    told = node_client("@2bad/bitrix@2.5.1", "bad_bitrix_hook.mjs", hook(portal).rstrip("/"))
    assert told == {"title": "bad & good", "list": 121, "failure": "Response code 400 (BAD REQUEST)"}
