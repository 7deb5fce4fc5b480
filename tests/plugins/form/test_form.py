"""What the forms of the world become."""

import datetime as dt
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from tests.plugins.form.posting import AT, SECRET, connector, post, read, sample


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
    assert event.key.startswith("id:123:456:")
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
    assert event.key.startswith("id:2_ABaOnud:")
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


def test_fields_with_the_hubs_own_names_stay_among_the_answers():
    event = read(post({"name": "Олена", "was": "x", "Extra": "y", "was[size]": "z", "_connection": "crm"}, kind="json"))
    assert not {"was", "extra"} & set(event.record["form"])
    assert (event.record["form"]["fields"]["was"], event.record["form"]["fields"]["Extra"]) == ("x", "y")


def test_what_is_long_goes_on_short_and_stays_whole_in_the_receipt():
    long = "я" * 100_000
    fields = {"name": long, "phone": long, "email": long, "message": long, "utm_source": long, "formname": long,
              long: "x", "boxes": [long, {"y": long}],
              "payment": {"orderid": long, "note": long, "products": [{"name": long}]}}  # fmt: skip
    record = read(post(fields, kind="json", headers={"referer": "https://x.example/" + "a" * 9000})).record
    assert max(map(len, texts(record))) == 20_000
    cut = [record["contact"][name] for name in ("name", "phone_raw", "email_raw")] + [record["form"]["title"]]
    assert [(len(value), value[-1]) for value in cut] == [(200, "…")] * 4
    assert (len(record["source"]["utm_source"]), len(record["form"]["comment"])) == (2_000, 20_000)


def texts(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield str(value)


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
