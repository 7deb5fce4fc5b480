"""Webhooks: registered once, looked after, put back; against the stand-in, with an ear that answers its try."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from hub.errors import Retry
from hub.model import Poll, Receipt
from hub.testing import build
from plugins.unisender import hooks
from plugins.unisender.connector import Classic, Go
from plugins.unisender.schemas import GO_STATUSES
from tests.plugins.unisender.conftest import Account
from tests.plugins.unisender.test_sandbox import Ear

NOW = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(params=["classic", "go"])
def connector(request: pytest.FixtureRequest, account: Account, ear: Ear) -> Any:
    """Either product, at a hub that answers."""
    kind = {"classic": Classic, "go": Go}[request.param]
    settings = {**account.sandbox.credentials(), "product": request.param, "secret": "unguessable-end"}
    made = build(kind, settings, name="letters", base_url=ear.url.partition("/in/")[0])
    made.clock = lambda: NOW
    return made


def told(connector: Any, poll: Poll) -> list[str]:
    return [
        event.text
        for key, request in poll.receipts
        for event in connector.parse(Receipt(1, "letters", key, request, request.at))
    ]


def test_connecting_twice_is_once(connector: Any, account: Account, ear: Ear) -> None:
    for _ in range(2):
        [finding] = connector.connect(ear.url)
        assert finding.level == "ok"
        assert "unguessable" not in finding.text
    [hook] = account.world.hooks.values()
    assert (hook.url, hook.status, hook.single, hook.format) == (
        f"{ear.url}/unguessable-end",
        "active",
        False,
        "json_post",
    )
    assert str(hook.more["max_parallel"]) == "1"
    if connector.settings["product"] == "go":
        assert hook.events == {"spam_block": ["*"], "email_status": list(GO_STATUSES)}
    else:
        assert hook.events == dict.fromkeys(("email_status", "unsubscribe", "subscribe", "campaign_status"), "*")
    assert "the webhook is there and active" in [one.text for one in connector.check()]


def test_a_hub_that_cannot_be_reached(connector: Any) -> None:
    [finding] = connector.connect("http://127.0.0.1:9/in/letters")
    assert finding.level == "problem"
    assert "reachable from outside" in finding.remedy


def test_a_second_webhook_to_the_same_hub_is_told(connector: Any, account: Account, ear: Ear) -> None:
    product = connector.settings["product"]
    account.tell("hook", url=ear.url, product=product, single=True)
    first, second = connector.connect(ear.url)
    assert (first.level, second.level) == ("ok", "warning")
    assert "twice" in second.remedy


def test_a_stopped_webhook_is_put_back_and_told(connector: Any, account: Account, ear: Ear) -> None:
    connector.connect(ear.url)
    [hook] = account.world.hooks.values()
    poll = connector.poll(hooks.KIND, None)
    assert (poll.cursor, poll.receipts) == ({"status": "active"}, [])
    hook.status = "stopped"
    poll = connector.poll(hooks.KIND, poll.cursor)
    assert [one.status for one in account.world.hooks.values()] == ["active"]
    [words] = told(connector, poll)
    assert "put back" in words
    assert connector.poll(hooks.KIND, poll.cursor).receipts == []


@pytest.mark.parametrize(("status", "words"), [("disabled", "switched off"), ("deleted", "deleted")])
def test_what_a_person_did_is_told_once_and_left(
    connector: Any, account: Account, ear: Ear, status: str, words: str
) -> None:
    connector.connect(ear.url)
    cursor = connector.poll(hooks.KIND, None).cursor
    account.tell("hook", url=f"{ear.url}/unguessable-end", status=status)
    poll = connector.poll(hooks.KIND, cursor)
    [said] = told(connector, poll)
    assert words in said
    assert connector.poll(hooks.KIND, poll.cursor).receipts == []
    assert [one.status for one in account.world.hooks.values()] == (["disabled"] if status == "disabled" else [])
    assert any(one.level == "problem" for one in connector.check())


def test_before_it_is_connected_nothing_is_told(connector: Any) -> None:
    poll = connector.poll(hooks.KIND, None)
    assert (poll.cursor, poll.receipts) == ({"status": ""}, [])


def test_a_webhook_that_cannot_be_put_back(connector: Any, account: Account, ear: Ear) -> None:
    connector.connect(ear.url)
    [hook] = account.world.hooks.values()
    hook.status = "stopped"
    account.fault("retry_later", "setHook" if hook.product == "classic" else "webhook/set")
    poll = connector.poll(hooks.KIND, {"status": "active"})
    [words] = told(connector, poll)
    assert "can't be put back" in words
    [words] = told(connector, connector.poll(hooks.KIND, poll.cursor))
    assert "is put back" in words


def test_a_vendor_that_is_away_is_tried_again(connector: Any, account: Account) -> None:
    account.fault("503")
    with pytest.raises(Retry):
        connector.poll(hooks.KIND, {"status": "active"})


def test_a_compressed_webhook_is_noticed(connector: Any, account: Account, ear: Ear) -> None:
    connector.connect(ear.url)
    [hook] = account.world.hooks.values()
    hook.format = "json_post_compressed"
    assert any("format" in one.text and one.level == "warning" for one in connector.check())


def test_without_its_own_address_the_hub_looks_for_none() -> None:
    for kind, product in ((Classic, "classic"), (Go, "go")):
        lonely = build(kind, {"product": product, "api_key": "long-enough"}, base_url="")
        assert hooks.KIND not in lonely.polls()
