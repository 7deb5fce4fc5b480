"""The status and error tables: every code the vendor is known to send has its place."""

import json

import pytest

from plugins.novaposhta import codes

HUB_STATUSES = {
    "registered",
    "accepted",
    "in_transit",
    "arrived",
    "out_for_delivery",
    "delivery_failed",
    "delayed",
    "delivered",
    "paid_out",
    "returning",
    "returned",
    "refused",
    "redirected",
    "lost",
    "cancelled",
    "unknown",
}
LISTED = [*range(1, 13), 14, 41, *range(101, 107), 108, 111, 112]


def test_every_listed_code_has_one_status_of_the_hub() -> None:
    placed = [code for group in codes.STATUSES.values() for code in group]
    assert sorted(placed) == sorted(map(str, LISTED))
    assert len(placed) == len(set(placed))
    assert set(codes.STATUSES) <= HUB_STATUSES


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("1", "registered"),
        ("12", "accepted"),
        ("41", "in_transit"),
        ("6", "in_transit"),
        ("8", "arrived"),
        ("14", "arrived"),
        ("101", "out_for_delivery"),
        ("9", "delivered"),
        ("106", "delivered"),
        ("11", "paid_out"),
        ("105", "returning"),
        ("108", "refused"),
        ("104", "redirected"),
        ("111", "delivery_failed"),
        ("112", "delayed"),
        ("2", "cancelled"),
        ("3", "unknown"),
        ("16", "unknown"),
        ("", "unknown"),
    ],
)
def test_status(code: str, status: str) -> None:
    assert codes.neutral_status(code) == status


@pytest.mark.parametrize(
    ("found", "texts", "expected"),
    [
        (["20000401501"], ["To many requests"], "retry"),
        ([], ["To many requests"], "retry"),
        ([], ["Service Unavailable"], "retry"),
        (["20001701795"], [], "retry"),
        ([], ["API key incorrect"], "auth"),
        (["20000200068"], ["API auth fail"], "auth"),
        (["20000201204"], ["API key expired"], "auth"),
        (["20000200103", "20000200268"], ["CityRecipient not found"], "directory"),
        ([], ["CityRecipient not found"], "directory"),
        (["20000300434"], ["RecipientsPhone invalid format"], "refused"),
        (["20000300434"], ["API key incorrect"], "refused"),
        (["20000100002", "20000300434"], [], "refused"),
        ([], ["Something nobody has seen"], "refused"),
        ([], [], "refused"),
    ],
)
def test_classify(found: list[str], texts: list[str], expected: str) -> None:
    assert codes.classify(found, texts) == expected


def test_rate_limit_is_known_by_code_and_by_text() -> None:
    assert codes.is_rate_limit(["20000401501"])
    assert codes.is_rate_limit([], ["To many requests"])
    assert not codes.is_rate_limit(["20000300434"], ["To many requests"])


@pytest.mark.parametrize(
    ("shape", "flat"),
    [
        (None, []),
        ([], []),
        ("", []),
        ("text", ["text"]),
        (["a", "b"], ["a", "b"]),
        ({"1": "20000900759"}, ["20000900759"]),
        ({"DuplicateValidate": "Counterparty is not unique"}, ["Counterparty is not unique"]),
        ([{"ID_20400048799000": "Please enter"}], ["Please enter"]),
        ([20000100002], ["20000100002"]),
    ],
)
def test_flatten(shape: object, flat: list[str]) -> None:
    assert codes.flatten(shape) == flat


def test_the_table_of_messages_explains_every_code_we_class() -> None:
    table = codes.error_table()
    assert all(code in table for group in codes.ERRORS.values() for code in group)
    assert codes.error_text("20000401501") == "To many requests"
    assert codes.error_text("30000500679") == "Building already exists"
    assert codes.error_text("1") == "1"
    assert json.dumps(table)
