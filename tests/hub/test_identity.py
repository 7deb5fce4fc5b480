"""Keys, keys of nobody, golden record and likeness: pure rules, each by examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import golden, likeness
from hub.config import People
from hub.identity import MOST_KEYS, Rules, Tally, conflicts, nobodys, read, same_name
from hub.model import Event


def event(connection: str = "site", **record: object) -> Event:
    return Event("form.submitted", "form:1", "k", record, connection=connection)


def test_keys_come_in_the_order_of_match_and_the_vendors_last() -> None:
    contact = {"id": "55", "phone": "+380671234567", "emails": ["a@i.ua", "b@i.ua"], "handles": {"insta": "4711"}}
    asked = read(event("crm", contact=contact), Rules(match=("email", "handle", "phone")))
    assert asked.keys == [
        ("email", "a@i.ua"), ("email", "b@i.ua"), ("handle", "insta:4711"), ("phone", "+380671234567"),
        ("crm.contact", "55"),
    ]  # fmt: skip


def test_of_thousands_of_keys_the_first_count_and_the_contact_itself() -> None:
    """A form that sends a whole address book must not make everybody in it one."""
    contact = {"id": "55", "phones": [f"+38067{n:07}" for n in range(1234567, 1237567)]}
    asked = read(event("crm", contact=contact), Rules())
    assert len(asked.keys) == MOST_KEYS
    assert asked.keys[0] == ("phone", "+380671234567")
    assert asked.keys[-1] == ("crm.contact", "55")
    assert asked.left == [("phone", "+380671234616", "too_many")]


def test_what_names_nobody_is_left_out_and_told() -> None:
    contact = {"phones": ["+380671234567", "+380777777777"], "email": "noreply@shop.ua"}
    asked = read(event(contact=contact), Rules())
    assert asked.keys == [("phone", "+380671234567")]
    assert asked.left == [("phone", "+380777777777", "same_digit"), ("email", "noreply@shop.ua", "placeholder")]


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("phone", "+380671234567", ""),
        ("phone", "+380000000000", "placeholder"),
        ("phone", "12345", "not_valid"),
        ("phone", "+3806712345", "not_valid"),
        ("email", "no@no.no", "placeholder"),
        ("email", "mailer-daemon@i.ua", "placeholder"),
        ("email", "info@info.com", "placeholder"),
        ("email", "info@firma.com", ""),
        ("email", "none", "placeholder"),
        ("email", "anna", "not_valid"),
        ("handle", "insta:none", "placeholder"),
        ("handle", "insta:nonepiece", ""),
        ("email", "shop@shop.example", "listed"),
    ],
)
def test_nobody_by_rule(kind: str, value: str, why: str) -> None:
    assert nobodys(kind, value, {"shop@shop.example"}) == why


def test_clicks_and_sessions_are_hints() -> None:
    asked = read(event(contact={"phone": "+380671234567"}, source={"gclid": "abc", "utm_source": "x"}), Rules())
    assert asked.hints == [("hint.gclid", "abc")]


def test_the_version_changes_with_what_is_written() -> None:
    some = (People(), People(match=("phone",)), People(unverified=frozenset({"site"})), People(nobody_after=31))
    assert len({Rules.of(one).version for one in some}) == len(some)
    assert Rules.of(People()).version == Rules.of(People()).version


def test_conflicts_are_by_group() -> None:
    mine = [("phone", "1"), ("phone", "2"), ("handle", "insta:a"), ("crm.contact", "5"), ("hint.gclid", "x")]
    assert conflicts(mine, [("phone", "2"), ("phone", "3"), ("handle", "viber:a")]) == []
    assert conflicts(mine, [("phone", "3"), ("handle", "insta:b"), ("crm.contact", "6"), ("hint.gclid", "y")]) == [
        "crm.contact", "handle insta", "phone",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("Anna", "Anna Koval", True), ("koval ANNA", "Anna Koval", True), ("", "Anna", True), ("Anna", "Petro", False)],
)
def test_names(one: str, other: str, same: bool) -> None:
    assert same_name(one, other) is same


def test_a_tally_counts_a_window() -> None:
    tally = Tally.of([100.0, 50.0, 1.0], 100.0)
    assert (tally, tally.within(50), tally.within(10)) == (3, 2, 1)


# --- golden record ----------------------------------------------------------------------------------


def test_nothing_new_is_no_write() -> None:
    record = golden.add(None, {"name": "Anna", "phones": ["+1", "+2"]}, "site", 10.0)
    assert record is not None
    assert [one["value"] for one in record["phone"]] == ["+1", "+2"]
    assert golden.add(record, {"name": " Anna ", "phone": "+1"}, "site", 20.0) is None
    later = golden.add(record, {"name": "Anna"}, "site", 10.0 + golden.AGAIN)
    assert later is not None
    assert later["name"] == [{"value": "Anna", "from": "site", "first": 10.0, "at": 10.0 + golden.AGAIN}]


def test_which_value_stands() -> None:
    record: golden.Golden = {}
    said = [
        ("Anna", "site", 1.0),
        ("Anna Koval-Petrenko", "insta", 2.0),
        ("Anna Koval", "crm", 3.0),
        ("A", "site", 4.0),
    ]
    for name, connection, at in said:
        record = golden.add(record, {"name": name}, connection, at) or record
    assert golden.best(record, "name") == "Anna"
    assert golden.best(record, "name", "newest") == "A"
    assert golden.best(record, "name", "longest") == "Anna Koval-Petrenko"
    assert golden.best(record, "name", ("crm", "site")) == "Anna Koval"
    assert golden.best(record, "name", ("nova", "site")) == "A"
    assert golden.best(record, "name", ("nova",)) == "A"
    assert golden.best(record, "name", "all") == ["Anna", "Anna Koval-Petrenko", "Anna Koval", "A"]
    assert golden.best(record, "city", "longest") is None


def test_no_end_of_values_is_kept() -> None:
    record: golden.Golden = {}
    for n in range(golden.MOST + 9):
        record = golden.add(record, {"name": f"Name {n}"}, "site", float(n)) or record
    assert len(record["name"]) == golden.MOST
    assert record["name"][0]["value"] == "Name 0"
    assert record["name"][-1]["value"] == f"Name {golden.MOST + 8}"


# --- likeness ---------------------------------------------------------------------------------------

_DIGITS = st.text("0123456789", min_size=9, max_size=9)


@given(_DIGITS, st.integers(0, 8), st.sampled_from("0123456789"))
def test_a_wrong_digit_shares_a_near_word(digits: str, place: int, digit: str) -> None:
    one, other = f"+380{digits}", f"+380{digits[:place]}{digit}{digits[place + 1 :]}"
    assert likeness.near("phone", one, other) is (one != other)
    assert set(likeness.near_words("phone", one)) & set(likeness.near_words("phone", other))


@given(_DIGITS, st.integers(0, 7))
def test_swapped_digits_share_a_near_word(digits: str, place: int) -> None:
    swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
    one, other = f"+380{digits}", f"+380{swapped}"
    assert likeness.near("phone", one, other) is (one != other)
    assert set(likeness.near_words("phone", one)) & set(likeness.near_words("phone", other))


_LOCAL = st.text("abcdefgh.123", min_size=5, max_size=30)


@given(_LOCAL, st.integers(0, 29), st.sampled_from("xyz"))
def test_a_slip_in_an_address_shares_a_near_word(local: str, place: int, letter: str) -> None:
    place %= len(local)
    slips = [local[:place] + letter + local[place + 1 :]]
    if len(local) < likeness.LOCAL:
        slips += [local[:place] + local[place + 1 :], local[:place] + letter + local[place:]]
    for slip in slips:
        assert set(likeness.near_words("email", f"{local}@i.ua")) & set(likeness.near_words("email", f"{slip}@i.ua"))


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("olena@gmail.com", "olena@gmial.com", True),
        ("olena@gmail.com", "olenna@gmail.com", True),
        ("olena@gmail.com", "elena@gmial.com", False),
        ("al@i.ua", "ol@i.ua", False),
        ("olena@gmail.com", "olena@gmail.com", False),
    ],
)
def test_near_addresses(one: str, other: str, near: bool) -> None:
    assert likeness.near("email", one, other) is near


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Olena Koval", "Koval Olena", True),
        ("Олена", "Олена Коваль", True),
        ("Olena Koval", "Olena Kovel", True),
        ("Ivan Petrenko", "Ivan Petrov", False),
        ("Olena", "Petro", False),
        ("", "Petro", False),
    ],
)
def test_like_names(one: str, other: str, alike: bool) -> None:
    assert (likeness.name_score(one, other) >= likeness.THRESHOLD) is alike
