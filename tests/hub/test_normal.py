"""One spelling for phones, e-mails and names, and the keys that name a human."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import identity, normal
from hub.model import Event


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("067 123-45-67", "UA", "+380671234567"), ("0671234567", "UA", "+380671234567"),
        ("380671234567", "UA", "+380671234567"), ("+38 (067) 123 45 67", "UA", "+380671234567"),
        ("80671234567", "UA", None), ("00380671234567", "UA", "+380671234567"),
        ("8 (912) 345-67-89", "RU", "+79123456789"), ("+7 912 345 67 89", "UA", "+79123456789"),
        ("79123456789", "RU", "+79123456789"), ("9123456789", "RU", "+79123456789"),
        ("8 701 123 45 67", "KZ", "+77011234567"), ("+77011234567", "", "+77011234567"),
        ("8 029 123-45-67", "BY", "+375291234567"), ("375291234567", "", "+375291234567"),
        ("512 345 678", "PL", "+48512345678"), ("48512345678", "", "+48512345678"),
        ("0048512345678", "PL", "+48512345678"),
        ("55 1234 5678", "MX", "+525512345678"), ("5215512345678", "", None), ("525512345678", "", "+525512345678"),
        ("(212) 555-2368", "US", "+12125552368"), ("0171 1234567", "DE", "+491711234567"),
        ("+380671234567 дод. 5", "", None), ("", "UA", None), ("12345", "UA", None), ("00000000000", "UA", None),
        ("+", "UA", None), ("дзвоніть увечері", "UA", None), ("\x00", "UA", None), ("١٢٣٤٥٦٧٨٩", "UA", None),
    ],
)  # fmt: skip
def test_a_phone_has_one_spelling_however_it_was_typed(text: str, region: str, e164: str | None) -> None:
    found = normal.phone(text, region)
    if e164 is None:
        assert found is None or found.startswith("+")
    else:
        assert found == e164


@given(st.text(max_size=40), st.sampled_from(["", "UA", "RU", "XX", "zz"]))
def test_any_text_is_a_phone_or_none_and_a_phone_stays_what_it_is(text: str, region: str) -> None:
    found = normal.phone(text, region)
    assert found is None or normal.phone(found, region) == found


@pytest.mark.parametrize(
    ("text", "address"),
    [("Anna.K@Example.COM", "anna.k@example.com"), (" <a@b.co> ", "a@b.co"),
     ("анна@пошта.укр", "анна@xn--80a1acn3a.xn--j1amh"),
     ("a@münchen.de", "a@xn--mnchen-3ya.de"), ("a+tag@x.io", "a+tag@x.io"), ("a@b", None), ("a b@c.de", None),
     ("@c.de", None), ("a@", None), ("", None), ("a@b..de", None), ("a@@b.de", None), ("a\x00@b.de", None),
     ("a@" + "x" * 64 + ".de", None), ("mailto:a@b.de", None), ("a@b.de, c@d.de", None)],
)  # fmt: skip
def test_an_e_mail_has_one_spelling(text: str, address: str | None) -> None:
    assert normal.email(text) == address


@given(st.text(max_size=40))
def test_any_text_is_an_e_mail_or_none(text: str) -> None:
    found = normal.email(text)
    assert found is None or "@" in found


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=20))
def test_what_is_made_storable_can_be_stored_anywhere(text: str) -> None:
    kept = normal.storable(text)
    assert "\x00" not in kept
    kept.encode()


def test_text_that_can_be_stored_stays_as_it_is() -> None:
    assert normal.storable("Привіт 👋 \t\n") == "Привіт 👋 \t\n"


def test_a_contact_keeps_what_could_not_be_read() -> None:
    made = normal.contact("UA", name=" Анна  Марія Коваль ", phone="увечері", email="немає", city="Київ", empty="")
    assert made == {
        "name": " Анна  Марія Коваль ", "first_name": "Анна", "last_name": "Марія Коваль",
        "phone_raw": "увечері", "email_raw": "немає", "city": "Київ",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "seen"),
    [("Ан\u202eнa", "Аннa"), ("A\u200bnna\ufeff", "Anna"), ("\u2066Anna\u2069 \u200eK\u200f", "Anna K"),
     ("An\u200dna", "Anna"), ("Олен\u200cа \u200d\u200c", "Олена "), ("\u200dAnna\u200d", "Anna"),
     ("\x1b[8mAnna\x9b", "[8mAnna"),
     ("👩\u200d❤️\u200d👨 Co", "👩\u200d❤️\u200d👨 Co"), ("می\u200cخواهم", "می\u200cخواهم"), ("क्\u200dष", "क्\u200dष"),
     ("Привіт 👋", "Привіт 👋"), (" Анна  Марія ", " Анна  Марія ")],
)  # fmt: skip
def test_a_name_is_taken_as_it_is_seen(typed: str, seen: str) -> None:
    """What turns the direction or has no width makes one name look like another in the CRM."""
    made = normal.contact("", name=typed, last_name=typed, middle_name=typed)
    assert (made["name"], made["last_name"], made["middle_name"]) == (seen, seen, seen)


def test_a_name_of_which_nothing_is_seen_is_none() -> None:
    assert normal.contact("", name="\u200b\u202e", phone="0" * 300) == {"phone_raw": "0" * 199 + "…"}


def test_what_goes_on_of_a_phone_and_an_e_mail_that_are_none_is_short() -> None:
    made = normal.contact("UA", name="А" * 5000, phone="дзвоніть " * 1000, email="x" * 201)
    assert [len(str(made[key])) for key in ("name", "phone_raw", "email_raw")] == [200, 200, 200]
    assert all(str(made[key]).endswith("…") for key in ("name", "phone_raw", "email_raw"))
    assert normal.contact("UA", email="x" * 200)["email_raw"] == "x" * 200


def test_a_contact_has_its_name_from_its_parts() -> None:
    made = normal.contact("UA", first_name="Анна", last_name="Коваль", phone="0671234567", email="A@B.CO")
    assert made["name"] == "Анна Коваль"
    assert (made["phones"], made["emails"]) == (["+380671234567"], ["a@b.co"])


# --- who it is ------------------------------------------------------------------------------------


def event(**contact: object) -> Event:
    return Event(
        "form.submitted", "form:9", "k", {"contact": contact, "deal": {"id": "55", "number": "A-7"}}, connection="crm"
    )


ALL = ("phone", "email", "handle")


def test_keys_come_in_the_order_of_match_and_once_each() -> None:
    one = event(phone="+380671234567", phones=["+380671234567", "+380501112233"], email="a@b.co", id="12",
                handles={"instagram": "anna", "telegram": ""})  # fmt: skip
    assert identity.keys(one, ("email", "phone", "handle")) == [
        ("email", "a@b.co"), ("phone", "+380671234567"), ("phone", "+380501112233"), ("handle", "instagram:anna"),
        ("crm.contact", "12"),
    ]  # fmt: skip
    assert identity.keys(one, ("handle",))[0] == ("handle", "instagram:anna")


@pytest.mark.parametrize("word", sorted(identity.NOBODY))
def test_what_people_type_in_to_be_left_alone_names_nobody(word: str) -> None:
    assert identity.keys(event(phone=word, email=word), ALL) == []


def test_a_company_may_name_more_nobodies() -> None:
    assert identity.keys(event(email="office@us.co", phone="+380671234567"), ALL, {"office@us.co"}) == [
        ("phone", "+380671234567")
    ]


@pytest.mark.parametrize("record", [{}, {"contact": None}, {"contact": "Anna"}, {"contact": {"name": "Anna"}}])
def test_who_leaves_nothing_is_nobody(record: dict[str, object]) -> None:
    assert identity.keys(Event("form.submitted", "form:1", "k", record), ALL) == []


def test_keys_and_search_words_can_be_stored_whatever_was_sent() -> None:
    hostile = event(id="1\x00", handles={"x": "a\x00\ud800"}, emails=["\ud800"], phone="+1\x00", number="n\x00")
    for _, value in identity.keys(hostile, ALL):
        assert normal.storable(value) == value
    for word in identity.search_words(hostile):
        assert normal.storable(word) == word


def test_an_event_is_found_by_what_people_have_at_hand() -> None:
    words = identity.search_words(event(phone="+380671234567", email="A@b.co", phones=["+380501112233"]))
    assert words >= {"9", "+380671234567", "a@b.co", "+380501112233", "55", "a-7"}


def test_a_name_becomes_a_word_of_hub_yaml() -> None:
    assert normal.word("Магазин: До відправки") == "magazin_do_vidpravki"
    assert normal.word("Ёлка & Щука №5") == "elka_shchuka_5"
    assert normal.word("!!!") == ""
    assert len(normal.word("long " * 30)) <= 40


def test_each_code_gets_a_word_of_its_own() -> None:
    rows = [
        ("C1", "Нова", "Нова"),
        ("C2", "Нова!", "Нова!"),
        ("C1", "Стара", "Стара"),
        ("77", "★", "★"),
        ("77x", "", ""),
    ]
    assert normal.worded(rows) == {
        "nova": ("C1", "Нова"), "nova_2": ("C2", "Нова!"), "x77": ("77", "★"), "x77x": ("77x", ""),
    }  # fmt: skip


def test_what_is_longer_than_an_address_can_be_is_none() -> None:
    """A domain of 78,000 labels in Cyrillic took a second to encode, and all other senders waited for it."""
    assert normal.email(f"{'a' * 64}@{'b' * 60}.example.com") is not None
    assert normal.email("a@" + "б." * 78_000 + "com") is None


def test_what_is_longer_than_a_phone_can_be_is_none_and_is_not_remembered() -> None:
    before = normal._e164.cache_info().currsize
    assert normal.phone("7" * 100_000, "UA") is None
    assert normal._e164.cache_info().currsize == before


@pytest.mark.parametrize("address", ["a@i\x1b.ua", "a@i.u\x7fa", "a\x00@i.ua"])
def test_no_control_stands_in_an_address(address: str) -> None:
    assert normal.email(address) is None
