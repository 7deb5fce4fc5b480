"""The way in: 2xx only after the commit, one receipt of many copies (P1, P3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from hub import group_commit
from hub.errors import StoreFull
from hub.model import Reply
from hub.store import Store
from hub.web import create_app
from tests.hub.fakes import PLUGINS, Box
from tests.hub.wild import YAML, Small, Wild, receipts, ring, rows

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
