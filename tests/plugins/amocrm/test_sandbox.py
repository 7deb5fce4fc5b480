"""The stand-in behaves as amoCRM's pages say: access, envelopes, paging, limits, webhooks; over real HTTP alone."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import flask
import pytest
import requests
from werkzeug.serving import make_server

from hub import phpform
from plugins.amocrm.sandbox import AmoCrmSandbox
from plugins.amocrm.sandbox.access import CLIENT_ID, CLIENT_SECRET, LONG_LIVED

BEARER = {"Authorization": f"Bearer {LONG_LIVED}"}


class Stand:
    """A running sandbox and its plain HTTP."""

    def __init__(self, **options: Any) -> None:
        self.sandbox = AmoCrmSandbox(**{"rate_per_second": None, **options})
        self.running = self.sandbox.start()
        self.url = self.running.url

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        return requests.request(
            method, f"{self.url}/api/v4/{path}", json=body, headers={**BEARER, **headers}, timeout=5
        )

    def control(self, path: str, **body: Any) -> Any:
        return requests.post(f"{self.url}/_sandbox/{path}", json=body, timeout=5).json()

    def token(self, **given: str) -> requests.Response:
        body = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": self.sandbox.access.redirect_uri,
        }
        return requests.post(f"{self.url}/oauth2/access_token", json={**body, **given}, timeout=5)


@pytest.fixture
def stands() -> Iterator[Callable[..., Stand]]:
    made: list[Stand] = []

    def make(**options: Any) -> Stand:
        made.append(Stand(**options))
        return made[-1]

    yield make
    for one in made:
        one.running.stop()
        one.sandbox.hooks.close()


@pytest.fixture
def stand(stands: Callable[..., Stand]) -> Stand:
    return stands()


class Handler:
    """Somebody's address for webhooks; `status` is what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        app = flask.Flask("handler")

        @app.route("/<path:path>", methods=["GET", "POST"])
        def take(path: str) -> Any:
            raw = flask.request.get_data().decode()
            self.got.append((raw, phpform.decode(parse_qsl(raw, keep_blank_values=True))))
            return "", self.status

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def handler() -> Iterator[Handler]:
    made = Handler()
    yield made
    made.server.shutdown()
    made.server.server_close()


class TestAccess:
    def test_no_token_no_answer(self, stand):
        answer = stand.call("GET", "account", Authorization="Bearer nonsense")
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.json()["detail"] == "Неверный логин или пароль"

    def test_a_refresh_token_works_once(self, stand):
        pair = stand.sandbox.access.pair()
        fresh = stand.token(grant_type="refresh_token", refresh_token=pair["refresh_token"])
        assert fresh.json()["expires_in"] == 86400
        again = stand.token(grant_type="refresh_token", refresh_token=pair["refresh_token"])
        assert (again.status_code, again.json()["hint"]) == (401, "Token has been revoked")
        headers = {"Authorization": f"Bearer {fresh.json()['access_token']}"}
        assert stand.call("GET", "account", **headers).status_code == 200

    def test_a_code_lives_twenty_minutes_and_works_once(self, stands):
        clock = [1_800_000_000.0]
        stand = stands(clock=lambda: clock[0])
        asked = {"client_id": CLIENT_ID, "state": "s"}
        back = requests.get(f"{stand.url}/oauth", params=asked, allow_redirects=False, timeout=5).headers["location"]
        code = dict(parse_qsl(back.partition("?")[2]))["code"]
        assert stand.token(grant_type="authorization_code", code=code).status_code == 200
        assert stand.token(grant_type="authorization_code", code=code).json()["hint"].endswith("revoked")
        late = stand.sandbox.access.authorize(CLIENT_ID)
        clock[0] += 1201
        assert stand.token(grant_type="authorization_code", code=late).json()["hint"].endswith("expired")

    @pytest.mark.parametrize(
        ("given", "hint"),
        [
            ({"client_secret": "wrong"}, "Check the `client_id` parameter"),
            ({"redirect_uri": "https://evil.example"}, "Redirect URI is not associated with client"),
            ({"grant_type": "password"}, "Check the `grant_type` parameter"),
        ],
    )
    def test_what_the_token_endpoint_refuses(self, stand, given, hint):
        assert stand.token(**given).json()["hint"] == hint

    def test_a_token_ends_after_a_day(self, stands):
        clock = [1_800_000_000.0]
        stand = stands(clock=lambda: clock[0])
        headers = {"Authorization": f"Bearer {stand.sandbox.access.pair()['access_token']}"}
        assert stand.call("GET", "account", **headers).status_code == 200
        clock[0] += 86_401
        assert stand.call("GET", "account", **headers).status_code == 401


class TestAnswers:
    def test_an_empty_list_and_a_missing_record_are_204(self, stand):
        for path in ("leads", "leads/5", "leads/unsorted", "webhooks", "contacts?page=2"):
            assert (stand.call("GET", path).status_code, stand.call("GET", path).content) == (204, b"")

    def test_pages(self, stand):
        stand.call("POST", "leads", [{"name": str(n)} for n in range(5)])
        first = stand.call("GET", "leads?limit=2&page=1").json()
        assert [row["name"] for row in first["_embedded"]["leads"]] == ["0", "1"]
        assert "page=2" in first["_links"]["next"]["href"]
        last = stand.call("GET", "leads?limit=2&page=3").json()
        assert "next" not in last["_links"]
        assert stand.call("GET", "leads?limit=2&page=4").status_code == 204
        assert stand.call("GET", "leads?order[id]=desc&limit=1").json()["_embedded"]["leads"][0]["name"] == "4"

    def test_answers_are_thin(self, stand):
        made = stand.call("POST", "leads", [{"name": "a", "request_id": "mine"}, {"name": "b"}]).json()
        rows = made["_embedded"]["leads"]
        assert [row["request_id"] for row in rows] == ["mine", "1"]
        assert set(rows[0]) == {"id", "request_id", "_links"}
        changed = stand.call("PATCH", "leads", [{"id": rows[0]["id"], "price": 5}]).json()["_embedded"]["leads"][0]
        assert set(changed) == {"id", "request_id", "updated_at", "_links"}

    def test_complex_answers_a_bare_list(self, stand, recorded):
        body = [{"name": "x", "request_id": "1", "_embedded": {"contacts": [{"first_name": "Test"}]}}]
        [row] = stand.call("POST", "leads/complex", body).json()
        assert set(row) == set(recorded("leads-complex.response.json")[0])
        assert row["request_id"] == ["1"]

    def test_post_takes_an_array_alone(self, stand):
        assert stand.call("POST", "leads", {"name": "x"}).status_code == 400

    def test_one_bad_item_refuses_the_whole_batch(self, stand):
        bad = {"name": "b", "request_id": "q", "custom_fields_values": [{"field_id": 1, "values": [{"value": "x"}]}]}
        answer = stand.call("POST", "leads", [{"name": "a"}, bad])
        assert answer.status_code == 400
        [objected] = answer.json()["validation-errors"]
        assert objected["request_id"] == "q"
        assert objected["errors"][0] == {
            "code": "NotSupportedChoice", "path": "custom_fields_values.0.field_id",
            "detail": "The value you selected is not a valid choice.",
        }  # fmt: skip
        assert stand.call("GET", "leads").status_code == 204

    def test_a_stage_must_be_of_its_pipeline(self, stand):
        assert stand.call("POST", "leads", [{"pipeline_id": 7100002, "status_id": 61000001}]).status_code == 400
        assert stand.call("POST", "leads", [{"pipeline_id": 7100002, "status_id": 142}]).status_code == 200

    def test_what_isnt_offered(self, stand):
        assert stand.call("DELETE", "leads/5").status_code == 405
        assert stand.call("GET", "nonsense").status_code == 404

    @pytest.mark.parametrize("name", ["account", "users-list", "pipelines-list", "custom-fields-list"])
    def test_the_shapes_are_those_recorded(self, stand, recorded, name):
        """Whatever a recorded answer has, the stand-in's has too (but for what this account lacks)."""
        path = {"account": "account?with=amojo_id", "users-list": "users", "pipelines-list": "leads/pipelines",
                "custom-fields-list": "leads/custom_fields?limit=2"}[name]  # fmt: skip
        ours, theirs = stand.call("GET", path).json(), recorded(f"{name}.response.json")
        lacks = {"_links", "uuid", "last", "_page_count", "_page", "amojo_rights", "users_groups", "entity_names",
                 "datetime_settings", "_embedded.users._embedded", "mail_access", "catalog_access"}  # fmt: skip
        assert missing(theirs, ours, lacks) == []


def missing(theirs: Any, ours: Any, lacks: set[str], path: str = "") -> list[str]:
    """Return the paths of `theirs` that `ours` hasn't."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return [path]
        found = []
        for key, below in theirs.items():
            place = f"{path}.{key}".lstrip(".")
            if key in lacks or place in lacks:
                continue
            found += missing(below, ours[key], lacks, place) if key in ours else [place]
        return found
    if isinstance(theirs, list) and theirs and isinstance(ours, list) and ours:
        return missing(theirs[0], ours[0], lacks, path)
    return []


class TestLimits:
    def test_seven_a_second_and_then_429_without_a_word(self, stands):
        stand = stands(rate_per_second=7)
        answers = [stand.call("GET", "account") for _ in range(12)]
        assert 429 in [one.status_code for one in answers]
        refused = next(one for one in answers if one.status_code == 429)
        assert "retry-after" not in refused.headers
        assert refused.headers["content-type"].startswith("text/html")

    def test_going_on_ends_in_the_block_that_only_support_lifts(self, stands):
        stand = stands(rate_per_second=1, block_after=3)
        codes = [stand.call("GET", "account").status_code for _ in range(6)]
        assert codes[-1] == 403
        assert "<center>nginx</center>" in stand.call("GET", "account").text
        assert stand.token(grant_type="refresh_token").status_code == 403  # the token endpoint too
        stand.control("unblock")
        assert stand.call("GET", "account").status_code in (200, 429)


class TestWebhooks:
    def subscribe(self, stand: Stand, handler: Handler, *settings: str) -> dict[str, Any]:
        answer = stand.call("POST", "webhooks", {"destination": handler.url, "settings": list(settings), "sort": 10})
        assert answer.status_code == 201
        found: dict[str, Any] = answer.json()
        return found

    def test_registering_changes_and_unregistering(self, stand, handler, recorded):
        first = self.subscribe(stand, handler, "add_lead")
        assert set(recorded("webhooks-subscribe.response.json")) <= set(first)
        assert self.subscribe(stand, handler, "add_lead", "update_lead")["id"] == first["id"]
        assert len(stand.call("GET", "webhooks").json()["_embedded"]["webhooks"]) == 1
        assert stand.call("DELETE", "webhooks", {"destination": handler.url}).status_code == 204
        assert stand.call("DELETE", "webhooks", {"destination": handler.url}).status_code == 404
        wrong = {"destination": "ftp://x", "settings": ["add_lead"]}
        assert stand.call("POST", "webhooks", wrong).status_code == 400
        assert (
            stand.call("POST", "webhooks", {**wrong, "destination": handler.url, "settings": ["x"]}).status_code == 400
        )

    def test_a_handler_without_a_token(self, stand, handler):
        assert len(stand.control("hooks", url=handler.url)["settings"]) > 30
        stand.call("POST", "leads", [{"name": "x"}])
        assert stand.sandbox.wait_hooks()
        assert [list(body) for _, body in handler.got] == [["account", "leads"]]
        assert stand.control("hooks", url="ftp://x")["status"] == 400

    def test_one_move_fans_out_as_forms_of_strings(self, stand, handler):
        self.subscribe(stand, handler, "add_lead", "update_lead", "status_lead", "responsible_lead")
        number = stand.call("POST", "leads", [{"name": "x", "price": 500}]).json()["_embedded"]["leads"][0]["id"]
        change = {"status_id": 142, "pipeline_id": 7100001, "responsible_user_id": 3000002}
        stand.call("PATCH", f"leads/{number}", change)
        assert stand.sandbox.wait_hooks()
        bodies = [body for _, body in handler.got]
        assert [list(body["leads"]) for body in bodies] == [["add"], ["update"], ["status"], ["responsible"]]
        status = bodies[2]["leads"]["status"][0]
        assert (status["status_id"], status["old_status_id"], status["price"]) == ("142", "61000001", "500")
        assert (status["last_modified"], status["date_create"]) == (status["updated_at"], status["created_at"])
        assert handler.got[0][0].startswith("account%5Bsubdomain%5D=example&account%5Bid%5D=31000001")

    def test_companies_come_under_contacts_and_dates_without_a_value(self, stand, handler):
        self.subscribe(stand, handler, "add_contact", "add_company")
        born = {"field_id": 602003, "values": [{"value": "2000-05-04T00:00:00+03:00"}]}
        phone = {"field_code": "PHONE", "values": [{"value": "+79161112233", "enum_code": "MOB"}]}
        stand.call("POST", "contacts", [{"name": "a", "custom_fields_values": [born, phone]}, {"name": "b"}])
        stand.call("POST", "companies", [{"name": "c"}])
        assert stand.sandbox.wait_hooks()
        people, companies = (body["contacts"]["add"] for _, body in handler.got)
        assert [row["name"] for row in people] == ["a", "b"]  # several in one body
        assert people[0]["custom_fields"][0]["values"] == ["957387600"]
        assert people[0]["custom_fields"][1]["code"] == "PHONE"
        assert companies[0]["type"] == "company"

    def test_bad_answers_are_tried_again_and_switch_it_off(self, stands, handler):
        clock = [1_800_000_000.0]
        stand = stands(clock=lambda: clock[0])
        self.subscribe(stand, handler, "add_lead")
        handler.status = 500
        stand.call("POST", "leads", [{"name": "x"}])
        for wait in (300, 900, 900, 3600):
            assert stand.sandbox.wait_hooks()
            [sent] = stand.sandbox.hooks.sent
            assert sent.due == clock[0] + wait
            clock[0] += wait
            stand.control("hooks/redeliver")
        assert stand.sandbox.wait_hooks()
        assert (sent.tries, sent.done, {raw for raw, _ in handler.got}) == (5, True, {handler.got[0][0]})
        for _ in range(101):
            stand.call("POST", "leads", [{"name": "x"}])
        assert stand.sandbox.wait_hooks(20)
        assert stand.call("GET", "webhooks").json()["_embedded"]["webhooks"][0]["disabled"] is True
        self.subscribe(stand, handler, "add_lead")
        assert stand.call("GET", "webhooks").json()["_embedded"]["webhooks"][0]["disabled"] is False

    def test_a_4xx_is_tried_three_times(self, stand, handler):
        self.subscribe(stand, handler, "add_lead")
        handler.status = 404
        stand.call("POST", "leads", [{"name": "x"}])
        for _ in range(5):
            assert stand.sandbox.wait_hooks()
            stand.control("hooks/redeliver")
        assert stand.sandbox.wait_hooks()
        assert len(handler.got) == 3

    def test_a_note_and_a_task(self, stand, handler):
        self.subscribe(stand, handler, "note_lead", "add_task", "update_task")
        number = stand.call("POST", "leads", [{"name": "x"}]).json()["_embedded"]["leads"][0]["id"]
        stand.call("POST", f"leads/{number}/notes", [{"note_type": "common", "params": {"text": "a & b"}}])
        made = stand.call(
            "POST",
            "tasks",
            [{"text": "t", "complete_till": 1_800_000_000, "entity_id": number, "entity_type": "leads"}],
        )
        stand.call(
            "PATCH",
            f"tasks/{made.json()['_embedded']['tasks'][0]['id']}",
            {"is_completed": True, "result": {"text": "ok"}},
        )
        assert stand.sandbox.wait_hooks()
        note, added, done = (body for _, body in handler.got)
        assert note["leads"]["note"][0]["note"]["text"] == "a &amp; b"
        assert note["leads"]["note"][0]["note"]["note_type"] == "4"
        assert (added["task"]["add"][0]["element_type"], added["task"]["add"][0]["status"]) == ("2", "0")
        assert done["task"]["update"][0]["status"] == "1"

    def test_accepting_arrives_as_a_deletion(self, stand, handler):
        self.subscribe(stand, handler, "add_unsorted", "delete_unsorted", "add_message")
        uid = stand.control("chat/incoming", text="hello")["uid"]
        stand.call("POST", f"leads/unsorted/{uid}/accept", {})
        assert stand.sandbox.wait_hooks()
        added, message, deleted = (body for _, body in handler.got)
        assert added["unsorted"]["add"][0]["source_data"]["data"][0]["text"] == "hello"
        assert message["message"]["add"][0]["type"] == "incoming"
        assert deleted["unsorted"]["delete"][0]["action"] == "accept"
        assert deleted["unsorted"]["delete"][0]["accept_result"]["leads"] == [added["unsorted"]["add"][0]["lead_id"]]

    def test_the_farewell_is_signed(self, stand):
        got: list[Any] = []
        app = flask.Flask("farewell")
        app.add_url_rule("/bye", view_func=lambda: got.append(flask.request.args.to_dict()) or "")
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stand.control("disconnect", url=f"http://127.0.0.1:{server.server_port}/bye")
        server.shutdown()
        server.server_close()
        [told] = got
        message = f"{told['client_uuid']}|{told['account_id']}".encode()
        assert told["signature"] == hmac.digest(CLIENT_SECRET.encode(), message, "sha256").hex()
        assert stand.call("GET", "account").status_code == 401


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "status"),
        [("expired_token", 401), ("unpaid", 402), ("forbidden", 403), ("blocked", 403), ("rate_limit", 429),
         ("gateway", 504), ("validation", 400), ("html", 200), ("503", 503)],
    )  # fmt: skip
    def test_each_fault_does_as_it_says(self, stand, kind, status):
        stand.control("fault", kind=kind, match="GET account", times=1)
        assert stand.call("GET", "account").status_code == status
        again = stand.call("GET", "account").status_code
        assert again == (403 if kind == "blocked" else 200)

    def test_starting_afresh(self, stand):
        stand.call("POST", "leads", [{"name": "x"}])
        stand.control("reset")
        assert stand.call("GET", "leads").status_code == 204
        assert requests.get(f"{stand.url}/_sandbox/state", timeout=5).json()["records"]["leads"] == {}
