"""The stand-in is as its pages say: shapes as recorded, auth, limits, errors, webhooks as they stand on the wire."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from hub.sandbox import COMMON_FAULTS
from plugins.instagram.sandbox import ACCOUNT, CLIENT, OTHER_ACCOUNT, POST, InstagramSandbox
from plugins.instagram.sandbox.world import STRANGER
from plugins.meta.sandbox import APP_SECRET, FAULTS, VERIFY_TOKEN
from plugins.meta.signature import digest

SAMPLES = Path(__file__).parent / "samples"


class Stand:
    """A running stand-in and a client of it."""

    def __init__(self, login: str = "instagram", **options: Any) -> None:
        self.moment = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
        self.sandbox = InstagramSandbox(login, clock=lambda: self.moment, **options)
        self.running = self.sandbox.start()
        self.token = self.sandbox.access[ACCOUNT]

    def call(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return requests.request(method, f"{self.running.url}/v26.0/{path}", headers=headers, timeout=5, **options)

    def control(self, what: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.running.url}/_sandbox/{what}", json=body, timeout=5)

    def send(self, **body: Any) -> dict[str, Any]:
        whole = {"recipient": {"id": CLIENT}, "message": {"text": "Hello"}, **body}
        answer: dict[str, Any] = self.call("POST", f"{ACCOUNT}/messages", json=whole).json()
        return answer


@pytest.fixture
def stands() -> Iterator[Callable[..., Stand]]:
    made: list[Stand] = []

    def make(*arguments: Any, **options: Any) -> Stand:
        made.append(Stand(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.running.stop()


@pytest.fixture
def stand(stands: Callable[..., Stand]) -> Stand:
    made = stands()
    made.sandbox.write(CLIENT, "Hi")
    return made


def recorded(name: str) -> Any:
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


# --- shapes -------------------------------------------------------------------------------------------------------


def test_answers_have_the_recorded_shapes(stand: Stand) -> None:
    comment = stand.sandbox.comment(CLIENT, "How much?")
    answers = {
        "send-message-text.response": stand.send(),
        "private-reply.response": stand.send(recipient={"comment_id": comment}),
        "comment-reply.response": stand.call("POST", f"{comment}/replies?message=Thanks").json(),
        "comment-hide.response": stand.call("POST", f"{comment}?hide=true").json(),
        "user-profile.response": stand.call(
            "GET", CLIENT, params={"fields": ",".join(recorded("user-profile.response"))}
        ).json(),
        "subscribed-apps.response": stand.call("POST", "me/subscribed_apps?subscribed_fields=comments,messages").json(),
    }
    for name, answer in answers.items():
        assert set(answer) == set(recorded(name)), name
    [row] = stand.call("GET", "me/conversations?platform=instagram").json()["data"]
    assert set(row) == set(recorded("conversations-list.response")["data"][0])


@pytest.mark.parametrize(
    "body", ["send-message-text.request", "send-message-image.request", "send-message-human-agent.request"]
)
def test_recorded_requests_are_taken(stand: Stand, body: str) -> None:
    assert "message_id" in stand.call("POST", f"{ACCOUNT}/messages", json=recorded(body)).json()


def test_a_form_is_taken_like_json(stand: Stand) -> None:
    form = {"recipient": f'{{"id": "{CLIENT}"}}', "message": '{"text": "Hello"}', "access_token": stand.token}
    answer = requests.post(f"{stand.running.url}/v6.0/me/messages", data=form, timeout=5)
    assert "message_id" in answer.json()


# --- who may ------------------------------------------------------------------------------------------------------


def test_tokens(stand: Stand) -> None:
    assert stand.call("GET", "me", "IGwrong").json()["error"]["code"] == 190
    bare = requests.get(f"{stand.running.url}/v26.0/me", timeout=5)
    assert bare.json()["error"]["code"] == 2500
    stand.moment += dt.timedelta(days=61)
    expired = stand.call("GET", "me").json()["error"]
    assert (expired["code"], expired["error_subcode"]) == (190, 463)
    assert set(expired) == set(recorded("token-expired.error")["error"])


def test_an_account_is_no_others(stand: Stand) -> None:
    comment = stand.sandbox.comment(CLIENT, "Hi")
    other = stand.sandbox.access[OTHER_ACCOUNT]
    for path in (comment, ACCOUNT, POST):
        assert stand.call("GET", path, other).json()["error"]["error_subcode"] == 33


def test_a_page_token_is_nothing_for_the_other_login(stands: Callable[..., Stand]) -> None:
    page = stands("facebook")
    assert page.call("GET", "me?fields=id,instagram_business_account").json()["instagram_business_account"]
    assert stands().call("GET", "me", page.token).json()["error"]["code"] == 190


def test_the_ids_differ_as_they_do(stand: Stand) -> None:
    own = stand.call("GET", "me?fields=id,user_id").json()
    assert own["user_id"] == ACCOUNT
    assert own["id"] != ACCOUNT


def test_no_profile_before_the_first_message(stand: Stand) -> None:
    assert "User consent" in stand.call("GET", f"{STRANGER}?fields=name").json()["error"]["message"]


# --- the window ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "body", "code"),
    [(23, {}, None), (25, {}, 10), (25, {"tag": "HUMAN_AGENT"}, None), (169, {"tag": "HUMAN_AGENT"}, 10),
     (1, {"tag": "POST_PURCHASE_UPDATE"}, 100)],
)  # fmt: skip
def test_the_window(stand: Stand, hours: float, body: dict[str, str], code: int | None) -> None:
    stand.control("age", hours=hours)
    answer = stand.send(**body)
    assert answer.get("error", {}).get("code") == code


def test_without_the_feature_a_tag_opens_nothing(stands: Callable[..., Stand]) -> None:
    stand = stands(human_agent=False)
    stand.sandbox.write(CLIENT, "Hi")
    stand.control("age", hours=25)
    assert stand.send(tag="HUMAN_AGENT")["error"]["error_subcode"] == 2534022


def test_a_private_reply_opens_no_window_and_is_for_seven_days(stand: Stand) -> None:
    comment = stand.sandbox.comment(STRANGER, "How much?")
    assert "message_id" in stand.send(recipient={"comment_id": comment})
    assert stand.send(recipient={"id": STRANGER})["error"]["code"] == 10
    late = stand.sandbox.comment(STRANGER, "And now?")
    stand.moment += dt.timedelta(days=8)
    assert stand.send(recipient={"comment_id": late})["error"]["code"] == 10


def test_only_the_twenty_newest_messages_have_details(stand: Stand) -> None:
    for n in range(25):
        stand.sandbox.write(CLIENT, f"message {n}")
    [row] = stand.call("GET", "me/conversations?platform=instagram").json()["data"]
    rows = stand.call("GET", f"{row['id']}?fields=messages{{id,created_time,from,to,message}}").json()["messages"][
        "data"
    ]
    assert [("message" in one) for one in rows] == [True] * 20 + [False] * 6
    assert stand.call("GET", f"{rows[-1]['id']}?fields=id,message").status_code == 400


# --- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_metas_error(stand: Stand, kind: str) -> None:
    stand.control("fault", kind=kind)
    answer = stand.call("GET", "me")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, FAULTS[kind][0])
    if kind == "rate_limit":
        assert "estimated_time_to_regain_access" in answer.headers["X-Business-Use-Case-Usage"]
        assert set(answer.json()["error"]) == set(recorded("rate-limit-buc.error")["error"])


def test_sent_although_it_says_error(stand: Stand) -> None:
    stand.control("fault", kind="sent_but_error")
    assert stand.send()["error"]["error_subcode"] == 1357046
    assert [row["text"] for chat in stand.sandbox.world.chats.values() for row in chat.messages] == ["Hi", "Hello"]


def test_unknown_faults_and_arguments_are_told(stand: Stand) -> None:
    answer = stand.control("fault", kind="flood")
    assert all(kind in answer.json()["error"] for kind in (*COMMON_FAULTS, *FAULTS, "drop_webhook"))
    assert stand.control("read", message="x").status_code == 400


def test_reset_begins_afresh(stand: Stand) -> None:
    stand.control("reset")
    assert stand.call("GET", "me").json()["error"]["code"] == 190
    assert stand.sandbox.state()["chats"] == []


# --- webhooks -----------------------------------------------------------------------------------------------------


class Handler:
    """A handler that keeps what it gets and answers with what is next."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        outer = self

        class Handle(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(part.split("=") for part in self.path.partition("?")[2].split("&"))
                self._say(200, query["hub.challenge"] if query["hub.verify_token"] == VERIFY_TOKEN else "")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self._say(outer.answers.pop(0) if outer.answers else 200, "")

            def _say(self, status: int, text: str) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handle)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def handler() -> Iterator[Handler]:
    made = Handler()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_nothing_is_told_before_the_account_is_subscribed(stand: Stand, handler: Handler) -> None:
    assert stand.control("handler", url=handler.url).json() == {"success": True}
    stand.control("write", text="Hi")
    assert handler.got == []
    stand.call("POST", "me/subscribed_apps?subscribed_fields=messages")
    stand.control("comment", text="a field that wasn't asked for comes all the same")
    stand.sandbox.wait_webhooks()
    assert len(handler.got) == 1


def test_a_webhook_is_signed_as_it_stands_on_the_wire(stand: Stand, handler: Handler) -> None:
    stand.control("handler", url=handler.url)
    stand.call("POST", "me/subscribed_apps?subscribed_fields=messages")
    story = {"story": {"url": "https://lookaside.fbsbx.com/x", "id": "1"}}
    stand.control("write", text="Скільки?", reply_to=story)
    stand.sandbox.wait_webhooks()
    [(headers, body)] = handler.got
    assert b"\\u0421\\u043a" in body
    assert b"https:\\/\\/lookaside" in body
    assert headers["x-hub-signature-256"] == f"sha256={digest(APP_SECRET, body)}"
    told, vector = orjson.loads(body), orjson.loads((SAMPLES / "signed-messages-cyrillic.body.txt").read_bytes())
    assert set(told["entry"][0]) == set(vector["entry"][0])
    assert set(told["entry"][0]["messaging"][0]) == set(vector["entry"][0]["messaging"][0])


def test_what_is_refused_is_sent_again(stand: Stand, handler: Handler) -> None:
    stand.control("handler", url=handler.url)
    stand.call("POST", "me/subscribed_apps?subscribed_fields=messages")
    handler.answers = [500, 503]
    stand.control("write", text="Hi")
    stand.sandbox.wait_webhooks()
    assert len({body for _, body in handler.got}) == 1
    assert len(handler.got) == 3


def test_a_handler_that_does_not_answer_the_challenge_is_not_saved(stand: Stand) -> None:
    answer = stand.control("handler", url=f"{stand.running.url}/v26.0/me")
    assert answer.status_code == 400
    assert "couldn't be validated" in answer.json()["error"]
