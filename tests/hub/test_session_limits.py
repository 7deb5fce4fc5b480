"""The way out: each call asks for its lease, its pause and its limit, and leaves its exchange."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests.adapters

from hub.errors import LeaseLost, RateLimited, Retry
from hub.session import Session
from tests.hub.vendor import Vendor, free_port, reply


def test_the_lease_is_checked_before_each_call_and_nothing_leaves_without_it(
    vendors: Callable[..., Vendor], http: Session
) -> None:
    vendor = vendors()
    checked: list[int] = []

    def guard() -> None:
        checked.append(len(vendor.heard))
        if len(checked) > 4:  # each call looks twice: at first, and right before it leaves
            raise LeaseLost("taken over")

    with http.work(guard, 9):
        http.get(vendor.url)
        http.get(vendor.url)
        with pytest.raises(LeaseLost):
            http.post(vendor.url, json={})
    assert checked == [0, 0, 1, 1, 2]
    assert len(vendor.heard) == 2


def test_calls_beyond_the_reserved_ones_are_counted_by_the_limiter(vendors: Callable[..., Vendor]) -> None:
    spent: list[int] = []
    vendor = vendors()
    http = Session("crm", hosts=["127.0.0.1"], spend=spent.append)
    with http.work(lambda: None, 2):
        for _ in range(5):
            http.get(vendor.url)
    assert spent == [1, 1, 1]
    http.get(vendor.url)  # outside a piece of work each call counts
    assert spent == [1, 1, 1, 1]
    http.close()


def test_a_failed_call_is_counted_like_any_other() -> None:
    spent: list[int] = []
    http = Session("crm", hosts=["127.0.0.1"], spend=spent.append)
    with pytest.raises(Retry):
        http.get(f"http://127.0.0.1:{free_port()}/")
    assert spent == [1]
    http.close()


def test_a_pause_holds_the_call_back_before_lease_and_limit(vendors: Callable[..., Vendor]) -> None:
    spent: list[int] = []
    vendor = vendors()
    pauses = {"": 0.0, "crm.lead.list": 30.0}
    http = Session("crm", hosts=["127.0.0.1"], spend=spent.append, paused=lambda scope: pauses[scope])
    with pytest.raises(RateLimited) as caught:
        http.get(vendor.url, scope="crm.lead.list")
    assert (caught.value.after, caught.value.scope) == (30.0, "crm.lead.list")
    assert http.get(vendor.url).status == 200
    assert (len(vendor.heard), spent) == (1, [1])
    http.close()


def test_each_threads_work_keeps_its_own_exchanges(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors()

    def piece(n: int) -> list[str]:
        with http.work(lambda: None, 3) as context:
            for part in range(3):
                http.get(f"{vendor.url}/{n}/{part}")
        return [exchange.url.removeprefix(f"{vendor.url}/") for exchange in context.exchanges]

    with ThreadPoolExecutor(8) as pool:
        for n, urls in enumerate(pool.map(piece, range(24))):
            assert urls == [f"{n}/{part}" for part in range(3)]


def test_an_exchange_says_what_was_asked_and_what_came_back(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b"{}", "201 Created"))
    with http.work(lambda: None, 1) as context:
        answer = http.post(f"{vendor.url}/a", json={})
    [exchange] = context.exchanges
    assert (exchange.method, exchange.status, exchange.note) == ("POST", 201, "")
    assert 0 <= exchange.took_ms <= answer.took * 1000 + 1000


@pytest.mark.parametrize("tls", [False, True])
def test_a_lease_lost_while_the_connection_was_made_sends_nothing(
    vendors: Callable[..., Vendor], http: Session, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """A process may be frozen between its first look at the lease and the moment the request leaves."""
    vendor, looks = vendors(tls=tls), iter([True, False])
    if tls:
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", vendor.certificate)

    def guard() -> None:
        if not next(looks):
            raise LeaseLost("another worker took this over")

    with http.work(guard, 9), pytest.raises(LeaseLost):
        http.post(vendor.url, json={})
    assert vendor.heard == []
    assert http.post(vendor.url, json={}).status == 200, "and what has no lease is asked for none"
