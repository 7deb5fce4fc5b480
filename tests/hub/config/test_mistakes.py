"""The ten most likely mistakes, and the message each deserves."""

from __future__ import annotations

import pytest

from tests.hub.config.fakes import FIRST, HEAD, problems, route

LEAD = "on: site.form.submitted\ndo: crm.lead.upsert\n"


def at(line: int) -> str:
    """Return the place of a line of the route's body (1 = the first)."""
    return f"hub.yaml:{FIRST + 1 + line}"


# --- 1 quotes ----------------------------------------------------------------------------------


def test_template_without_quotes(tmp_path):
    found = problems(tmp_path, route(LEAD + "set:\n  TITLE: {{ form.name }}\n  NAME: {{ x }} and more"))
    assert found == [
        f'{at(4)}: text with {{{{ }}}} needs quotes: TITLE: "{{{{ form.name }}}}"',
        f'{at(5)}: text with {{{{ }}}} needs quotes: NAME: "{{{{ x }}}} and more"',
        f'{at(5)} routes[0].set.NAME: no record or result "x" here.',
    ]


def test_template_without_quotes_between_braces(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {TITLE: {{ form.name }} of {{ event.channel }}, SOURCE_ID: WEB}"))
    assert found == [
        f'{at(3)}: text with {{{{ }}}} needs quotes: TITLE: "{{{{ form.name }}}} of {{{{ event.channel }}}}"'
    ]


# --- 2 a comment swallows the text ---------------------------------------------------------------


def test_text_cut_at_a_hash(tmp_path):
    found = problems(tmp_path, route(LEAD + "set:\n  TITLE: Order #5 is ready"))
    assert found == [
        f'{at(4)} routes[0].set.TITLE: warning: everything after " #" is lost as a comment ("5 is '
        f'ready"). Quote the text.'
    ]


def test_text_cut_at_a_hash_between_braces(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {TITLE: Order #5}"))
    assert found == [f'{at(3)}: everything after " #" is lost as a comment ("5"). Quote the text.']


def test_real_comments_are_no_mistake(tmp_path):
    assert problems(tmp_path, route(LEAD + "set:\n  TITLE: Order  # what the client wants\n  NAME: '#1'")) == []


# --- 3 a comma inside braces -----------------------------------------------------------------------


def test_comma_inside_braces(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {TITLE: {text: Hi, Anna}}"))
    assert found == [
        f'{at(3)} routes[0].set.TITLE.Anna: unknown key "Anna" without a value: did a comma cut your text? Quote it.'
    ]


# --- 4 signs that mean something else in YAML ----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("on: *.form.submitted", 'quote "*.form.submitted"'),
        ("on: [*.form.submitted, site.form.opened]", 'quote "*.form.submitted"'),
        ("when: {deal.amount: >= 9}", "use at_least: 9"),
        (
            "when: {contact.phone: !present}",
            "tags (!present) mean nothing here; write {not: present}, or absent for !present",
        ),
        (
            "when: {deal.stage: !to_ship, deal.amount: present}",
            "tags (!to_ship) mean nothing here; write {not: to_ship}, or absent for !present",
        ),
        ("when:\n  deal.amount: > 9", "use above: 9"),
    ],
)
def test_signs(tmp_path, line, message):
    found = problems(tmp_path, route(f"{line}\ndo: crm.lead.upsert\nset: {{TITLE: x}}"))
    assert f"{at(1 + line.count(chr(10)))}: {message}" in found


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("< 9", "use {below: 9} instead of < 9"),
        ("'>= 9'", "use {at_least: 9} instead of >= 9"),
        ("'!= won'", "use {not: won} instead of != won"),
        ("'!present'", "use {not: present} instead of !present"),
    ],
)
def test_signs_that_yaml_lets_through(tmp_path, test, message):
    found = problems(tmp_path, route(f"on: crm.deal.updated\nwhen:\n  deal.amount: {test}\ndo: crm.comment.create"))
    assert found == [f"{at(3)} routes[0].when.deal.amount: {message}"]


def test_tag(tmp_path):
    found = problems(tmp_path, route("on: crm.deal.updated\nwhen:\n  deal.amount: !present\ndo: crm.comment.create"))
    assert found[0] == (
        f'{at(3)} routes[0].when.deal.amount: tags (!present) mean nothing here; write present without "!", or quote it'
    )
    assert "this tests nothing" in found[1]


# --- 5 a key twice ------------------------------------------------------------------------------------


def test_key_twice(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {TITLE: a}\nset: {TITLE: b}"))
    assert found == [f'{at(4)} routes[0]: "set" stands twice in this route (first at :{FIRST + 4}).']


def test_merge_key(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: &all {TITLE: a}\n<<: *all"))
    assert found == [f'{at(4)} routes[0]: "<<" is not supported; use a plain anchor on one value.']


def test_anchor_on_one_value_works(tmp_path):
    text = HEAD + (
        "routes:\n"
        "  - {name: a, on: &all [site.form.submitted, site.form.opened], do: crm.comment.create, set: {COMMENT: x}}\n"
        "  - {name: b, on: *all, do: crm.comment.create, set: {COMMENT: y}}\n"
    )
    assert problems(tmp_path, text) == []


def test_alias_of_nothing(tmp_path):
    found = problems(tmp_path, route("on: *requests\ndo: crm.comment.create"))
    assert found[0].startswith(f'{at(1)} routes[0].on: nothing is named "&requests" above')


# --- 6 constants and paths --------------------------------------------------------------------------------


def test_field_that_is_none(tmp_path):
    found = problems(tmp_path, route(LEAD + "set:\n  PHONE: form.phoen"))
    assert len(found) == 1
    assert found[0].startswith(f'{at(4)} routes[0].set.PHONE: no field "phoen" in form.submitted (name, ')
    assert "Did you mean form.phone?" in found[0]


def test_forms_may_have_fields_of_their_own(tmp_path):
    assert problems(tmp_path, route(LEAD + "set: {PHONE: form.fields.phoen, TITLE: form.age, NAME: form.phones}")) == []


def test_record_that_is_none(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {PHONE: frm.phone}"))
    assert found == [
        f'{at(3)} routes[0].set.PHONE: "frm.phone" looks like a path, but there is no record "frm". '
        "Did you mean form.phone? For the text itself: {value: frm.phone}"
    ]


def test_value_says_it_is_meant(tmp_path):
    assert problems(tmp_path, route(LEAD + "set: {PHONE: {value: frm.phone}, TITLE: mir-kvestov.ru}")) == []


def test_constant_that_was_meant_as_path(tmp_path):
    found = problems(tmp_path, route(LEAD + 'set: {TITLE: "Name"}'))
    assert found == [
        f'{at(3)} routes[0].set.TITLE: warning: "Name" is written as these 4 letters. '
        "For the visitor's own: contact.name"
    ]


def test_field_of_a_closed_record(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {PHONE: contact.phoen, NAME: contact.shoe, UTM: source.utm_surce}"))
    assert len(found) == 3
    assert "Did you mean contact.phone?" in found[0]
    assert 'no field "shoe" in contact' in found[1]
    assert "Did you mean source.utm_source?" in found[2]


def test_part_of_a_single_value(tmp_path):
    found = problems(tmp_path, route(LEAD + "set: {PHONE: contact.phone.number}"))
    assert found == [f'{at(3)} routes[0].set.PHONE: "contact.phone" is a single value; it has no "number"']


# --- 7 stages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "on: crm.deal.stage_changed\nwhen: {deal.stage: to_shp}\ndo: crm.comment.create",
        "on: nova.parcel.status_changed\ndo: crm.deal.set_stage\nstage: to_shp",
        "on: nova.parcel.status_changed\ndo: crm.deal.set_stage\nstage: {arrived: to_shp, other: ignore}",
        "on: nova.parcel.status_changed\ndo: crm.deal.set_stage\nstage: won\nonly_from: [to_shp]",
        "on: site.form.submitted\ndo: crm.deal.upsert\nset: {STAGE_ID: to_shp}",
    ],
)
def test_stage_that_is_none(tmp_path, body):
    found = problems(tmp_path, route(body))
    assert len(found) == 1
    assert 'no stage "to_shp" in names.stages' in found[0]
    assert found[0].endswith('Did you mean "to_ship"?')


def test_codes_are_stages_too(tmp_path):
    assert (
        problems(tmp_path, route("on: crm.deal.stage_changed\nwhen: {deal.stage: 'C9:NEW'}\ndo: crm.comment.create"))
        == []
    )


def test_parcel_status_that_is_none(tmp_path):
    found = problems(tmp_path, route("on: nova.parcel.status_changed\ndo: crm.deal.set_stage\nstage: {arived: won}"))
    assert 'no parcel status "arived"' in found[0]
    assert 'Did you mean "arrived"?' in found[0]


# --- 8 chats without attach ------------------------------------------------------------------------------------------


def test_chat_without_attach(tmp_path):
    found = problems(tmp_path, route("on: insta.message.received\ndo: crm.lead.upsert\nset: {TITLE: event.text}"))
    assert found == [
        f"hub.yaml:{FIRST + 1} routes[0]: warning: each chat line would make a lead. "
        "Add attach: {to: [open lead], within: 30d, as: comment}."
    ]


def test_chat_with_attach(tmp_path):
    body = (
        "on: insta.message.received\ndo: crm.lead.upsert\nset: {TITLE: event.text}\n"
        "attach: {to: [open lead], within: 30d}"
    )
    assert problems(tmp_path, route(body)) == []


# --- 9 routes in each other's way -----------------------------------------------------------------


def two_routes(first: str, second: str) -> str:
    on = "on: nova.parcel.status_changed, do: crm.deal.set_stage"
    return HEAD + f"routes:\n  - {{name: a, {on}, {first}}}\n  - {{name: b, {on}, {second}}}\n"


def test_two_routes_move_one_record(tmp_path):
    found = problems(tmp_path, two_routes("stage: won", "stage: shipped"))
    assert found == [
        f"hub.yaml:{FIRST + 2} routes[1]: warning: :{FIRST + 1} and :{FIRST + 2} both set deal.stage "
        "on nova.parcel.status_changed"
    ]


@pytest.mark.parametrize(
    "second",
    [
        "stage: shipped, when: {parcel.status: accepted}",
        "stage: shipped, when: {any: [{parcel.status: lost}, {parcel.status: accepted}]}",
        "stage: shipped, when: {parcel.status: absent}",
        "stage: shipped, when: {parcel.status: {not: arrived}}",
        "stage: shipped, otherwise: a",
    ],
)
def test_two_routes_that_exclude_each_other(tmp_path, second):
    assert problems(tmp_path, two_routes("stage: won, when: {parcel.status: arrived}", second)) == []


def test_route_wakes_itself(tmp_path):
    found = problems(tmp_path, route("on: crm.deal.updated\ndo: crm.deal.upsert\nfind: deal\nset: {COMMENTS: x}"))
    assert found == [
        f"hub.yaml:{FIRST + 1} routes[0]: warning: this route's own write (deal.updated) starts it again; "
        "add a condition on what changed"
    ]


def test_route_that_looks_at_what_changed(tmp_path):
    body = "on: crm.deal.updated\nwhen: {deal.ttn: {changed: yes}}\ndo: crm.deal.upsert\nfind: deal\nset: {COMMENTS: x}"
    assert problems(tmp_path, route(body)) == []


# --- 10 waits without an end ----------------------------------------------------------------------


def test_wait_without_end(tmp_path):
    body = (
        "on: site.form.submitted\nsteps:\n  - wait: {event: insta.message.received}\n    as: answer\n"
        "  - {do: crm.comment.create}"
    )
    found = problems(tmp_path, route(body))
    assert any("wait without up_to" in one for one in found)
    assert any("not built yet" in one and "wait" in one for one in found)


# --- and the smaller ones -------------------------------------------------------------------------


def test_result_before_its_step(tmp_path):
    body = (
        "on: crm.deal.updated\nsteps:\n  - {do: crm.comment.create, set: {COMMENT: waybill.number}}\n"
        "  - {do: nova.parcel.create, set: {city: deal.city, name: contact.name, phone: contact.phone}, as: waybill}"
    )
    assert problems(tmp_path, route(body)) == [
        f'{at(3)} routes[0].steps[0].set.COMMENT: "waybill" is used before its step (as: waybill at :{FIRST + 5})'
    ]


def test_field_of_a_result(tmp_path):
    body = (
        "on: crm.deal.updated\nsteps:\n"
        "  - {do: nova.parcel.create, set: {city: deal.city, name: contact.name, phone: contact.phone}, as: waybill}\n"
        "  - {do: crm.comment.create, set: {COMMENT: waybill.nubmer}}"
    )
    assert problems(tmp_path, route(body))[0].endswith("Did you mean waybill.number?")


def test_column_that_is_none(tmp_path):
    tables = "tables:\n  lines:\n    - {form: a, stage: b}\n"
    body = (
        "on: site.form.submitted\nlook_up: {table: lines, where: {from: form.kind}, as: line}\n"
        "do: crm.comment.create\nset: {COMMENT: line.stag}"
    )
    found = problems(tmp_path, route(body) + tables)
    assert 'no column "from" in table lines (form, stage). Did you mean "form"?' in found[0]
    assert 'no field "stag" in "line"' in found[1]
    assert "Did you mean line.stage?" in found[1]


def test_slip_in_a_test(tmp_path):
    found = problems(tmp_path, route("on: crm.deal.updated\nwhen: {deal.ttn: abset}\ndo: crm.comment.create"))
    assert found == [f'{at(2)} routes[0].when.deal.ttn: warning: "abset" is compared as a text. Did you mean absent?']


# --- values and tests of no known shape -------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{frm: form.city}", '"frm" is no form of a value. Did you mean "from"?'),
        ("{value: a, text: b}", "value, text stand side by side; a value has one of them"),
        ("{from: form.city, value: x}", "value, from stand side by side"),
        ("{when: {form.city: present}}", "a value is missing beside when"),
        ("{first: []}", "first needs paths to choose from"),
        ("{}", "this is an empty mapping; to leave the field alone: leave"),
        ("", "there is nothing; to leave the field alone: leave; to clear it: {value: ''}"),
    ],
)
def test_values_of_no_shape(tmp_path, value, message):
    found = problems(tmp_path, route(LEAD + f"set:\n  TITLE: {value}"))
    assert any(message in one for one in found), found


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("parcel.status: arived", 'no parcel status "arived"'),
        ("parcel.status: [delivered, lots]", 'no parcel status "lots"'),
        ("parcel.cost: {above: abc}", '"above" compares numbers, amounts and dates; "abc" is none'),
        ("parcel.status: {changed: maybe}", 'changed is yes or no, not "maybe"'),
    ],
)
def test_tests_that_never_hold(tmp_path, test, message):
    body = f"on: nova.parcel.status_changed\nwhen:\n  {test}\ndo: crm.comment.create\nset: {{COMMENT: x}}"
    found = problems(tmp_path, route(body))
    assert any(message in one for one in found), found


@pytest.mark.parametrize(
    "test", ["{above: 5}", "{below: 1 000.50 UAH}", "{at_least: 2026-01-02}", "{at_most: now}", "{above: deal.amount}"]
)
def test_measures(tmp_path, test):
    when = f"when:\n  deal.amount: {test}\n  deal.stage: {{changed: yes}}"
    body = f"on: crm.deal.updated\n{when}\ndo: crm.comment.create\nset: {{COMMENT: x}}"
    assert problems(tmp_path, route(body)) == []


def test_a_record_that_starts_its_own_making(tmp_path):
    found = problems(tmp_path, route("on: crm.deal.created\ndo: crm.deal.create\nset: {TITLE: again}"))
    assert any("each deal it makes (crm.deal.created) starts it again" in one for one in found), found
    told = "on: crm.deal.created\nwhen: {deal.title: first}\ndo: crm.deal.create\nset: {TITLE: again}"
    assert problems(tmp_path, route(told)) == []


def test_an_update_makes_nothing(tmp_path):
    body = "on: site.form.submitted\ndo: crm.deal.update\nfind: {ttn: form.city}\nmissing: create\nset: {TITLE: x}"
    found = problems(tmp_path, route(body))
    assert any("crm.deal.update never makes a record; write deal.upsert for that" in one for one in found), found


# --- YAML's own stumbles -----------------------------------------------------------------------


@pytest.mark.parametrize(("body", "place", "words"), [
    ("set:\n  TITLE: 'Anna\n  NAME: x", 4, "the quote ' that begins here isn't closed"),
    ('set:\n  TITLE: "Anna\n  NAME: "x"', 4, 'the quote " that begins here isn\'t closed'),
    ("set: {TITLE: x\nwhen: {form.name: present}", 3, 'the "{" here has no "}"'),
    ("set: {TITLE: {{ form.name }", 3, 'needs quotes: TITLE: "{{ form.name }}"'),
    ("set: {TITLE: Hello {{ form.name }, NAME: x}", 3, '"{{" has no "}}" here'),
    ("set:\n  TITLE: {{ form.name\n  NAME: x", 4, 'needs quotes: TITLE: "{{ form.name }}"'),
    ("set: {TITLE: Order: new}", 3, 'a second ": " in one value: quote the text after the first: TITLE: "Order: new"'),
    ("only_from: [new, won\nset: {TITLE: x}", 3, 'the "[" here has no "]"'),
    ("set:\n  TITLE: x\n   NAME: y", 5, "indented by 7 spaces, line"),
    ("set:\n  TITLE: x\n NAME: y", 5, "what it may belong to above is by 0, 2, 4 or 6: use one of these"),
    ("set:\n  TITLE: Urgent: call", 4, 'quote the text after the first: TITLE: "Urgent: call"'),
    ("set:\n  TITLE: *bold*", 4, 'a text that begins with "*" needs quotes'),
    ("set:\n  - TITLE: x\n  NAME: y", 5, 'a list ("- ...") and keys ("key: ...") stand under one another'),
    ("set:\n  TITLE:x\n  NAME: y", 4, 'a space belongs behind the colon: "TITLE: ..."'),
    ("set:\n\tTITLE: x", 4, "indent with spaces, not with tabs"),
])  # fmt: skip
def test_what_yaml_stumbles_over_is_said_in_words(tmp_path, body, place, words):
    [found] = problems(tmp_path, route(LEAD + body))
    assert found.startswith(at(place) + ": ")
    assert words in found
    assert not any(jargon in found for jargon in ("block", "scalar", "mapping values", "flow", "<"))


@pytest.mark.parametrize(("test", "meant"), [
    ("exists", "present"), ("not empty", "present"), ("filled", "present"), ("empty", "absent"), ("null", "absent"),
    ("not set", "absent"), ("presnet", "present"), ("not Kyiv", "{not: Kyiv}"), ("not in Kyiv", "{not: Kyiv}"),
])  # fmt: skip
def test_a_test_in_other_words(tmp_path, test, meant):
    [found] = problems(tmp_path, route(LEAD + f"when: {{form.city: {test}}}\nset: {{TITLE: x}}"))
    assert found.endswith(f'warning: "{test}" is compared as a text. Did you mean {meant}?')


@pytest.mark.parametrize(("test", "meant"), [("exists", "present"), ("absent", "absent"), ("empty", "absent")])
def test_a_test_among_values_is_one_of_them(tmp_path, test, meant):
    [found] = problems(tmp_path, route(LEAD + f"when: {{form.city: [{test}, Kyiv]}}\nset: {{TITLE: x}}"))
    assert found.startswith(f"{at(3)} routes[0].when.form.city[0]: warning: ")
    assert found.endswith(f'"{test}" in a list is one of the values it may have. For the test write it alone: {meant}')


@pytest.mark.parametrize("text", ["x {{ form.name", "x {{ form.name }", "{% if form.name"])
def test_braces_left_open_are_said_without_jinjas_words(tmp_path, text):
    [found] = problems(tmp_path, route(LEAD + f'set: {{TITLE: "{text}"}}'))
    opening, closing = ("{%", "%}") if "%" in text else ("{{", "}}")
    assert found.endswith(f'the template can\'t be read: a "{opening}" has no "{closing}" behind it')


@pytest.mark.parametrize("text", ["Kyiv", "not so far away", "none of these", "set of spoons"])
def test_a_text_is_a_text(tmp_path, text):
    assert problems(tmp_path, route(LEAD + f"when: {{form.city: {text}}}\nset: {{TITLE: x}}")) == []
