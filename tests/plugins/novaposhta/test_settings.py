"""Settings come as text out of hub.yaml."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import pytest

from hub.testing import build
from plugins.novaposhta import hub_connectors
from plugins.novaposhta.connector import NovaPoshta

KEY = {"api_key": "0123456789abcdef"}


def test_the_plugin_brings_one_connector() -> None:
    assert hub_connectors() == [NovaPoshta]


def test_defaults() -> None:
    connector = build(NovaPoshta, KEY)
    assert connector.polls() == {"parcel": 600.0}
    assert tuple(connector.hosts()) == ("api.novaposhta.ua", "my.novaposhta.ua")
    limits = connector.limits()
    assert (limits.per_second, limits.burst, limits.parallel) == (4.0, 8, 2)
    assert connector.settle == 30
    assert connector.statuses["7"] == "arrived"


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("600", 600)])
def test_durations(text: str, seconds: float) -> None:
    assert build(NovaPoshta, {**KEY, "poll": text}).polls() == {"parcel": seconds}


def test_text_is_converted() -> None:
    settings: dict[str, Any] = {
        **KEY,
        "per_second": "1.5",
        "parallel": "1",
        "box": {"length": "20", "width": "15", "height": "10"},
        "sender": {"phone": "067 000 00 01"},
    }
    connector = build(NovaPoshta, settings)
    assert (connector.limits().per_second, connector.limits().parallel) == (1.5, 1)
    assert connector.settings["box"]["width"] == 15.0
    assert connector.settings["sender"]["phone"] == "380670000001"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "api_key"),
        ({**KEY, "poll": "often"}, "is not a duration"),
        ({**KEY, "poll": "5s"}, "once a minute"),
        ({**KEY, "sender": {"phone": "123"}}, "not a Ukrainian phone"),
        ({**KEY, "sender": {"citty": "x"}}, "citty"),
        ({**KEY, "push": {"kind": "pigeon", "secret": "12345678"}}, "kind"),
        ({**KEY, "push": {"kind": "aftership"}}, "secret"),
        ({**KEY, "box": {"length": "20"}}, "width"),
        ({**KEY, "api_url": "novaposhta"}, "api_url"),
    ],
)
def test_what_is_wrong_is_told(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ma.ValidationError, match=words):
        build(NovaPoshta, settings)


def test_every_action_has_a_handler_and_searchable_ones_a_marker() -> None:
    kinds = {kind.name: kind for kind in NovaPoshta.actions}
    assert kinds["parcel.create"].marker == "InfoRegClientBarcodes"
    for kind in kinds.values():
        assert kind.idempotent or kind.marker or kind.uncertain in ("park", "repeat"), kind.name
