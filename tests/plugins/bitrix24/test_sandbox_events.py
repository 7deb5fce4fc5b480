"""What the portal tells by itself: events to webhooks and to the application, offline queue, chats, calls."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import requests

from plugins.bitrix24.sandbox import Bitrix24Sandbox

SAMPLES = Path(__file__).parent / "samples"


def sample(name):
    return json.loads((SAMPLES / name).read_text())


def form_sample(name):
    return parse_qsl((SAMPLES / name).read_text().strip(), keep_blank_values=True)


class Portal:
    """A portal with a listener beside it; `heard` holds the pairs of each body that came."""

    def __init__(self, running, http, listener):
        self.sandbox, self.url, self.http, self.listener = running.sandbox, running.url, http, listener
        self.hook = self.sandbox.credentials()["webhook_url"]
        self.token = self.sandbox.tokens()["access_token"]
        self.heard = listener.heard

    def call(self, method, **params):
        answer = self.http.post(self.hook + method, json=params, timeout=5)
        return answer.status_code, answer.json()

    def app(self, method, **params):
        answer = self.http.post(f"{self.url}/rest/{method}", json=params | {"auth": self.token}, timeout=5)
        return answer.status_code, answer.json()

    def control(self, name, **body):
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=body, timeout=5)
        assert answer.ok, answer.text
        return answer.json()

    def add_deal(self):
        return self.call("crm.deal.add", fields={"TITLE": "x"})[1]["result"]

    def events(self):
        assert self.sandbox.wait_events()
        return [dict(pairs) for pairs in self.heard]


@pytest.fixture
def listener():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.heard.append(parse_qsl(body, keep_blank_values=True))
            self.server.types.add(self.headers["Content-Type"])
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.heard, server.types, server.status = [], set(), 200
    server.url = f"http://127.0.0.1:{server.server_port}/in/crm"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def portal(listener):
    with Bitrix24Sandbox(rate_per_second=None).start() as running, requests.Session() as http:
        yield Portal(running, http, listener)


# --- outgoing webhooks of the UI ----------------------------------------------------------------


def test_an_outgoing_webhook_gets_the_documented_body(portal):
    portal.control("outgoing_webhook", url=portal.listener.url, events=["ONCRMDEALADD"], application_token="tok")
    deal = portal.add_deal()
    (event,) = portal.events()
    assert list(event) == [key for key, _ in form_sample("ONCRMDEALADD-to-outgoing-webhook.webhook.txt")]
    assert event["event"] == "ONCRMDEALADD"
    assert event["data[FIELDS][ID]"] == str(deal)
    assert event["auth[application_token]"] == "tok"
    assert event["auth[member_id]"] == portal.sandbox.credentials()["member_id"]
    assert event["ts"].isdigit()
    assert portal.listener.types == {"application/x-www-form-urlencoded"}


def test_own_writes_and_peoples_writes_are_both_told(portal):
    portal.control("outgoing_webhook", url=portal.listener.url, events=[])
    deal = portal.add_deal()
    portal.control("ui", method="crm.deal.update", params={"id": deal, "fields": {"STAGE_ID": "WON"}}, user_id="5")
    portal.call("crm.deal.update", id=deal, fields={})
    portal.call("crm.deal.delete", id=deal)
    assert [event["event"] for event in portal.events()] == [
        "ONCRMDEALADD",
        "ONCRMDEALUPDATE",
        "ONCRMDEALUPDATE",
        "ONCRMDEALDELETE",
    ]


@pytest.mark.parametrize("kind", ["lead", "contact", "company"])
def test_every_kind_of_record_is_told(portal, kind):
    portal.control("outgoing_webhook", url=portal.listener.url, events=[])
    number = portal.call(f"crm.{kind}.add", fields={"TITLE": "x"})[1]["result"]
    portal.call(f"crm.{kind}.update", id=number, fields={"TITLE": "y"})
    portal.call(f"crm.{kind}.delete", id=number)
    told = [(event["event"], event["data[FIELDS][ID]"]) for event in portal.events()]
    assert told == [(f"ONCRM{kind.upper()}{what}", str(number)) for what in ("ADD", "UPDATE", "DELETE")]


def test_comments_activities_and_tasks_have_shapes_of_their_own(portal):
    portal.control("outgoing_webhook", url=portal.listener.url, events=[])
    deal = portal.add_deal()
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "x"}
    comment = portal.call("crm.timeline.comment.add", fields=fields)[1]["result"]
    todo = {"ownerTypeId": 2, "ownerId": deal, "deadline": "2026-03-01T10:00:00Z"}
    activity = portal.call("crm.activity.todo.add", **todo)[1]["result"]["id"]
    portal.call("tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 1})
    portal.call("tasks.task.update", taskId=7001, fields={"TITLE": "y"})
    _, noted, planned, added, updated = portal.events()
    assert (noted["event"], noted["data[ID]"]) == ("ONCRMTIMELINECOMMENTADD", str(comment))
    assert (planned["event"], planned["data[FIELDS][ID]"]) == ("ONCRMACTIVITYADD", str(activity))
    assert (added["data[FIELDS_BEFORE]"], added["data[FIELDS_AFTER][ID]"]) == ("undefined", "7001")
    data = {key: value for key, value in updated.items() if key.startswith("data")}
    assert data.keys() == {key for key, _ in form_sample("ONTASKUPDATE.webhook.txt") if key.startswith("data")}


def test_a_failed_write_tells_nothing(portal):
    portal.control("outgoing_webhook", url=portal.listener.url, events=[])
    assert portal.call("crm.deal.add", fields={"STAGE_ID": "C5:NEW"})[0] == 400
    assert portal.events() == []


def test_a_failing_handler_is_not_asked_twice(portal):
    portal.listener.status = 500
    portal.control("outgoing_webhook", url=portal.listener.url, events=["ONCRMDEALADD"])
    portal.control("outgoing_webhook", url="http://127.0.0.1:9/", events=["ONCRMDEALADD"])
    portal.add_deal()
    assert len(portal.events()) == 1
    state = portal.sandbox.state()
    assert [(event["status"], event["http"]) for event in state["events"]] == [("failed", 500), ("failed", None)]
    assert state["counters"]["events"]["failed"] == 2


def test_an_event_lost_or_doubled(portal):
    portal.control("outgoing_webhook", url=portal.listener.url, events=["ONCRMDEALADD"])
    portal.control("fault", kind="drop_event", match="ONCRMDEALADD")
    portal.add_deal()
    assert portal.events() == []
    portal.control("fault", kind="duplicate_event")
    deal = portal.add_deal()
    assert [event["data[FIELDS][ID]"] for event in portal.events()] == [str(deal)] * 2
    counters = portal.sandbox.state()["counters"]["events"]
    assert (counters["dropped"], counters["duplicated"], counters["sent"]) == (1, 1, 2)


def test_any_other_event_can_be_sent(portal):
    portal.app("event.bind", event="OnExternalCallStart", handler=portal.listener.url)
    known = {key: value for key, value in form_sample("ONEXTERNALCALLSTART.webhook.txt") if key.startswith("data")}
    data = {key[5:-1]: value for key, value in known.items()}
    portal.control("emit", event="ONEXTERNALCALLSTART", data=data)
    (event,) = portal.events()
    assert {key: value for key, value in event.items() if key.startswith("data")} == known


# --- events of the application ------------------------------------------------------------------


def test_an_application_binds_and_gets_tokens_in_its_events(portal):
    assert portal.app("event.bind", event="onCrmContactAdd", handler=portal.listener.url)[1]["result"] is True
    contact = portal.call("crm.contact.add", fields={"NAME": "x"})[1]["result"]
    (event,) = portal.events()
    known = [key for key, _ in form_sample("ONCRMCONTACTADD-captured.webhook.txt")]
    assert list(event) == known
    assert event["data[FIELDS][ID]"] == str(contact)
    portal.token = event["auth[access_token]"]
    assert portal.app("profile")[1]["result"]["ID"] == event["auth[user_id]"] == "1"


def test_binding_twice_listing_and_unbinding(portal):
    handler = {"event": "ONCRMLEADADD", "handler": portal.listener.url}
    assert portal.app("event.bind", **handler)[0] == 200
    again, body = portal.app("event.bind", **handler)
    assert (again, body["error"]) == (400, "ERROR_CORE")
    assert "already binded" in body["error_description"]
    bound = portal.app("event.get")[1]["result"]
    assert bound == [handler | {"auth_type": "0", "offline": 0}]
    assert bound[0].keys() == sample("event.get.response.json")["result"][0].keys()
    assert portal.app("event.unbind", **handler)[1]["result"] == {"count": 1}
    assert portal.app("event.get")[1]["result"] == []
    assert portal.app("event.bind", event="ONNOTHING", handler="https://x")[1] == sample("event.bind.error.json")
    offered = set(portal.app("events")[1]["result"])
    of_one_portal = {name for name in sample("events.response.json")["result"] if name.endswith("_147")}
    assert set(sample("events.response.json")["result"]) - of_one_portal <= offered


def test_a_deal_that_changes_its_pipeline_is_told_to_applications_only(portal):
    portal.control("outgoing_webhook", url=portal.listener.url, events=["ONCRMDEALMOVETOCATEGORY"])
    portal.app("event.bind", event="ONCRMDEALMOVETOCATEGORY", handler=portal.listener.url)
    deal = portal.add_deal()
    portal.call("crm.deal.update", id=deal, fields={"CATEGORY_ID": 1})
    (event,) = portal.events()
    known = [key for key, _ in form_sample("ONCRMDEALMOVETOCATEGORY.webhook.txt") if key.startswith("data")]
    assert [key for key in event if key.startswith("data")] == known
    assert event["data[FIELDS][STAGE_ID]"] == "C1:NEW"


def test_installing_and_testing(portal):
    portal.control("install_app", url=portal.listener.url)
    (event,) = portal.events()
    assert list(event) == [key for key, _ in form_sample("ONAPPINSTALL.webhook.txt")]
    credentials = portal.sandbox.credentials()
    fresh = portal.http.get(
        credentials["oauth_url"],
        params={
            "grant_type": "refresh_token",
            "refresh_token": event["auth[refresh_token]"],
            "client_id": credentials["client_id"],
            "client_secret": credentials["client_secret"],
        },
        timeout=5,
    )
    assert fresh.status_code == 200
    portal.app("event.bind", event="ONAPPTEST", handler=portal.listener.url)
    portal.app("event.test", any="data")
    assert portal.events()[-1]["data[QUERY][any]"] == "data"


# --- the offline queue --------------------------------------------------------------------------


def offline(portal, **params):
    return portal.app("event.offline.get", **params)[1]["result"]


def test_offline_events_wait_one_row_per_object(portal):
    portal.app("event.bind", event="ONCRMDEALUPDATE", event_type="offline")
    portal.app("event.bind", event="ONOFFLINEEVENT", handler=portal.listener.url)
    deal = portal.add_deal()
    for title in ("a", "b"):
        portal.call("crm.deal.update", id=deal, fields={"TITLE": title})
    assert portal.events()[0]["event"] == "ONOFFLINEEVENT"
    assert not any(key.startswith("data") for key in portal.events()[0])
    assert len(portal.app("event.offline.list")[1]["result"]) == 1
    taken = offline(portal, filter={"=EVENT_NAME": "ONCRMDEALUPDATE"})
    known = sample("event.offline.get.response.json")["result"]
    assert (taken.keys(), taken["events"][0].keys()) == (known.keys(), known["events"][0].keys())
    assert taken["events"][0]["EVENT_DATA"] == {"FIELDS": {"ID": deal}}
    assert offline(portal)["events"] == []


def test_reserved_events_are_cleared_or_come_back(portal):
    portal.app("event.bind", event="ONCRMDEALADD", event_type="offline")
    for _ in range(3):
        portal.add_deal()
    first = offline(portal, clear=0, limit=2)
    second = offline(portal, clear=0)
    assert [len(each["events"]) for each in (first, second)] == [2, 1]
    assert first["process_id"] != second["process_id"]
    done, failed = first["events"]
    process = {"process_id": first["process_id"]}
    assert portal.app("event.offline.clear", **process, id=[done["ID"]])[1]["result"] is True
    assert portal.app("event.offline.error", **process, message_id=[failed["MESSAGE_ID"]])[1]["result"] is True
    assert offline(portal)["events"] == []
    assert offline(portal, error=1)["events"] == [failed]


def test_own_writes_stay_out_with_auth_connector(portal):
    portal.app("event.bind", event="ONCRMDEALADD", event_type="offline", auth_connector="hub")
    portal.app("crm.deal.add", fields={}, auth_connector="hub")
    assert offline(portal)["events"] == []
    other = portal.app("crm.deal.add", fields={}, auth_connector="other")[1]["result"]
    assert offline(portal)["events"][0]["EVENT_DATA"]["FIELDS"]["ID"] == other


# --- Open Lines ---------------------------------------------------------------------------------


@pytest.fixture
def connector(portal):
    request = sample("imconnector.register.request.json")
    assert portal.app("imconnector.register", **request | {"auth": portal.token})[1]["result"] == {"result": True}
    line = {"CONNECTOR": "myconnector", "LINE": 107}
    assert portal.app("imconnector.activate", **line, ACTIVE="1")[1]["result"] is True
    assert portal.app("imconnector.connector.data.set", **line, DATA={"ID": "x"})[1]["result"] is True
    return line


def test_register_fails_with_http_200(portal):
    status, body = portal.app("imconnector.register", NAME="x")
    known = sample("imconnector.register.error.json")["result"]
    assert (status, body["result"]["result"], body["result"]["error"]) == (200, False, known["error"])


def test_a_client_writes_and_an_operator_answers(portal, connector):
    portal.app("event.bind", event="OnImConnectorMessageAdd", handler=portal.listener.url)
    request = {**sample("imconnector.send.messages.request.json"), "auth": portal.token}
    result = portal.app("imconnector.send.messages", **request)[1]["result"]
    known = sample("imconnector.send.messages.response.json")["result"]
    assert result["DATA"]["RESULT"][0].keys() == known["DATA"]["RESULT"][0].keys()
    assert result["DATA"]["RESULT"][0]["session"].keys() == {"ID", "CHAT_ID"}
    where = {"connector": "myconnector", "line": 107, "chat": "channel-123"}
    portal.control("operator", **where, text="Добрий день!", user_id=27)
    (event,) = portal.events()
    wire = [key for key, _ in form_sample("ONIMCONNECTORMESSAGEADD.webhook.txt") if key.startswith("data")]
    assert [key for key in event if key.startswith("data")] == wire
    assert event["data[MESSAGES][0][message][text]"] == "[b]Підтримка:[/b] [br]Добрий день!"
    assert event["auth[user_id]"] == "27"
    report = {**sample("imconnector.send.status.delivery.request.json"), "auth": portal.token}
    body = portal.app("imconnector.send.status.delivery", **report)[1]
    assert body["result"] == sample("imconnector.send.status.delivery.response.json")["result"]


def test_what_a_connector_refuses(portal, connector):
    other_line = {"CONNECTOR": "myconnector", "LINE": 1}
    message = {"user": {"id": "u"}, "message": {"id": "m", "text": "x"}, "chat": {"id": "c"}}
    empty = portal.app("imconnector.send.messages", **connector)
    assert empty == (400, sample("imconnector.send.messages.error.json"))
    idle = portal.app("imconnector.send.messages", **other_line, MESSAGES=[message])
    assert idle[1]["error"] == "NOT_ACTIVE_LINE"
    each = [message, message | {"chat": {}}]
    results = portal.app("imconnector.send.messages", **connector, MESSAGES=each)[1]["result"]["DATA"]["RESULT"]
    assert [result["SUCCESS"] for result in results] == [True, False]
    flat = {"im": {"chat_id": 1}, "message": {"id": "text"}, "chat": {"id": "c"}}
    assert portal.app("imconnector.send.status.delivery", **connector, MESSAGES=[flat])[0] == 400
    assert portal.app("imconnector.activate", **connector)[1] == sample("imconnector.activate.error.json")
    status = portal.app("imconnector.status", **connector)[1]["result"]
    assert (status["STATUS"], status["CONFIGURED"]) == (True, True)


# --- telephony ----------------------------------------------------------------------------------


def test_a_call_is_registered_once_and_leaves_an_activity(portal):
    contact = portal.call("crm.contact.add", fields={"NAME": "x", "PHONE": [{"VALUE": "70000000010"}]})[1]["result"]
    request = sample("telephony.externalCall.register.request.json")
    request |= {"auth": portal.token, "USER_ID": 5, "CRM_ENTITY_ID": contact}
    first = portal.app("telephony.externalCall.register", **request)[1]["result"]
    again = portal.app("telephony.externalCall.register", **request)[1]["result"]
    assert first == again
    assert first.keys() == sample("telephony.externalCall.register.response.json")["result"].keys()
    other = portal.app("telephony.externalCall.register", **request | {"EXTERNAL_CALL_ID": "2"})[1]["result"]
    assert other["CALL_ID"] != first["CALL_ID"]
    done = portal.app("telephony.externalCall.finish", CALL_ID=first["CALL_ID"], USER_ID=5, DURATION=95)[1]["result"]
    assert done.keys() == sample("telephony.externalCall.finish.response.json")["result"].keys()
    assert (done["CALL_FAILED_CODE"], done["CRM_ENTITY_ID"]) == ("200", contact)
    activity = portal.call("crm.activity.get", id=done["CRM_ACTIVITY_ID"])[1]["result"]
    assert (activity["OWNER_ID"], activity["TYPE_ID"], activity["DIRECTION"]) == (str(contact), "2", "1")
    record = portal.call("telephony.externalCall.attachRecord", CALL_ID=first["CALL_ID"], RECORD_URL="https://x/1.mp3")
    assert record[1]["result"].keys() == {"FILE_ID"}


def test_an_unknown_caller_becomes_a_lead_if_asked(portal):
    request = {"USER_ID": 1, "PHONE_NUMBER": "+380500000000", "TYPE": 2, "CRM_CREATE": 1}
    result = portal.app("telephony.externalCall.register", **request)[1]["result"]
    assert result["CRM_CREATED_LEAD"] == result["CRM_ENTITY_ID"] == 1001
    missed = portal.app("telephony.externalCall.finish", CALL_ID=result["CALL_ID"], USER_ID=1, DURATION=0)[1]
    assert missed["result"]["CALL_FAILED_CODE"] == "304"


def test_what_telephony_refuses(portal):
    wrong = portal.app("telephony.externalCall.register", USER_ID=1, PHONE_NUMBER="1", TYPE=9)
    assert wrong == (400, sample("telephony.externalCall.register.error.json"))
    assert portal.app("telephony.externalCall.finish")[1] == sample("telephony.externalCall.finish.error.json")
