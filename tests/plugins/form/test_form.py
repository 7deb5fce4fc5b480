"""What the forms of the world become, and what their senders are answered."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Rejected, Skip
from hub.model import Receipt, Request
from hub.testing import build, request_from_file
from plugins.form.connector import FormConnector

SAMPLES = Path(__file__).parent / "samples"
SECRET = "page-key-page-key"
AT = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)


def connector(region="UA", **settings):
    return build(FormConnector, {"secret": SECRET, **settings}, region=region)


def sample(name, **changes):
    return replace(request_from_file(SAMPLES / name, "form", at=AT), **{"tail": SECRET, **changes})


def post(fields, *, kind="form", at=AT, query=(), headers=None, tail=SECRET):
    types = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
    body = json.dumps(fields).encode() if kind == "json" else urlencode(fields).encode()
    headers = {"content-type": types[kind], **(headers or {})}
    return Request("POST", "/in/form", tuple(query), headers, body, "203.0.113.7", tail, at)


def read(request, form=None):
    form = form or connector()
    [event] = form.parse(Receipt(1, "form", form.receipt_key(request), request, request.at))
    return event


def part(event, record, *names):
    return {name: event.record[record].get(name) for name in names}


# --- what each sender means -------------------------------------------------------------------------------------------


def test_tilda():
    event = read(sample("tilda-form.webhook.txt"))
    assert part(event, "contact", "name", "phone", "email") == {
        "name": "Анна",
        "phone": "+79000000002",
        "email": "anna@example.com",
    }
    assert event.record["source"] == {
        "channel": "form",
        "utm_source": "vk",
        "utm_medium": "social",
        "utm_campaign": "autumn",
        "client_id": "1.1",
    }
    assert part(event, "form", "id", "comment", "checkbox") == {
        "id": "form789",
        "comment": "Хочу квест",
        "checkbox": "yes",
    }
    assert event.key == "id:123:456"
    assert event.channel == "form"
    assert event.occurred_at == AT
    assert event.text.splitlines() == [
        "Name: Анна",
        "Phone: +7 (900) 000-00-02",
        "Email: anna@example.com",
        "Comments: Хочу квест",
        "Checkbox: yes",
    ]


def test_tilda_cart_becomes_an_order():
    event = read(sample("tilda-cart.webhook.txt"))
    order = event.record["order"]
    assert (order["number"], order["amount"]) == ("1234567890", "1250.50")
    assert order["goods"][0] == {
        "name": "Сироватка",
        "sku": "SR-2",
        "quantity": "2",
        "price": "450",
        "amount": "900",
    }
    assert event.record["form"]["kind"] == "cart"
    assert part(event, "form", "city", "branch") == {"city": "Київ", "branch": "12"}
    assert part(event, "source", "roistat", "client_id", "utm_source") == {
        "roistat": "98765",
        "client_id": "111.222",
        "utm_source": "fb",
    }
    assert "Крем x 1: 350.50" in event.text


def test_tilda_cart_as_one_field_of_json():
    payment = {"orderid": "7", "amount": "1 200,5", "products": ["Крем - 1x350"]}
    order = read(post({"Phone": "0671234567", "payment": json.dumps(payment)})).record["order"]
    assert (order["number"], order["amount"], order["goods"]) == ("7", "1200.5", [{"name": "Крем - 1x350"}])


def test_elementor_advanced_keeps_ids_and_reads_labels_aloud():
    event = read(sample("elementor-advanced.webhook.txt"))
    assert part(event, "contact", "name", "phone") == {"name": "Test", "phone": "+380670000001"}
    assert part(event, "form", "id", "title", "fields") == {
        "id": "abc123",
        "title": "Booking",
        "fields": {"name": "Test", "phone": "+380 67 000 00 01"},
    }
    assert part(event, "source", "utm_source", "ip") == {"utm_source": "google", "ip": "203.0.113.9"}
    assert event.text == "Имя: Test\nТелефон: +380 67 000 00 01"
    assert event.title == "Booking"


def test_elementor_plain_by_its_labels():
    event = read(sample("elementor-plain.webhook.txt"), connector(region="RU"))
    assert part(event, "contact", "name", "first_name", "last_name", "phone") == {
        "name": "Пётр Иванов",
        "first_name": "Пётр",
        "last_name": "Иванов",
        "phone": "+79160000001",
    }
    assert part(event, "form", "размер", "comment", "title", "id") == {
        "размер": "средний",
        "comment": "Перезвоните",
        "title": "Подбор породы",
        "id": "f3a1",
    }
    assert part(event, "source", "utm_source", "utm_medium", "yclid") == {
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "yclid": "777",
    }
    assert "Powered by" not in event.text


def test_contact_form_7():
    event = read(sample("cf7-to-webhook.webhook.json"))
    assert part(event, "contact", "name", "email", "phone") == {
        "name": "Test",
        "email": "t@example.com",
        "phone": "+380670000001",
    }
    assert event.record["form"]["quest"] == "Horror"
    assert event.record["form"]["fields"]["quest"] == ["Horror"]


def test_google_forms_by_response_id_and_by_the_look_of_an_answer():
    event = read(sample("google-response.webhook.json"))
    assert event.key == "id:2_ABaOnud"
    assert event.occurred_at == dt.datetime(2026, 3, 4, 10, 15, tzinfo=dt.UTC)
    assert part(event, "contact", "name", "email", "phone") == {
        "name": "Ana López",
        "email": "ana@example.com",
        "phone": "+525512345678",
    }
    assert event.record["form"]["colores"] == "rojo, azul"


def test_google_sheet_trigger_with_a_full_name():
    event = read(sample("google-named-values.webhook.json"))
    assert part(event, "contact", "last_name", "first_name", "middle_name", "phone") == {
        "last_name": "Коваль",
        "first_name": "Олена",
        "middle_name": "Сергіївна",
        "phone": "+380671234567",
    }
    assert event.record["form"]["wishes"] == "дзвонити після 18"


def test_own_page_in_json():
    event = read(sample("page-json.webhook.json"))
    assert part(event, "form", "id", "kind", "name", "phone", "city", "branch", "service", "agree", "players") == {
        "id": "course",
        "kind": "course",
        "name": "Ірина",
        "phone": "+380501234567",
        "city": "Львів",
        "branch": "5",
        "service": "Манікюр",
        "agree": "yes",
        "players": "4",
    }


def test_own_page_with_a_file():
    event = read(sample("page-multipart.http"))
    form = event.record["form"]
    assert form["fields"]["photo"] == "me.jpg (8 bytes, image/jpeg; the content is not kept)"
    assert "JFIF" not in str(event)
    assert (form["id"], form["kind"], form["wishes"]) == ("menu", "menu", "без цукру")
    assert event.record["contact"]["email"] == "marta@example.com"
    assert part(event, "source", "utm_source", "referer") == {
        "utm_source": "insta",
        "referer": "https://www.example.com/menu?utm_source=insta",
    }


def test_boxes_of_one_group_are_a_list_in_any_spelling():
    assert read(sample("page-serialize-array.webhook.json")).record["form"]["fields"]["day"] == ["mon", "tue"]
    assert read(post([("day", "mon"), ("day", "tue"), ("x", "1")])).record["form"]["day"] == "mon, tue"
    assert read(post([("day[]", "mon"), ("day[]", "tue")])).record["form"]["day"] == "mon, tue"


def test_old_sites_write_windows_1251():
    assert read(sample("page-windows-1251.webhook.txt")).record["contact"]["name"] == "Анна"
    undeclared = replace(post({}), body=urlencode({"name": "Анна"}, encoding="cp1251").encode())
    assert read(undeclared).record["contact"]["name"] == "Анна"


def test_a_form_was_opened():
    event = read(sample("form-opened.http", tail=f"{SECRET}/opened"))
    assert (event.type, event.subject) == ("form.opened", "form:training")
    assert event.record["form"]["id"] == "training"
    assert event.record["contact"]["email"] == "ivan@example.com"


@pytest.mark.parametrize(
    ("field", "ours"),
    [
        ("Ваш телефон *", "phone"), ("your-phone", "phone"), ("TEL", "phone"), ("Номер телефону", "phone"),
        ("Мобильный", "phone"), ("Teléfono", "phone"), ("contact_phone", "phone"),
        ("Эл. почта", "email"), ("E-mail", "email"), ("Correo electrónico:", "email"), ("your-email", "email"),
        ("Ваше имя", "name"), ("Ім’я", "name"), ("Nombre", "name"), ("FULL NAME", "name"), ("client_name", "name"),
    ],
)  # fmt: skip
def test_names_of_fields(field, ours):
    value = {"phone": "+380671234567", "email": "a@example.com", "name": "Олена"}[ours]
    assert read(post({field: value})).record["contact"][ours] == value


@pytest.mark.parametrize(
    ("field", "ours"),
    [
        ("Город", "city"), ("Населений пункт", "city"), ("Ciudad", "city"), ("Відділення Нової Пошти", "branch"),
        ("Отделение", "branch"), ("Коментар", "comment"), ("your-message", "comment"), ("Пожелания", "wishes"),
        ("Послуга", "service"), ("Дата візиту", "visit_at"),
    ],
)  # fmt: skip
def test_names_of_form_fields(field, ours):
    assert read(post({field: "so"})).record["form"][ours] == "so"


def test_a_phone_that_is_none_is_kept_as_typed():
    event = read(post({"phone": "call me", "name": "Ann"}))
    assert "phone" not in event.record["contact"]
    assert event.record["contact"]["phone_raw"] == "call me"
    assert event.record["form"]["phone"] == "call me"


def test_name_and_surname_apart():
    contact = read(post({"имя": "Анна", "фамилия": "Петрова"})).record["contact"]
    assert (contact["name"], contact["first_name"], contact["last_name"]) == ("Анна Петрова", "Анна", "Петрова")


def test_read_goes_before_what_names_say():
    form = connector(read={"contact.phone": "fields.my_tel", "form.size": "SIZE", "order.amount": "sum"})
    event = read(
        post({"phone": "+380500000000", "fields[my_tel]": "067 123 45 67", "Size": "XL", "sum": "1 200"}), form
    )
    assert event.record["contact"]["phone"] == "+380671234567"
    assert event.record["form"]["size"] == "XL"
    assert event.record["order"]["amount"] == "1200"


def test_marks_of_two_visits_are_never_mixed():
    page = "https://x.example/?utm_source=google&utm_campaign=spring&gclid=G1"
    cookies = "TILDAUTM=utm_source%3Dvk%7C%7C%7Cutm_medium%3Dsocial; _ga=GA1.2.3.4"
    event = read(post({"name": "A", "page_url": page, "COOKIES": cookies}))
    assert event.record["source"] == {
        "channel": "form",
        "utm_source": "google",
        "utm_campaign": "spring",
        "gclid": "G1",
        "client_id": "3.4",
        "page": page,
    }


def test_the_kind_is_the_admins_word():
    assert (
        read(post({"formid": "form1", "name": "A"}), connector(kinds={"form1": "salon"})).record["form"]["kind"]
        == "salon"
    )
    event = read(post({"formid": "form1", "name": "A"}, query=[("form", "training"), ("kind", "dogs")]))
    assert part(event, "form", "id", "kind") == {"id": "training", "kind": "dogs"}
    assert read(post({"name": "A"})).record["form"]["kind"] == ""


# --- once -------------------------------------------------------------------------------------------------------------


def keys(request, form=None):
    form = form or connector()
    return {("receipt", form.receipt_key(request)), ("event", read(request, form).key)}


ANSWERS = {"name": "Олена", "phone": "0671234567"}


@given(st.integers(0, 10**7), st.integers(0, 119))
def test_the_same_answers_within_two_minutes_are_one_submission_at_any_edge(at, seconds):
    at = AT + dt.timedelta(seconds=at)
    later = at + dt.timedelta(seconds=seconds)
    form = connector()
    first, second = post(ANSWERS, at=at), post(ANSWERS, at=later)
    same_receipt = form.receipt_key(first) == form.receipt_key(second)
    assert same_receipt or read(first, form).key == read(second, form).key


@given(st.integers(0, 10**7), st.integers(241, 10**7))
def test_who_asks_again_later_is_heard_again(at, seconds):
    at = AT + dt.timedelta(seconds=at)
    assert not keys(post(ANSWERS, at=at)) & keys(post(ANSWERS, at=at + dt.timedelta(seconds=seconds)))


def test_an_id_is_remembered_for_good():
    later = AT + dt.timedelta(days=29)
    assert keys(post({**ANSWERS, "tranid": "1:2"})) == keys(post({**ANSWERS, "tranid": "1:2"}, at=later))
    form = connector(key="Number")
    assert keys(post({**ANSWERS, "number": "5"}), form) == keys(post({"number": "5"}, at=later), form)


def test_a_constant_that_looks_like_an_id_swallows_nobody():
    """A careless page sends entry_id=1 with every form."""
    assert not keys(post({**ANSWERS, "entry_id": "1"})) & keys(post({"name": "Іван", "entry_id": "1"}))


def test_what_changes_with_every_sending_does_not_count():
    one = {**ANSWERS, "COOKIES": "a=1", "timestamp": "1", "_wpnonce": "x", "g-recaptcha-response": "y"}
    other = {**ANSWERS, "COOKIES": "a=2", "timestamp": "2", "_wpnonce": "z", "g-recaptcha-response": "w"}
    assert keys(post(one)) == keys(post(other))
    assert keys(post(ANSWERS)) != keys(post({**ANSWERS, "phone": "0671234568"}))


def test_two_people_open_one_form():
    opened = sample("form-opened.http", tail=f"{SECRET}/opened")
    assert keys(opened) == keys(opened)
    assert not keys(opened) & keys(replace(opened, remote="203.0.113.8"))


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        post(ANSWERS),
        post(ANSWERS, tail="old secret"),
        post(ANSWERS, tail="old%20secret"),
        post(ANSWERS, tail="", headers={"x-api-key": SECRET}),
        post(ANSWERS, tail="", headers={"authorization": f"bearer {SECRET}"}),
        post({**ANSWERS, "api_key": SECRET}, tail=""),
        post({**ANSWERS, "api_key": SECRET}, tail="", kind="json"),
    ],
)
def test_a_secret_may_stand_in_several_places(request_):
    connector(secrets=["old secret"], secret_field="api_key").verify(request_)


def test_a_secret_in_a_field_is_in_no_record():
    form = connector(secret_field="api_key")
    event = read(post({**ANSWERS, "api_key": SECRET}, tail=""), form)
    assert SECRET not in str(event)


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (post(ANSWERS, tail=""), 401, "no secret"),
        (post(ANSWERS, tail="nope"), 401, "wrong secret"),
        (post(ANSWERS, tail="секрет"), 401, "wrong secret"),
        (replace(post(ANSWERS), method="GET"), 405, "POST"),
        (replace(post(ANSWERS), method="DELETE"), 405, "POST"),
        (replace(post(ANSWERS), body=b"a=" + b"x" * 1_000_000), 413, "bytes"),
        (post(ANSWERS, headers={"origin": "https://evil.example"}), 403, "evil.example"),
    ],
)
def test_the_door_says_why(request_, status, words):
    with pytest.raises(Rejected, match=words) as caught:
        connector(origins=["https://www.example.com"]).verify(request_)
    assert caught.value.status == status


def test_a_secret_in_the_field_of_a_hostile_body_is_not_looked_for():
    request = replace(post({}, kind="json", tail=""), body=b"[" * 100_000)
    with pytest.raises(Rejected, match="deeper"):
        connector(secret_field="api_key").verify(request)


def test_tildas_test_is_answered_and_not_stored():
    reply = connector().handshake(sample("tilda-test-ping.txt"))
    assert (reply.status, reply.body) == (200, "ok")
    assert connector(secret_field="k").handshake(post({"test": "test", "k": SECRET}, tail="")).body == "ok"
    with pytest.raises(Rejected):
        connector().handshake(sample("tilda-test-ping.txt", tail="wrong"))
    assert connector().handshake(post({"test": "test", "name": "A"})) is None


def test_a_page_asks_before_it_posts():
    form = connector(origins=["https://www.example.com"])
    ask = Request("OPTIONS", "/in/form", headers={"origin": "https://www.example.com"}, tail=SECRET)
    reply = form.handshake(ask)
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
    assert "Content-Type" in reply.headers["Access-Control-Allow-Headers"]
    stranger = form.handshake(replace(ask, headers={"origin": "https://evil.example"}))
    assert (stranger.status, stranger.headers) == (403, {})
    assert connector().handshake(ask).status == 403
    answer = form.acknowledge(post(ANSWERS, headers={"origin": "https://www.example.com"}))
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.example.com"


def test_a_visitor_goes_on_to_configured_addresses_alone():
    form = connector(redirect=["https://www.example.com/thanks", "https://www.example.com/paid"])
    browser = {"accept": "text/html,*/*"}
    answer = form.acknowledge(post(ANSWERS, headers=browser))
    assert (answer.status, answer.headers["Location"]) == (303, "https://www.example.com/thanks")
    wanted = post({**ANSWERS, "redirect": "https://www.example.com/paid"}, headers=browser)
    assert form.acknowledge(wanted).headers["Location"] == "https://www.example.com/paid"
    wanted = post({**ANSWERS, "redirect": "https://evil.example/"}, headers=browser)
    assert form.acknowledge(wanted).headers["Location"] == "https://www.example.com/thanks"
    assert form.acknowledge(post(ANSWERS)).status == 200  # Elementor shows its visitor an error for anything else
    assert connector().acknowledge(post(ANSWERS, headers=browser)).body == "ok"


def test_an_opened_form_is_answered_with_a_picture():
    answer = connector().acknowledge(sample("form-opened.http", tail=f"{SECRET}/opened"))
    assert (answer.status, answer.content_type) == (200, "image/gif")


def test_a_robot_is_answered_and_makes_no_lead():
    form = connector(honeypot="website2")
    robot = post({**ANSWERS, "website2": "http://spam.example"})
    form.verify(robot)
    assert form.acknowledge(robot).status == 200
    with pytest.raises(Skip) as caught:
        form.parse(Receipt(1, "form", "k", robot, AT))
    assert caught.value.code == "honeypot"
    assert "website2" not in read(post({**ANSWERS, "website2": ""}), form).record["form"]["fields"]


@pytest.mark.parametrize("body", [b"{broken", b'{"a": NaN}', b"[1, 2]", b"{}", b"", b'{"name": ""}', b"[" * 100_000])
def test_genuine_and_unintelligible_is_kept_with_the_reason(body):
    form = connector()
    request = replace(post({}, kind="json"), body=body)
    form.verify(request)
    assert form.receipt_key(request)
    assert form.acknowledge(request).status == 200
    with pytest.raises(Rejected) as caught:
        form.parse(Receipt(1, "form", "k", request, AT))
    assert caught.value.reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"origins": ["www.example.com"]}, "not an origin"),
        ({"origins": ["https://www.example.com/page"]}, "not an origin"),
        ({"redirect": ["/thanks"]}, "write it whole"),
        ({"read": {"phone": "x"}}, "none of our fields"),
        ({"read": {"contact.phoen": "x"}}, "no field 'phoen'"),
        ({"secret": ""}, "Shorter"),
    ],
)
def test_settings_say_what_is_wrong(settings, words):
    with pytest.raises(ma.ValidationError, match=words):
        connector(**settings)


def test_check_points_at_a_short_secret():
    assert [finding.level for finding in connector().check()] == ["ok"]
    [finding] = connector(secrets=["short"]).check()
    assert (finding.level, "openssl" in finding.remedy) == ("warning", True)
    assert "short" in finding.text
