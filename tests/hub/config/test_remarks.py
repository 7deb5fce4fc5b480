"""How problems and warnings are put: places by name, guesses, secrets that stand in the file."""

from __future__ import annotations

import pytest

from tests.hub.config.fakes import HEAD, IN_THE_FILE, found, problems, remarks, route

DO = "do: crm.comment.create\nset: {COMMENT: x}"


def test_a_problem_names_its_route_and_step_and_keeps_its_path(tmp_path):
    steps = "steps:\n  - {do: nova.parcel.create, set: {city: x}}\n  - {do: crm.deal.upsert, set: {ttn: frm.number}}"
    [one] = [one for one in found(tmp_path, route("on: site.form.submitted\n" + steps)) if one.level == "problem"][-1:]
    assert one.path == "routes[0].steps[1].set.ttn"
    assert one.place == 'routes[0] "one" steps[1] (crm.deal.upsert) set.ttn'
    assert str(one).startswith(f"hub.yaml:{one.line} {one.place}: ")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("name: a long name " + "x" * 80 + "\non: nope\n" + DO, 'routes[0] "a long name ' + "x" * 47 + '…" on'),
        ("name: 'two\n\n  lines'\non: nope\n" + DO, 'routes[0] "two lines" on'),
        ("on: nope\n" + DO, "routes[0] on"),
        ("name: [a]\non: nope\n" + DO, "routes[0] on"),
        ("name: one\non: site.form.submitted\nsteps: [text]", 'routes[0] "one" steps[0]'),
    ],
)
def test_the_place_of_a_problem(tmp_path, body, place):
    text = HEAD + "routes:\n  - " + body.replace("\n", "\n    ") + "\n"
    assert place in [one.place for one in found(tmp_path, text)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("look_up: {table: b, where: {Breed: form.x}, as: x}", 'no column "Breed" in table b (breed, price)|"breed"'),
        ("look_up: {table: b, take: sum PRICE, as: x}", 'no column "PRICE" in table b (breed, price)|"price"'),
        (
            "look_up: b\nas: x\nwhen: {x.PRICE: present}",
            'no field "PRICE" in "x" (breed, count, price, rows, value)|x.price',
        ),
    ],
)
def test_a_column_in_another_case_is_guessed(tmp_path, body, message):
    (tmp_path / "b.csv").write_text("breed,price\nlab,5\n")
    text = route(f"on: site.form.submitted\n{body}\n{DO}") + "tables: {b: b.csv}\n"
    wrong, _, meant = message.partition("|")
    assert [one.partition(": ")[2] for one in problems(tmp_path, text)] == [f"{wrong}. Did you mean {meant}?"]


def test_a_column_of_the_block_list_in_another_case_is_guessed(tmp_path):
    (tmp_path / "b.csv").write_text("Phone,why\n+38,x\n")
    text = HEAD + "tables: {b: b.csv}\npeople: {block: {table: b, by: [phone]}}\n"
    [one] = problems(tmp_path, text)
    assert one.endswith('no column "phone" in table b (Phone, why). Did you mean "Phone"?')


def test_secrets_in_the_file_itself_are_told_each_with_its_line(tmp_path):
    found = [one for one in remarks(tmp_path, HEAD) if IN_THE_FILE in one]
    assert found[0] == (
        "hub.yaml:5 connections.crm.application_token: warning: this secret stands in the file itself. "
        'Put CRM_APPLICATION_TOKEN=... into .env beside it, and "${CRM_APPLICATION_TOKEN}" here'
    )
    places = [one.partition(": warning")[0] for one in found]
    assert places == [
        "hub.yaml:5 connections.crm.application_token",
        "hub.yaml:9 connections.nova.api_key",
        "hub.yaml:10 connections.site.secret",
        "hub.yaml:11 connections.insta.app_secret",
        "hub.yaml:11 connections.insta.access_token",
    ]
    assert not any("keykeykey" in one for one in found)


def test_secrets_of_variables_and_unset_ones_are_not(tmp_path):
    kept = HEAD.replace("tokentoken", '"${TOKEN}"').replace("keykeykey", '"in-part-${TOKEN}"')
    found = [one for one in remarks(tmp_path, kept, environ={"TOKEN": "x"}) if IN_THE_FILE in one]
    assert not any("crm" in one or "nova" in one for one in found)
    unset = remarks(tmp_path, HEAD.replace("tokentoken", '"${TOKEN}"'))
    assert not any(IN_THE_FILE in one and "crm" in one for one in unset)
