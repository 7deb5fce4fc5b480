"""The helpers that plugins' tests stand on, and that the contract notices what it promises to notice."""

import datetime as dt
import socket
import threading
from dataclasses import replace

import marshmallow as ma
import pytest

from hub.connector import Connector, EventKind, Settings
from hub.errors import AuthFailed
from hub.model import Event
from hub.testing import MemoryVault, build, request_from_bytes, request_from_file, secret_values
from hub.testing.contract import no_network
from hub.testing.wellformed import problems


class ShopSettings(Settings):
    token = ma.fields.String(required=True, metadata={"help": "x", "secret": True})
    more = ma.fields.List(ma.fields.String(), load_default=list, metadata={"help": "x", "secret": True})
    headers = ma.fields.Dict(load_default=dict, metadata={"help": "x", "secret": True})
    shop = ma.fields.String(load_default="", metadata={"help": "x"})


class Shop(Connector):
    name = "shop"
    Settings = ShopSettings
    vendor_field = r"UF_\w+"
    events = (EventKind("deal.updated", "deal", fields=("basket",)),)

    def hosts(self):
        return ("shop.example",)


def test_build_wires_session_and_vault():
    shop = build(Shop, {"token": "t0ken"}, name="kiosk", tokens={"access_token": "a"})
    assert shop.connection.name == shop.http.connection == "kiosk"
    assert shop.http.hosts == {"shop.example"}
    assert shop.http.masker.mask("say t0ken") == "say ***"
    assert shop.tokens.read() == {"access_token": "a"}
    with pytest.raises(ma.ValidationError):
        build(Shop, {"shop": "x"})


def test_secrets_are_found_in_lists_and_mappings():
    settings = {"token": "a", "more": ["b", ""], "headers": {"X": "c"}, "shop": "d"}
    assert secret_values(Shop, settings) == ["a", "b", "c"]


def test_the_vault_refreshes_once_under_many_threads():
    vault = MemoryVault({"access_token": "old", "refresh_token": "r"})
    threads = [
        threading.Thread(target=vault.refresh_once, args=({"access_token": "old"}, lambda now: {"access_token": "new"}))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.refreshes == 1
    assert vault.read() == {"access_token": "new", "refresh_token": "r"}
    with pytest.raises(AuthFailed):
        MemoryVault().refresh_once({}, dict)


# --- requests out of files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "suffix", "body", "headers"),
    [
        (b'{"a": 1}\n', ".json", b'{"a": 1}\n', {"content-type": "application/json"}),
        (b"a=1&b=2", ".txt", b"a=1&b=2", {"content-type": "application/x-www-form-urlencoded"}),
        (b"", ".json", b"", {"content-type": "application/json"}),
        (b"POST /x HTTP/1.1\r\nX-A: 1\r\n\r\n{}", ".http", b"{}", {"x-a": "1"}),
        (b"POST /x\nX-A: 1\n\na=1\n", ".txt", b"a=1", {"x-a": "1"}),
        (b"POST /x HTTP/1.1\nContent-Length: 3\n\na=1\n\n", ".http", b"a=1", {"content-length": "3"}),
        (b"POST /x HTTP/1.1\n\n{}", ".http", b"{}", {}),
        (b"POST /x HTTP/1.1", ".http", b"", {}),
        (b"X-A: 1\nContent-Type: text/x\n\na=1\n", ".txt", b"a=1", {"x-a": "1", "content-type": "text/x"}),
        (b"POST /x\nX-A: 1\n(a note: not a header)\n\na=1", ".txt", b"a=1", {"x-a": "1"}),
        (b"POST=1&GET=2", ".txt", b"POST=1&GET=2", {"content-type": "application/x-www-form-urlencoded"}),
    ],
)
def test_what_a_file_says(content, suffix, body, headers):
    request = request_from_bytes(content, suffix)
    assert (request.body, request.headers) == (body, headers)
    assert request.method == "POST"


def test_query_tail_and_what_the_caller_wants(tmp_path):
    path = tmp_path / "a.http"
    path.write_bytes(b"GET /in/site/s3cret/opened?form=x HTTP/1.1\nHost: h\n\n")
    request = request_from_file(path, "site", query=[("k", "v")], headers={"X-B": "2"})
    assert (request.method, request.tail, request.path) == ("GET", "s3cret/opened", "/in/site/s3cret/opened")
    assert request.query == (("form", "x"), ("k", "v"))
    assert request.headers == {"host": "h", "x-b": "2"}
    request = request_from_file(path, "site", method="PUT", tail="other")
    assert (request.method, request.tail) == ("PUT", "other")


# --- what the contract notices ----------------------------------------------------------------------------------------

GOOD = Event(
    "deal.updated",
    "deal:5",
    "k1",
    {"deal": {"id": "5", "amount": "10.50", "basket": [1], "UF_X": "v", "created_at": "2026-03-04T10:00:00+00:00"}},
    dt.datetime(2026, 3, 4, tzinfo=dt.UTC),
)


def shop():
    return build(Shop, {"token": "t"})


def test_a_good_event_has_no_problems():
    assert (
        problems(shop(), [GOOD, replace(GOOD, key="k2"), replace(GOOD, type="vendor.THING", key="k3", record={})]) == []
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "deal.exploded"}, "no known event"),
        ({"subject": ""}, "subject"),
        ({"key": "x" * 256}, "key"),
        ({"occurred_at": dt.datetime(2026, 3, 4)}, "UTC"),  # noqa: DTZ001
        ({"text": None}, "text is no text"),
        ({"record": {"thing": {}}}, "'thing' is not in hub.records"),
        ({"record": {"deal": []}}, "no mapping"),
        ({"record": {"deal": {"colour": "red"}}}, "deal.colour is not in hub.records"),
        ({"record": {"deal": {"amount": 10.5}}}, "deal.amount should be money"),
        ({"record": {"deal": {"amount": "ten"}}}, "deal.amount should be money"),
        ({"record": {"deal": {"created_at": "2026-03-04T10:00:00"}}}, "should be instant"),
        ({"record": {"deal": {"closed": "Y"}}}, "should be flag"),
        ({"record": {"parcel": {"eta": "04.03.2026"}}}, "should be date"),
        ({"record": {"parcel": {"status": "lying about"}}}, "no neutral status"),
        ({"record": {"deal": {"id": 5}}}, "deal.id should be text"),
        ({"record": {"deal": {"extra": object()}}}, "can't be stored"),
    ],
)
def test_a_bad_event_is_described(changes, words):
    found = problems(shop(), [replace(GOOD, **changes)])
    assert any(words in problem for problem in found), found


def test_one_key_twice_is_noticed():
    assert any("twice" in problem for problem in problems(shop(), [GOOD, GOOD]))


def test_reading_may_not_reach_the_network():
    with no_network(), pytest.raises(AssertionError, match="may not touch the network"):
        socket.create_connection(("127.0.0.1", 9))
