"""Consent: it begins with a link of ours, ends in the same browser, once, and fails without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.consent import invite
from hub.errors import AuthFailed, Rejected, Retry
from hub.model import Reply, Request
from hub.store import state
from hub.web import create_app
from tests.hub.fakes import PLUGINS, Box
from tests.hub.wild import YAML, Small, Wild, receipts, rows


def begin(box: Box, web: FlaskClient, name: str = "wild") -> str:
    """Open a fresh link in this browser, and return the state that the vendor is given."""
    link = invite(box.runtime, name)
    assert link is not None
    page = web.get(link.removeprefix("https://hub.example"), base_url="https://hub.example")
    assert page.status_code == 302, page.text
    return page.headers["Location"].partition("state=")[2].partition("&")[0]


def end(web: FlaskClient, state: str, name: str = "wild", method: str = "GET") -> TestResponse:
    given = {"code": "1", "state": state}
    return web.open(f"/oauth/{name}", method=method, query_string=given, base_url="https://hub.example")


def test_consent_begins_with_a_link_and_ends_in_the_same_browser(box: Box, web: FlaskClient) -> None:
    link = invite(box.runtime, "wild")
    assert link is not None and link.startswith("https://hub.example/oauth/wild?begin=")
    start = web.get(link.removeprefix("https://hub.example"), base_url="https://hub.example")
    target = start.headers["Location"]
    assert (start.status_code, start.headers["Cache-Control"]) == (302, "no-store")
    assert target.startswith("https://vendor.example/authorize?state=")
    assert target.endswith("&to=https://hub.example/oauth/wild")
    assert link.partition("begin=")[2] not in target
    cookie = start.headers["Set-Cookie"]
    for said in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/oauth/wild", "Max-Age=900"):
        assert said in cookie
    assert end(web, target.partition("state=")[2].partition("&")[0]).text == "thank you"


def test_nobody_begins_a_consent_without_a_link(box: Box, web: FlaskClient) -> None:
    bare = web.get("/oauth/wild")
    assert (bare.status_code, "hub connect wild" in bare.text) == (200, True)
    assert "Location" not in bare.headers and "Set-Cookie" not in bare.headers
    for word in ("", "x", "\x00", "\ud800", "x" * 5000):
        answer = web.get("/oauth/wild", query_string={"begin": word.encode("utf-8", "surrogatepass")})
        assert (answer.status_code, "hub connect wild" in answer.text) == (403, True), word


def test_a_link_works_once_for_its_own_connection_and_for_a_quarter_of_an_hour(box: Box, web: FlaskClient) -> None:
    link = str(invite(box.runtime, "wild")).removeprefix("https://hub.example")
    assert web.get(link.replace("wild", "wild2")).status_code == 403
    assert web.head(link).status_code == 200, "what only previews a link spends none"
    assert web.get(link).status_code == 302
    again = web.get(link)
    assert (again.status_code, "used already" in again.text) == (403, True)
    old = str(invite(box.runtime, "wild")).removeprefix("https://hub.example")
    later(box, 901)
    assert web.get(old).status_code == 403
    invite(box.runtime, "wild")
    assert rows(box, "SELECT count(*) FROM fact WHERE name LIKE 'consent:%'") == [(1,)], "what has run out is gone"


def later(box: Box, seconds: int) -> None:
    """Let time pass for all words that were issued."""
    with box.store.write() as db:
        for name, value in db.rows("SELECT name, value FROM fact WHERE name LIKE 'consent:%'"):
            until, _, whose = value.partition(" ")
            db.run("UPDATE fact SET value = ? WHERE name = ?", (f"{float(until) - seconds!r} {whose}", name))


def test_an_answer_counts_once_and_in_its_own_browser_alone(box: Box, web: FlaskClient) -> None:
    asked: list[Request] = []
    Wild.acts["consent"] = lambda request: (asked.append(request), Reply(200, "thank you"))[1]
    state = begin(box, web)
    stranger = web.application.test_client()
    begin(box, stranger)
    for browser in (stranger, web.application.test_client()):
        turned = end(browser, state)
        assert (turned.status_code, "hub connect wild" in turned.text) == (403, True)
    assert end(web, state, "wild2").status_code == 403
    assert asked == []
    assert end(web, state).status_code == 200, "a stranger who overheard the state has not spent it"
    assert end(web, state).status_code == 403
    assert len(asked) == 1


def test_a_forged_an_old_and_anothers_state_are_turned_away(box: Box, web: FlaskClient) -> None:
    Wild.acts["consent"] = lambda _: pytest.fail("the plugin was asked")  # type: ignore[dict-item, return-value]
    good = begin(box, web)
    for given in ("", "x", good[:-1], good + "0", "١٢٣.x", f"-{good}", f"{'9' * 400}.x", "\x00", good.upper()):
        for method in ("GET", "POST"):  # a cross-site form in the admin's browser posts, too
            answer = end(web, given, method=method)
            assert (answer.status_code, "hub connect wild" in answer.text) == (403, True), given
    assert web.get("/oauth/wild", query_string={"error": "access_denied"}).status_code == 403
    later(box, 901)
    assert end(web, good).status_code == 403


def test_a_consent_is_given_over_plain_http_on_one_machine(tmp_path: Path) -> None:
    Wild.acts = {}
    yaml = YAML.replace("https://hub.example", "http://127.0.0.1:8080")
    box = Box(tmp_path, yaml, plugins=(*PLUGINS, Wild, Small))
    app = create_app(box.runtime, box.ring)
    try:
        page = app.test_client().get(str(invite(box.runtime, "wild")).removeprefix("http://127.0.0.1:8080"))
        assert page.status_code == 302 and "Secure" not in page.headers["Set-Cookie"]
    finally:
        app.extensions["receiver"].commit.stop()
        box.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [(Rejected(403, "no: s3cret-word"), 403), (AuthFailed("invalid_client s3cret-word"), 502),
     (Retry("GET https://v/?client_secret=abc failed"), 502), (ValueError("s3cret-word"), 400), (KeyError("abc"), 400)],
)  # fmt: skip
def test_a_consent_that_fails_says_so_without_secrets(
    box: Box, web: FlaskClient, error: Exception, status: int
) -> None:
    def fail(_: Request) -> None:
        raise error

    Wild.acts["consent"] = fail
    for answer in (
        web.post("/oauth/wild", data=b"x"),
        end(web, begin(box, web)),
    ):
        assert answer.status_code == status
        assert "s3cret" not in answer.text and "abc" not in answer.text


def test_a_hold_ends_with_new_tokens_and_with_nothing_less(box: Box, web: FlaskClient) -> None:
    """Some vendors' pages are answered at this address for whoever asks: that mends no credentials."""
    with box.store.write() as db:
        state.set_health(db, "wild", held={"code": "hold", "params": {}})
        state.open_alert(db, "auth:wild", "alert_auth", "wild", {})
    assert web.post("/oauth/wild", data=b"PLACEMENT=SETTING_CONNECTOR").status_code == 200
    assert rows(box, "SELECT held IS NULL FROM health WHERE connection = 'wild'") == [(0,)]
    assert box.alerts() == ["alert_auth"]

    def give(_: Request) -> Reply:
        box.runtime.connector("wild").tokens.store({"access_token": "new"})
        return Reply(200, "installed")

    Wild.acts["consent"] = give
    assert web.post("/oauth/wild", data=b"x").status_code == 200
    assert rows(box, "SELECT held IS NULL FROM health WHERE connection = 'wild'") == [(1,)]
    assert box.alerts() == []


def test_consent_is_for_connections_that_have_one(box: Box, web: FlaskClient) -> None:
    assert web.get("/oauth/nobody").status_code == 404
    assert web.get("/oauth/site").status_code == 404
    assert web.get("/oauth/site?begin=x").status_code == 404
    assert invite(box.runtime, "site") is None
    assert web.post("/oauth/site", data=b"x").status_code == 404
    assert web.get("/oauth/nobody?x=1").status_code == 404
    assert web.post("/oauth/wild", data=b"x" * 1_000_001).status_code == 413


def test_a_vendors_message_at_this_address_is_received_like_any_other(box: Box, web: FlaskClient) -> None:
    """That the integration was switched off is told here by some; it must not be taken for a consent."""
    Wild.acts["consent"] = lambda _: pytest.fail("no consent was given")  # type: ignore[dict-item, return-value]
    assert web.get("/oauth/wild?signature=x&account_id=1").status_code == 202
    assert receipts(box) == 1

    def refuse(_: Request) -> None:
        raise Rejected(403, "not genuine")

    Wild.acts["verify"] = refuse
    assert web.get("/oauth/wild?signature=y&account_id=1").status_code == 400
    assert receipts(box) == 1
