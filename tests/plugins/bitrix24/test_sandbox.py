"""The portal's door: who may call, how a call may be written, limits, faults, batch."""

import datetime as dt
import json
from pathlib import Path

import pytest
import requests

from plugins.bitrix24.sandbox import Bitrix24Sandbox

SAMPLES = Path(__file__).parent / "samples"


def sample(name):
    return json.loads((SAMPLES / name).read_text())


class Clock:
    def __init__(self):
        self.now = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += dt.timedelta(seconds=seconds)


class Client:
    def __init__(self, running):
        self.sandbox, self.url = running.sandbox, running.url
        self.hook = self.sandbox.credentials()["webhook_url"]
        self.http = requests.Session()

    def call(self, method, base=None, **params):
        answer = self.http.post((base or self.hook) + method, json=params, timeout=5)
        return answer.status_code, answer.json()

    def ok(self, method, **params):
        status, body = self.call(method, **params)
        assert status == 200, body
        return body["result"]

    def app(self, method, **params):
        return self.call(method, base=self.url + "/rest/", **params)

    def arm(self, kind, **more):
        assert self.http.post(self.url + "/_sandbox/fault", json={"kind": kind, **more}, timeout=5).ok

    def state(self):
        return self.http.get(self.url + "/_sandbox/state", timeout=5).json()


def serve(**options):
    with Bitrix24Sandbox(**options).start() as running:
        client = Client(running)
        yield client
        client.http.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def portal(clock):
    yield from serve(clock=clock)


# --- who may call -----------------------------------------------------------------------------


def test_a_wrong_secret_is_refused(portal):
    status, body = portal.call("profile", base=portal.url + "/rest/1/wrong/")
    assert (status, body) == (401, sample("rest-NO_AUTH_FOUND.error.json"))


def test_a_webhook_without_user_id_finds_no_method(portal):
    status, body = portal.call("profile", base=portal.url + "/rest/fakewebhooksecret/")
    assert (status, body["error"]) == (404, "ERROR_METHOD_NOT_FOUND")


def test_an_unknown_method(portal):
    status, body = portal.call("crm.nothing.at.all")
    assert (status, body) == (404, {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"})


@pytest.mark.parametrize("method", ["event.bind", "events", "app.info", "telephony.externalCall.register"])
def test_a_webhook_cannot_do_what_needs_an_application(portal, method):
    assert portal.call(method) == (403, sample("rest-WRONG_AUTH_TYPE.error.json"))


def test_a_scope_that_was_not_granted():
    for portal in serve(scopes=["crm"]):
        assert portal.call("user.get") == (403, sample("rest-insufficient_scope.error.json"))
        assert portal.call("profile")[0] == 200


def test_an_access_token_lives_an_hour(portal, clock):
    token = portal.sandbox.tokens()["access_token"]
    status, body = portal.app("app.info", auth=token)
    assert status == 200
    assert body["result"].keys() == sample("app.info.response.json")["result"].keys()
    clock.pass_(3600)
    assert portal.app("app.info", auth=token) == (401, sample("rest-expired_token.error.json"))


def test_a_call_without_or_with_a_strange_token(portal):
    assert portal.app("profile")[1] == sample("rest-NO_AUTH_FOUND.error.json")
    assert portal.app("profile", auth="strange")[0] == 401


def test_the_token_may_stand_in_the_query(portal):
    token = portal.sandbox.tokens()["access_token"]
    answer = portal.http.post(f"{portal.url}/rest/profile.json?auth={token}", json={}, timeout=5)
    assert answer.json()["result"].keys() == sample("profile.response.json")["result"].keys()


# --- the OAuth server ---------------------------------------------------------------------------


def ask_token(portal, **params):
    credentials = portal.sandbox.credentials()
    params |= {name: params.get(name, credentials[name]) for name in ("client_id", "client_secret")}
    answer = portal.http.get(credentials["oauth_url"], params=params, timeout=5)
    return answer.status_code, answer.json()


def test_the_way_from_consent_to_tokens(portal, clock):
    portal.http.post(portal.url + "/_sandbox/app", json={"redirect_uri": "https://hub.example/back"}, timeout=5)
    query = {"client_id": portal.sandbox.credentials()["client_id"], "state": "s1"}
    page = portal.http.get(portal.url + "/oauth/authorize/", params=query, allow_redirects=False, timeout=5)
    assert page.status_code == 302
    back = requests.models.PreparedRequest()
    back.prepare_url(page.headers["Location"], None)
    shown = dict(requests.compat.urlparse(back.url)._asdict())
    given = dict(pair.split("=") for pair in shown["query"].split("&"))
    assert shown["netloc"] == "hub.example"
    assert given.keys() == {"code", "state", "domain", "member_id", "scope", "server_domain"}
    assert given["state"] == "s1"
    status, tokens = ask_token(portal, grant_type="authorization_code", code=given["code"])
    assert status == 200
    assert tokens.keys() == sample("oauth-token-refresh.response.json").keys()
    again = ask_token(portal, grant_type="authorization_code", code=given["code"])
    assert again == (400, sample("oauth-invalid_grant.error.json"))


def test_a_code_lives_thirty_seconds(portal, clock):
    query = {"client_id": portal.sandbox.credentials()["client_id"], "state": "s"}
    page = portal.http.get(portal.url + "/oauth/authorize/", params=query, allow_redirects=False, timeout=5)
    code = page.headers["Location"].partition("code=")[2].partition("&")[0]
    clock.pass_(30)
    assert ask_token(portal, grant_type="authorization_code", code=code)[1]["error"] == "invalid_grant"


def test_an_unknown_application_gets_no_redirect(portal):
    page = portal.http.get(portal.url + "/oauth/authorize/?client_id=app.x", allow_redirects=False, timeout=5)
    assert page.status_code == 400


def test_a_refresh_gives_a_new_pair_and_the_old_one_dies(portal):
    first = portal.sandbox.tokens()
    status, second = ask_token(portal, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert ask_token(portal, grant_type="refresh_token", refresh_token=first["refresh_token"])[0] == 400
    assert portal.app("profile", auth=second["access_token"])[0] == 200
    assert portal.state()["counters"]["refreshes"] == 1


def test_a_refresh_with_a_wrong_secret_spends_nothing(portal):
    refresh = portal.sandbox.tokens()["refresh_token"]
    wrong = ask_token(portal, grant_type="refresh_token", refresh_token=refresh, client_secret="wrong")
    assert wrong[1]["error"] == "invalid_client"
    assert ask_token(portal, grant_type="refresh_token", refresh_token=refresh)[0] == 200


# --- how a call may be written ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["crm.deal.add", "crm.deal.Add.json", "CRM.DEAL.ADD"])
def test_method_names_have_no_case(portal, method):
    assert isinstance(portal.ok(method, fields={"TITLE": "x"}), int)


def test_json_form_and_query_mean_the_same(portal):
    http, hook = portal.http, portal.hook
    pairs = {"fields[TITLE]": "x", "fields[CONTACT_IDS][0]": "5", "fields[CONTACT_IDS][]": "6"}
    ids = [
        http.post(hook + "crm.deal.add", data=pairs, timeout=5).json()["result"],
        http.get(hook + "crm.deal.add", params=pairs, timeout=5).json()["result"],
        http.post(hook + "crm.deal.add", params=pairs, timeout=5).json()["result"],
        http.post(hook + "crm.deal.add", files={key: (None, text) for key, text in pairs.items()}, timeout=5).json()[
            "result"
        ],
        portal.ok("crm.deal.add", FIELDS={"TITLE": "x", "CONTACT_IDS": [5, 6]}),
    ]
    for number in ids:
        bound = portal.ok("crm.deal.contact.items.get", id=number)
        assert [row["CONTACT_ID"] for row in bound] == [5, 6]


def test_every_answer_tells_its_time(portal):
    time = portal.call("server.time")[1]["time"]
    assert time.keys() == sample("crm.company.list.response.json")["time"].keys()
    assert time["date_start"].endswith("+03:00")


def test_records_are_kept_apart_by_their_ids(portal):
    assert portal.ok("crm.lead.add", fields={"TITLE": "x"}) // 1000 == 1
    assert portal.ok("crm.deal.add", fields={"TITLE": "x"}) // 1000 == 2


# --- limits ---------------------------------------------------------------------------------------


def test_the_bucket_holds_fifty_and_drains_two_a_second(portal, clock):
    statuses = [portal.call("profile")[0] for _ in range(51)]
    assert statuses == [200] * 50 + [503]
    assert portal.call("profile")[1] == sample("rest-QUERY_LIMIT_EXCEEDED.error.json")
    clock.pass_(1)
    assert [portal.call("profile")[0] for _ in range(3)] == [200, 200, 503]


def test_a_batch_is_one_request_for_the_bucket(portal):
    for _ in range(50):
        assert portal.call("batch", cmd={"a": "profile", "b": "profile"})[0] == 200
    assert portal.call("batch", cmd={"a": "profile"})[0] == 503


def test_the_rate_limit_can_be_lifted():
    for portal in serve(rate_per_second=None):
        assert {portal.call("profile")[0] for _ in range(80)} == {200}


def test_a_method_that_used_up_its_time_is_blocked_alone(clock):
    for portal in serve(clock=clock, operating_cost={"crm.deal.list": 200}, operating_limit=480):
        answers = [portal.call("crm.deal.list") for _ in range(3)]
        assert [round(body["time"]["operating"]) for _, body in answers] == [200, 400, 600]
        assert portal.call("crm.deal.list") == (429, sample("rest-OPERATION_TIME_LIMIT.error.json"))
        assert portal.call("crm.lead.list")[0] == 200
        clock.now = dt.datetime.fromtimestamp(answers[-1][1]["time"]["operating_reset_at"], dt.UTC)
        assert portal.call("crm.deal.list")[0] == 200


def test_calls_inside_a_batch_spend_their_methods_time(clock):
    for portal in serve(clock=clock, operating_cost=100, operating_limit=150):
        result = portal.ok("batch", cmd={"a": "profile", "b": "profile", "c": "profile"})
        assert result["result_error"] == {"c": sample("rest-OPERATION_TIME_LIMIT.error.json")}


def test_latency_is_real():
    for portal in serve(latency=0.05):
        assert portal.http.get(portal.hook + "profile", timeout=5).elapsed.total_seconds() >= 0.05


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("expired_token", 401, "expired_token"),
        ("rate_limit", 503, "QUERY_LIMIT_EXCEEDED"),
        ("operating_limit", 429, "OPERATION_TIME_LIMIT"),
        ("internal_error", 500, "INTERNAL_SERVER_ERROR"),
        ("overload", 503, "OVERLOAD_LIMIT"),
        ("access_denied", 403, "ACCESS_DENIED"),
    ],
)
def test_armed_errors_hit_the_named_method_once(portal, kind, status, code):
    portal.arm(kind, match="crm.deal.Add")
    assert portal.call("crm.lead.add", fields={"TITLE": "x"})[0] == 200
    answered, body = portal.call("crm.deal.add", fields={"TITLE": "x"})
    assert (answered, body["error"]) == (status, code)
    assert portal.call("crm.deal.add", fields={"TITLE": "x"})[0] == 200
    assert portal.state()["counters"]["creates"]["deal"] == 1


def test_html_in_place_of_json(portal):
    portal.arm("html")
    answer = portal.http.get(portal.hook + "profile", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_lost_reply_still_created_the_record(portal):
    portal.arm("lost_reply", match="crm.lead.add")
    with pytest.raises(requests.ConnectionError):
        portal.call("crm.lead.add", fields={"TITLE": "x"})
    assert portal.state()["counters"]["creates"]["lead"] == 1


def test_a_refused_refresh(portal):
    portal.arm("invalid_grant")
    refresh = portal.sandbox.tokens()["refresh_token"]
    assert ask_token(portal, grant_type="refresh_token", refresh_token=refresh)[1]["error"] == "invalid_grant"
    assert ask_token(portal, grant_type="refresh_token", refresh_token=refresh)[0] == 200


def test_reset_forgets_everything(portal):
    portal.ok("crm.deal.add", fields={"TITLE": "x"})
    portal.http.post(portal.url + "/_sandbox/reset", timeout=5)
    state = portal.state()
    assert state["deals"] == []
    assert portal.ok("crm.deal.add", fields={"TITLE": "x"}) == 2001


# --- batch ----------------------------------------------------------------------------------------


def test_batch_answers_by_key_and_in_the_documented_shape(portal):
    request = {"get_user": "user.current", "types": "crm.status.list?filter[ENTITY_ID]=STATUS", "no": "app.info"}
    result = portal.ok("batch", halt=0, cmd=request)
    assert result.keys() == sample("batch.response.json")["result"].keys()
    assert result["result"]["get_user"]["ID"] == "1"
    assert result["result_total"] == {"types": 7}
    assert result["result_next"] == []
    assert result["result_error"]["no"]["error"] == "WRONG_AUTH_TYPE"
    assert result["result_time"].keys() == {"get_user", "types"}


def test_all_failed_is_still_200_with_empty_arrays(portal):
    result = portal.ok("batch", cmd={"a": "app.info", "b": "batch?cmd[0]=profile"})
    expected = sample("batch-halt0-errors.response.json")["result"]
    assert {key: value for key, value in result.items() if key != "result_error"} == {
        key: value for key, value in expected.items() if key != "result_error"
    }
    assert result["result_error"]["b"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_a_fault_may_hit_one_command(portal):
    portal.arm("internal_error", match="crm.deal.add")
    result = portal.ok("batch", cmd={"a": "crm.deal.add?fields[TITLE]=x", "b": "crm.deal.add?fields[TITLE]=y"})
    assert result["result_error"] == {"a": sample("rest-INTERNAL_SERVER_ERROR.error.json")}
    assert [deal["TITLE"] for deal in portal.state()["deals"]] == ["y"]


def test_later_commands_use_earlier_results(portal):
    deal = portal.ok("crm.deal.add", fields={"TITLE": "known"})
    commands = {
        "found": "crm.deal.list?filter[TITLE]=known&select[]=ID",
        "deal": "crm.deal.get?ID=$result[found][0][ID]",
        "note": "crm.timeline.comment.add?fields[ENTITY_TYPE]=deal&fields[ENTITY_ID]=$result[deal][ID]"
        "&fields[COMMENT]=deal%20$result[deal][TITLE]%21",
        "none": "crm.deal.get?ID=$result[found][7][ID]",
    }
    result = portal.ok("batch", cmd=commands)
    assert result["result"]["deal"]["ID"] == str(deal)
    assert portal.state()["comments"][0]["COMMENT"] == "deal known!"
    assert "none" in result["result_error"]


def test_commands_as_a_list_are_answered_as_a_list(portal):
    result = portal.ok("batch", cmd=["profile", "server.time"])
    assert isinstance(result["result"], list)
    mixed = portal.ok("batch", cmd=["app.info", "server.time"])
    assert list(mixed["result"]) == ["1"]
    assert isinstance(mixed["result_error"], list)


def test_commands_in_a_form_are_encoded_twice(portal):
    body = "halt=0&cmd%5Ba%5D=crm.deal.add%3Ffields%255BTITLE%255D%3D%2525%2526%2Bx"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = portal.http.post(portal.hook + "batch", data=body, headers=form, timeout=5).json()
    assert portal.ok("crm.deal.get", id=answer["result"]["result"]["a"])["TITLE"] == "%& x"


def test_halt_leaves_the_rest_undone(portal):
    result = portal.ok("batch", halt=1, cmd={"a": "profile", "b": "nope", "c": "crm.deal.add?fields[TITLE]=x"})
    assert (list(result["result"]), list(result["result_error"])) == (["a"], ["b"])
    assert portal.state()["counters"]["creates"]["deal"] == 0


def test_more_than_fifty_commands(portal):
    result = portal.ok("batch", cmd={f"c{number}": "server.time" for number in range(52)})
    assert len(result["result"]) == 50
    codes = {key: error["error"] for key, error in result["result_error"].items()}
    assert codes == {"c50": "ERROR_BATCH_LENGTH_EXCEEDED", "c51": "ERROR_BATCH_LENGTH_EXCEEDED"}
