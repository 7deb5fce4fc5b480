"""The way in, through the Flask app: 2xx only after the commit, never a 500, whatever is sent (P1, P3, P12)."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import marshmallow as ma
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from hub import group_commit
from hub.connector import Connector, Settings
from hub.errors import AuthFailed, ConfigError, Refused, Rejected, Retry, Skip, StoreFull
from hub.model import Event, Receipt, Reply, Request
from hub.store import Store, state
from hub.web import create_app, make_state
from tests.hub.fakes import PLUGINS, Box, form

YAML = """
hub: {base_url: "https://hub.example", unrouted: ignore}
connections:
  site: {plugin: source}
  wild: {plugin: wild, token: s3cret-word}
  wild2: {plugin: wild, token: other-word}
  small: {plugin: small}
"""

Answer = Callable[[Request], Any]


class WildSettings(Settings):
    token = ma.fields.String(metadata={"secret": True})


class Wild(Connector):
    """Does what a test puts into `acts`."""

    name = "wild"
    Settings = WildSettings
    acts: dict[str, Answer] = {}  # noqa: RUF012 (each test puts in what it needs)

    def handshake(self, request: Request) -> Reply | None:
        return self.acts.get("handshake", lambda _: None)(request)

    def verify(self, request: Request) -> None:
        self.acts.get("verify", lambda _: None)(request)

    def receipt_key(self, request: Request) -> str:
        return self.acts.get("receipt_key", lambda r: r.body.decode("utf-8", "replace"))(request)  # type: ignore[no-any-return]

    def acknowledge(self, request: Request) -> Reply:
        return self.acts.get("acknowledge", lambda _: Reply(202, "taken"))(request)  # type: ignore[no-any-return]

    def parse(self, receipt: Receipt) -> list[Event]:
        return []

    def authorize_url(self, state: str, redirect: str) -> str | None:
        return f"https://vendor.example/authorize?state={state}&to={redirect}"

    def consent(self, request: Request) -> Reply:
        return self.acts.get("consent", lambda _: Reply(200, "thank you"))(request)  # type: ignore[no-any-return]


class Small(Wild):
    """A vendor whose messages are short."""

    name = "small"
    Settings = Settings
    max_body = 100


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    Wild.acts = {}
    box = Box(tmp_path, YAML, plugins=(*PLUGINS, Wild, Small))
    yield box
    box.close()


@pytest.fixture
def web(box: Box) -> Iterator[FlaskClient]:
    app = create_app(box.runtime, box.ring)
    app.testing = False
    yield app.test_client()
    app.extensions["receiver"].commit.stop()


def rows(box: Box, sql: str) -> list[tuple[Any, ...]]:
    with box.store.read() as db:
        return [tuple(row) for row in db.rows(sql)]


def receipts(box: Box) -> int:
    return int(rows(box, "SELECT count(*) FROM receipt")[0][0])


def ring(box: Box, web: FlaskClient) -> list[tuple[Any, ...]]:
    """The rejected requests, once they are written."""
    web.application.extensions["receiver"].commit.stop()
    return rows(box, "SELECT connection, status, reason, request FROM rejected ORDER BY id")


# --- 2xx only after the commit --------------------------------------------------------------------


def test_a_request_is_on_disk_when_it_is_acknowledged(box: Box, web: FlaskClient) -> None:
    seen: list[int] = []
    Wild.acts["acknowledge"] = lambda _: (seen.append(receipts(box)), Reply(202, "taken"))[1]
    answer = web.post("/in/wild", data=b"one")
    assert (answer.status_code, answer.text, seen) == (202, "taken", [1])


def test_a_request_that_could_not_be_stored_gets_503_and_never_2xx(
    box: Box, web: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(db: Any, batch: Any) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(group_commit.intake, "add_receipts", broken)
        answer = web.post("/in/wild", data=b"one")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert receipts(box) == 0
    assert web.post("/in/wild", data=b"one").status_code == 202


def test_a_commit_that_fails_at_its_very_end_is_no_2xx(
    box: Box, web: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(db: Any, counts: Any) -> None:
        db.run("ROLLBACK")  # so that the COMMIT to come has nothing to commit, and says so
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(group_commit.state, "count", count)
        assert web.post("/in/wild", data=b"one").status_code == 503
    assert receipts(box) == 0


def test_a_full_disk_answers_503(box: Box, web: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise StoreFull("only 3 MB left")

    monkeypatch.setattr(box.store, "check_room", full)
    answer = web.post("/in/wild", data=b"one")
    assert (answer.status_code, "3 MB" in answer.text) == (503, False)


def test_a_store_that_hangs_answers_503_in_time(box: Box, web: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE", 0.1)
    with box.store.write():  # somebody holds the store
        assert web.post("/in/wild", data=b"one").status_code == 503


def test_requests_of_one_moment_share_their_commits_and_each_gets_its_own_answer(box: Box, web: FlaskClient) -> None:
    Wild.acts["acknowledge"] = lambda request: Reply(200, request.body)

    def send(n: int) -> tuple[int, str]:
        answer = web.application.test_client().post("/in/wild", data=str(n).encode())
        return answer.status_code, answer.text

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(send, range(200))) == [(200, str(n)) for n in range(200)]
    assert receipts(box) == 200


def test_one_request_that_fails_takes_no_other_with_it(box: Box, web: FlaskClient) -> None:
    hostile = [b"\x00", b"a\x00b", "\ud800".encode("utf-8", "surrogatepass"), b"\xff\xfe", b""]

    def send(n: int) -> int:
        body = hostile[n % 5] if n % 2 else str(n).encode()
        return web.application.test_client().post("/in/wild", data=body).status_code

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(send, range(60))) == {202}


@pytest.mark.parametrize("store", ["sqlite_store", "postgresql_store"])
@pytest.mark.parametrize(
    "path", ["/in/wild/a%00b", "/in/wild?q=%00", "/in/wild?%ff=%fe", "/in/wild/%ff", "/in/nobody%00/x%00"]
)
def test_no_byte_in_an_address_upsets_either_database(
    store: str, path: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    Wild.acts = {"receipt_key": lambda r: f"{r.path}\x00{r.query}\ud800"}
    real: Store = request.getfixturevalue(store)
    box = Box(tmp_path / "hub", YAML, store=real, plugins=(*PLUGINS, Wild, Small))
    app = create_app(box.runtime, box.ring)
    expected = 404 if "nobody" in path else 202
    assert app.test_client().post(path, data=b"x").status_code == expected
    assert len(ring(box, app.test_client())) == (expected == 404)
    box.receiver.commit.stop()


# --- duplicates -----------------------------------------------------------------------------------


def test_fifty_parallel_copies_are_one_receipt_and_all_are_acknowledged(box: Box, web: FlaskClient) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: web.application.test_client().post("/in/wild", data=b"same"), range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert receipts(box) == 1
    counted = dict(rows(box, "SELECT name, n FROM counter WHERE connection = 'wild'"))
    assert (counted["received"], counted["duplicate"]) == (50, 49)


def test_long_keys_that_differ_at_their_end_are_two_receipts(box: Box, web: FlaskClient) -> None:
    for end in (b"1", b"2", b"1"):
        web.post("/in/wild", data=b"k" * 5000 + end)
    assert receipts(box) == 2


def test_keys_that_differ_in_what_cannot_be_stored_are_two_receipts(box: Box, web: FlaskClient) -> None:
    for body in (b"a\x00", b"a\x00\x00", "a\N{REPLACEMENT CHARACTER}".encode(), b"a\x00"):
        web.post("/in/wild", data=body)
    assert receipts(box) == 3


def test_the_body_is_sealed_and_secrets_are_masked_at_rest(box: Box, web: FlaskClient) -> None:
    headers = {"Authorization": "Bearer x", "X-Other": "has s3cret-word"}
    web.post("/in/wild/s3cret-word?t=s3cret-word", data=b"a card number", headers=headers)
    [row] = rows(box, "SELECT path, query, headers, body FROM receipt")
    assert "s3cret" not in repr(row) and b"card" not in bytes(row[3]) and "Bearer" not in row[2]


# --- plugins that stumble -------------------------------------------------------------------------

STUMBLES = [
    ValueError("bad"), KeyError("x"), TypeError("x"), RecursionError("deep"),
    UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ZeroDivisionError(), MemoryError(), AssertionError(), StopIteration(), OSError("x"), Refused("no"), Retry("later"),
    AuthFailed("x"), Skip("honeypot"), ConfigError(["x"]), NotImplementedError(),
]  # fmt: skip


@pytest.mark.parametrize("error", STUMBLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["handshake", "verify", "receipt_key"])
def test_whatever_a_plugin_stumbles_over_is_a_clean_refusal(
    box: Box, web: FlaskClient, where: str, error: Exception
) -> None:
    def stumble(_: Request) -> None:
        raise error

    Wild.acts[where] = stumble
    answer = web.post("/in/wild", data=b"hostile")
    assert 400 <= answer.status_code < 500
    assert receipts(box) == 0


@pytest.mark.parametrize("error", STUMBLES[:6], ids=lambda error: type(error).__name__)
def test_what_is_stored_is_acknowledged_even_if_the_plugin_stumbles_over_its_answer(
    box: Box, web: FlaskClient, error: Exception
) -> None:
    def stumble(_: Request) -> None:
        raise error

    Wild.acts["acknowledge"] = stumble
    assert web.post("/in/wild", data=b"one").status_code == 200
    assert receipts(box) == 1


def test_a_plugin_that_answers_with_something_else_than_a_reply_is_no_500(box: Box, web: FlaskClient) -> None:
    Wild.acts |= {"handshake": lambda _: True, "acknowledge": lambda _: None}  # type: ignore[dict-item]
    assert web.post("/in/wild", data=b"one").status_code == 200
    assert receipts(box) == 1


def test_a_plugins_refusal_is_answered_as_it_says(box: Box, web: FlaskClient) -> None:
    def refuse(_: Request) -> None:
        raise Rejected(410, "gone for good")

    Wild.acts["verify"] = refuse
    answer = web.post("/in/wild", data=b"x")
    assert (answer.status_code, answer.text) == (410, "gone for good")


def test_a_handshake_is_answered_and_nothing_is_stored(box: Box, web: FlaskClient) -> None:
    Wild.acts["handshake"] = lambda request: Reply(200, request.query_value("challenge") or "")
    assert web.get("/in/wild?challenge=42").text == "42"
    assert receipts(box) == 0
    assert ring(box, web) == []


# --- sizes ----------------------------------------------------------------------------------------


def test_each_plugin_says_how_much_it_takes(box: Box, web: FlaskClient) -> None:
    assert web.post("/in/small", data=b"x" * 100).status_code == 202
    assert web.post("/in/small", data=b"x" * 101).status_code == 413
    assert web.post("/in/wild", data=b"x" * 1_000_000).status_code == 202
    assert web.post("/in/wild", data=b"x" * 1_000_001).status_code == 413
    assert receipts(box) == 2


def test_an_unknown_connection_is_given_no_more_room_than_others(box: Box, web: FlaskClient) -> None:
    assert web.post("/in/nobody", data=b"x" * 1_000_001).status_code == 413
    assert web.post(f"/in/{'n' * 3000}", data=b"x" * 1_000_001).status_code == 413
    assert {row[0] for row in ring(box, web)} == {"?"}


def chunked(web: FlaskClient, path: str, body: bytes) -> int:
    """POST a body whose length nobody has told."""
    environ = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return web.open(path, method="POST", environ_overrides=environ).status_code


def test_a_body_without_a_length_is_read_up_to_the_limit(box: Box, web: FlaskClient) -> None:
    Wild.acts["receipt_key"] = lambda request: str(len(request.body))
    assert chunked(web, "/in/wild", b"x" * 5000) == 202
    assert rows(box, "SELECT key FROM receipt") == [("5000",)]
    assert chunked(web, "/in/small", b"x" * 101) == 413


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999", "", "0x10", "5, 5"])
def test_a_length_that_is_none_is_no_500(box: Box, web: FlaskClient, length: str) -> None:
    answer = web.open(
        "/in/wild", method="POST", environ_overrides={"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"x")}
    )
    assert answer.status_code < 500


# --- methods and places ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_any_method_a_vendor_uses_reaches_its_plugin(box: Box, web: FlaskClient, method: str) -> None:
    Wild.acts["receipt_key"] = lambda request: request.method
    assert web.open("/in/wild", method=method).status_code == 202
    assert rows(box, "SELECT key FROM receipt") == [(method,)]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO"])
def test_other_methods_are_turned_away_with_what_is_allowed(box: Box, web: FlaskClient, method: str) -> None:
    answer = web.open("/in/wild", method=method)
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]
    assert web.open("/healthz", method="POST").status_code == 405


def test_an_unknown_connection_is_404_and_kept_in_its_ring_without_the_secret(box: Box, web: FlaskClient) -> None:
    assert web.post("/in/nobody/s3cret-tail?token=abc", data=b"x").status_code == 404
    [(connection, status, _, request)] = ring(box, web)
    assert (connection, status) == ("?", 404)
    assert json.loads(request)["path"] == "/in/nobody/***" and "abc" not in request


@pytest.mark.parametrize("path", ["/in", "/in/", "/admin", "/in/../etc/passwd", "/.env", "/metrics/x"])
def test_nothing_else_is_there(box: Box, web: FlaskClient, path: str) -> None:
    assert web.get(path).status_code == 404


def test_the_tail_of_the_address_is_handed_to_the_plugin(box: Box, web: FlaskClient) -> None:
    Wild.acts["receipt_key"] = lambda request: f"{request.tail}|{request.query}|{request.headers['x-a']}"
    web.post("/in/wild/a/b%20c?x=1&x=2", data=b"", headers={"X-A": "yes"})
    assert rows(box, "SELECT key FROM receipt") == [("a/b c|(('x', '1'), ('x', '2'))|yes",)]


def test_what_is_turned_away_is_kept_masked(box: Box, web: FlaskClient) -> None:
    def refuse(_: Request) -> None:
        raise ValueError("no such phone: +380671234567 s3cret-word")

    Wild.acts["verify"] = refuse
    headers = {"X-Signature": "sig", "Cookie": "c", "Referer": "https://x/?access_token=abc", "X-Note": "s3cret-word"}
    web.post("/in/wild/s3cret-word?auth=abc", data=b"the body", headers=headers)
    [(connection, status, reason, request)] = ring(box, web)
    assert (connection, status) == ("wild", 400)
    assert "+380671234567" not in reason and "s3cret" not in reason
    for secret in ("s3cret", "sig", "abc", "the body", '"c"'):
        assert secret not in request.replace("x-signature", "").lower()


def test_rejections_are_counted_and_the_ring_has_an_end(box: Box, web: FlaskClient) -> None:
    for n in range(230):
        assert web.post("/in/site", data=str(n)).status_code == 403
    assert len(ring(box, web)) == 200
    assert rows(box, "SELECT n FROM counter WHERE connection = 'site' AND name = 'rejected'") == [(230,)]


# --- health and metrics ---------------------------------------------------------------------------


def test_the_hub_is_alive_and_ready(web: FlaskClient) -> None:
    assert [web.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_without_its_store_the_hub_is_alive_but_not_ready(
    postgresql_url: str, postgresql_server: str, tmp_path: Path
) -> None:
    store = Store.open(postgresql_url, tmp_path, b"a key of the tests")
    box = Box(tmp_path / "hub", YAML, store=store, plugins=(*PLUGINS, Wild, Small))
    web = create_app(box.runtime, box.ring).test_client()
    assert web.get("/readyz").status_code == 200
    url = sa.make_url(postgresql_server.replace("postgresql://", "postgresql+psycopg://"))
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = sa.make_url(postgresql_url).database
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        try:
            assert web.get("/healthz").status_code == 200
            assert web.get("/readyz").status_code == 503
            assert web.get("/metrics").status_code == 503
            assert web.post("/in/wild", data=b"x").status_code == 503
        finally:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")  # the fixture drops it
    admin.dispose()
    for commit in (box.receiver.commit, web.application.extensions["receiver"].commit):
        commit.stop()
    store.close()


def metrics(web: FlaskClient) -> dict[tuple[str, ...], float]:
    answer = web.get("/metrics")
    assert answer.status_code == 200 and answer.mimetype == "text/plain"
    out = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            out[(sample.name, *sample.labels.values())] = sample.value
    return out


def test_the_metrics_can_be_read_and_add_up(box: Box, web: FlaskClient) -> None:
    box.start()
    for n in range(7):
        box.send(form(), id=f"m{n % 5}")
    box.send({"no type": 1}, id="odd")
    web.post("/in/site", data=b"x")
    box.settle()
    web.application.extensions["receiver"].commit.stop()
    found = metrics(web)

    def of(name: str) -> float:
        return found.get(("hub_things_total", "site", name), 0.0)

    assert (of("received"), of("duplicate"), of("rejected")) == (8, 2, 1)
    assert of("read") == of("received") - of("duplicate")
    assert of("events") == of("taken") + of("not_taken") == 5
    assert of("unreadable") == 1
    assert found[("hub_waiting", "receipts")] == found[("hub_waiting", "deliveries")] == 0
    assert found[("hub_acknowledge_seconds_count",)] == 1


def test_a_paused_connection_is_seen_in_the_metrics(box: Box, web: FlaskClient) -> None:
    with box.store.write() as db:
        state.set_health(db, "wild", paused=True)
    assert metrics(web)[("hub_connection_shut", "wild", "paused")] == 1


# --- consent --------------------------------------------------------------------------------------


def test_consent_begins_with_a_state_and_ends_with_it(box: Box, web: FlaskClient) -> None:
    start = web.get("/oauth/wild")
    assert start.status_code == 302
    target = start.headers["Location"]
    assert target.startswith("https://vendor.example/authorize?state=")
    assert target.endswith("&to=https://hub.example/oauth/wild")
    state = target.partition("state=")[2].partition("&")[0]
    assert web.get(f"/oauth/wild?code=1&state={state}").text == "thank you"


def test_a_forged_an_old_and_anothers_state_are_turned_away(box: Box, web: FlaskClient) -> None:
    Wild.acts["consent"] = lambda _: pytest.fail("the plugin was asked")  # type: ignore[dict-item, return-value]
    now = int(time.time())
    good = make_state(box.runtime, "wild")
    bad = [
        "", "x", f"{now}.{'0' * 32}", good[:-1], good + "0", make_state(box.runtime, "wild", now - 901),
        make_state(box.runtime, "wild", now + 600), make_state(box.runtime, "wild2"), f"{now + 1}{good[10:]}",
        "١٢٣.x", f"-{good}", f"{'9' * 400}.x", "\x00", good.replace(".", ".."),
    ]  # fmt: skip
    for given in bad:
        answer = web.get("/oauth/wild", query_string={"code": "1", "state": given})
        assert (answer.status_code, "begin again" in answer.text) == (403, True), given
    assert web.get("/oauth/wild", query_string={"error": "access_denied"}).status_code == 403


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
        web.get("/oauth/wild", query_string={"code": "1", "state": make_state(box.runtime, "wild")}),
    ):
        assert answer.status_code == status
        assert "s3cret" not in answer.text and "abc" not in answer.text


def test_consent_is_for_connections_that_have_one(box: Box, web: FlaskClient) -> None:
    assert web.get("/oauth/nobody").status_code == 404
    assert web.get("/oauth/site").status_code == 404
    assert web.post("/oauth/site", data=b"x").status_code == 404
    assert web.get("/oauth/wild?x=1").status_code == 400
    assert web.post("/oauth/wild", data=b"x" * 1_000_001).status_code == 413
