"""From a file to a Config: sections, variables, includes, unknown names, notes."""

from __future__ import annotations

import pytest

from hub.config import load, plugins_dir
from hub.errors import ConfigError
from hub.plugins import BrokenPlugin, Plugins
from tests.hub.config.fakes import (
    FIRST,
    HEAD,
    PLUGINS,
    Bitrix,
    problems,
    read,
    route,
)

DO = "do: crm.comment.create\nset: {COMMENT: x}"


def test_what_a_good_file_becomes(tmp_path):
    body = (
        "on: [site.form.submitted, '*.message.received']\nwhen: {contact.phone: valid}\ndo: crm.lead.upsert\n"
        "attach: {to: [open deal, open lead], within: 30d, as: note}\n"
        "set: {TITLE: event.text, ttn: form.number}\npriority: urgent"
    )
    config = read(tmp_path, route(body))
    one = config.routes[0]
    assert [str(trigger) for trigger in one.on] == ["site.form.submitted", "*.message.received"]
    step = one.steps[0]
    assert (step.do.connection, step.do.action, step.do.record, step.do.verb) == (
        "crm",
        "lead.upsert",
        "lead",
        "upsert",
    )
    assert step.attach.to == (("open", "deal"), ("open", "lead"))
    assert (step.attach.within, step.attach.as_) == (30 * 86400, "note")
    assert step.set.keys() == ("TITLE", "UF_CRM_1730000001")
    assert (one.priority, one.off, one.otherwise) == ("urgent", None, None)
    assert config.hub.timezone == "Europe/Kyiv"
    assert config.hub.keep == 90 * 86400
    assert config.connections["crm"].names["stages"]["won"] == "C5:WON"
    assert config.routes_for("insta", "message.received") == (one,)
    assert config.routes_for("insta", "message.sent") == ()
    assert config.routes_for("crm", "form.submitted") == ()
    assert config.needs("site", "form") == {"contact", "form"}
    assert config.needs("nova", "parcel") == frozenset()


def test_version_changes_with_the_text(tmp_path):
    first = read(tmp_path, route("on: site.form.submitted\n" + DO)).version
    assert first == read(tmp_path, route("on: site.form.submitted\n" + DO)).version
    assert first != read(tmp_path, route("on: site.form.submitted\n" + DO) + "# more\n").version


def test_needs_and_watched_fields(tmp_path):
    body = (
        "on: crm.deal.updated\nwhen: {deal.ttn: {changed: yes}, deal.was.stage: won}\ndo: crm.comment.create\n"
        'set: {COMMENT: "{{ deal.responsible.name }} {{ deal.goods | join }}", ENTITY_ID: company.id, X: event.text}'
    )
    config = read(tmp_path, route(body))
    assert config.needs("crm", "deal") == {"deal", "company", "responsible", "goods"}
    assert config.fields_watched("crm", "deal") == {"UF_CRM_1730000001", "stage"}


# --- unknown names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "on: site.form.submited\n" + DO,
            'on: no event "form.submited" in plugin form. Did you mean "form.submitted"?',
        ),
        (
            "on: sit.form.submitted\n" + DO,
            'on: no connection "sit" (there is: crm, nova, site, insta). Did you mean "site"?',
        ),
        ("on: '*.call.missed'\n" + DO, 'on: no connection brings the event "call.missed"'),
        ("on: form\n" + DO, 'on: "form" should read connection.record.verb, for example site.form.submitted'),
        (
            "on: site.form.submitted\ndo: crm.lead.upsrt",
            'do: no action "lead.upsrt" in plugin bitrix24. Did you mean "lead.upsert"?',
        ),
        (
            "on: site.form.submitted\ndo: cmr.lead.upsert",
            'do: no connection "cmr" (there is: crm, nova, site, insta). Did you mean "crm"?',
        ),
        (
            "on: site.form.submitted\ndo: site.form.make",
            'do: no action "form.make" in plugin form. It takes no actions.',
        ),
        (
            "on: site.form.submitted\ndo: crm.api",
            "do: api needs the vendor's method beside it, for example method: crm.status.list",
        ),
        ("on: site.form.submitted\nsett: {A: b}\n" + DO, 'sett: unknown key "sett". Did you mean "set"?'),
        (
            "on: site.form.submitted\nset: {TITEL: x, tnt: y}\ndo: crm.lead.upsert",
            'set.tnt: no field "tnt" at crm. Did you mean "ttn"?',
        ),
        (
            "on: site.form.submitted\npriority: high\n" + DO,
            'priority: priority can\'t be "high"; it is one of urgent, normal, bulk.',
        ),
        ("on: site.form.submitted\notherwise: two\n" + DO, 'otherwise: no route "two" above this one.'),
        (
            "on: site.form.submitted\nmissing: maybe\n" + DO,
            'missing: missing can\'t be "maybe"; it is one of create, skip, park, alert.',
        ),
        ("on: site.form.submitted\nwhen: {form.age: {above_: 3}}\n" + DO, 'when.form.age: no test "above_"'),
        ("on: site.form.submitted\nwhen: {conact.phone: valid}\n" + DO, "Did you mean contact.phone?"),
        ("on: site.form.submitted\nlook_up: {table: lines, as: x}\n" + DO, 'no table "lines" (there is: none).'),
        (
            "on: site.form.submitted\ndo: nova.parcel.create\nset: {city: form.city}",
            "nova.parcel.create needs name, phone in set",
        ),
        (
            "on: site.form.submitted\ndo: crm.deal.set_stage",
            "crm.deal.set_stage needs stage: a stage, or a map of statuses",
        ),
        ("on: site.form.submitted\nstage: won\n" + DO, '"stage" belongs to set_stage; here write set: {stage: won}'),
        ("on: site.form.submitted\nattach: {to: [deal]}\n" + DO, '"deal" should read open deal or open lead'),
        (
            "on: site.form.submitted\nattach: {to: [open deal], within: 30}\n" + DO,
            'within should be a duration like 30s, 5m, 3h or 2d, not "30"',
        ),
        (
            "on: site.form.submitted\nset: {A: {from: form.city, via: [stripp]}}\ndo: crm.comment.create",
            'no transform "stripp". Did you mean "strip"?',
        ),
        (
            "on: site.form.submitted\nset: {A: {from: form.city, via: [{truncate: x}]}}\ndo: crm.comment.create",
            'truncate takes a number of letters, not "x"',
        ),
        (
            "on: site.form.submitted\nset: {A: {from: city}}\ndo: crm.comment.create",
            '"city" is no path; it should read like form.city.',
        ),
        (
            "on: site.form.submitted\nset: {A: '{{ form.city | uper }}'}\ndo: crm.comment.create",
            'the template can\'t be read: no filter "uper"',
        ),
        ("on: site.form.submitted\nset: {A: '{{ form.city '}\ndo: crm.comment.create", "the template can't be read: "),
        (
            "on: site.form.submitted\nset: {A: '{{ frm.city }}'}\ndo: crm.comment.create",
            'no record or result "frm" here. Did you mean form.city?',
        ),
        ("on: site.form.submitted\nwhen: {event.text: {like: '(a+)+$'}}\n" + DO, "a repeat inside a repeat"),
        ("on: site.form.submitted\nwhen: {event.text: {like: '(a|aa)+$'}}\n" + DO, "alternatives inside a repeat"),
        ("on: site.form.submitted\nwhen: {event.text: {like: '(?>(a+)+)$'}}\n" + DO, "a repeat inside a repeat"),
        ("on: site.form.submitted\nwhen: {event.text: {like: '(a'}}\n" + DO, "this is no pattern"),
        ("on: site.form.submitted\nsteps: []", "steps is empty"),
        ("on: site.form.submitted", "nothing is done here: give do, send or steps"),
        (
            "on: site.form.submitted\nsteps: [{do: crm.comment.create}]\ndo: crm.comment.create",
            '"do" stands beside "steps"; put it into a step',
        ),
        ("on: site.form.submitted\nsend: hello\n" + DO, '"do" and "send" exclude each other; make two steps of them'),
        (DO, 'a route needs "on": the event that starts it'),
    ],
)
def test_names_and_shapes(tmp_path, body, message):
    found = problems(tmp_path, route(body))
    assert any(message in one for one in found), found
    with pytest.raises(ConfigError):
        read(tmp_path, route(body))


def test_all_problems_in_one_run_in_the_order_of_the_file(tmp_path):
    found = problems(
        tmp_path,
        HEAD.replace("timezone: Europe/Kyiv", "timezone: Europe/Kiyv").replace("plugin: form", "plugin: forms")
        + "routes:\n  - {name: a, on: crm.deal.updatd, do: crm.lead.upsrt}\n"
        "  - {name: a, on: crm.deal.updated, do: crm.comment.create}\n  - {on: crm.deal.updated}\n",
    )
    lines = [int(one.split(":")[1].split(" ")[0]) for one in found]
    assert lines == sorted(lines)
    assert len(found) == 7
    assert 'Did you mean "Europe/Kyiv"?' in found[0]
    assert 'no plugin "forms" (there is: bitrix24, form, instagram, novaposhta). Did you mean "form"?' in found[1]
    assert 'another route is called "a" already' in found[4]


def test_nothing_is_said_about_what_hangs_on_a_broken_connection(tmp_path):
    found = problems(
        tmp_path,
        route(
            "on: site.form.submitted\nwhen: {deal.anything: present}\ndo: crm.lead.upsrt\nset: {whatever: form.x}"
        ).replace("plugin: bitrix24", "plugin: bitrix"),
    )
    assert len(found) == 1
    assert found[0].endswith('Did you mean "bitrix24"?')


# --- variables --------------------------------------------------------------------------------------------


def test_variables(tmp_path):
    text = HEAD.replace("tokentoken", '"${B24_TOKEN}"').replace("formsecret", '"${SITE_SECRET}"')
    (tmp_path / ".env").write_text("B24_TOKEN=from file\nSITE_SECRET=secret of file\n")
    config = read(tmp_path, text, environ={"SITE_SECRET": "secret # of: environment"})
    assert config.connections["crm"].settings["application_token"] == "from file"
    assert config.connections["site"].settings["secret"] == "secret # of: environment"


def test_variables_that_are_not_there(tmp_path):
    text = (
        HEAD.replace("tokentoken", '"${B24_TOKEN}"')
        .replace("formsecret", '"${SITE_SECRET}"')
        .replace("keykeykey", '"${a-b}"')
    )
    found = problems(tmp_path, text, environ={"SITE_SECRET": ""})
    assert found == [
        "hub.yaml:5: ${B24_TOKEN} is not set; put B24_TOKEN=... into .env beside hub.yaml",
        'hub.yaml:9: "${a-b}" is no variable; names are letters, digits and _',
        "hub.yaml:10: ${SITE_SECRET} is empty; put SITE_SECRET=... into .env beside hub.yaml",
    ]


def test_a_variable_cannot_become_yaml(tmp_path):
    text = HEAD.replace("formsecret", '"${S}"')
    config = read(tmp_path, text, environ={"S": "x}\nroutes: [{"})
    assert config.connections["site"].settings["secret"] == "x}\nroutes: [{"
    assert config.routes == ()


def test_a_variable_between_braces_needs_quotes(tmp_path):
    found = problems(tmp_path, HEAD.replace("formsecret", "${S}"), environ={"S": "x"})
    assert found == ['hub.yaml:10: quote "${S}"']


def test_a_dollar_of_ones_own(tmp_path):
    assert read(tmp_path, HEAD.replace("formsecret", '"$${S}"')).connections["site"].settings["secret"] == "${S}"


# --- scalars are text ----------------------------------------------------------------------------------------


def test_every_scalar_is_text(tmp_path):
    body = (
        "on: site.form.submitted\ndo: crm.lead.upsert\n"
        "set: {A: 0501234567, B: NO, C: 12:30, D: 1_000, E: 2026-01-01, F: null, G: 0x1F}"
    )
    config = read(tmp_path, route(body))
    values = {line.key: line.source.value for line in config.routes[0].steps[0].set}
    assert values == {
        "A": "0501234567",
        "B": "NO",
        "C": "12:30",
        "D": "1_000",
        "E": "2026-01-01",
        "F": "null",
        "G": "0x1F",
    }


# --- include ----------------------------------------------------------------------------------------------------


def test_include(tmp_path):
    (tmp_path / "routes").mkdir()
    one = "routes:\n  - {name: NAME, on: site.form.submitted, do: crm.comment.create, set: {COMMENT: x}}\n"
    (tmp_path / "routes" / "b.yaml").write_text(one.replace("NAME", "from b"))
    (tmp_path / "routes" / "a.yaml").write_text(one.replace("NAME", "from a") + "hub: {region: UA}\n")
    text = "include: [routes/*.yaml]\n" + HEAD.replace(", region: UA", "") + one.replace("NAME", "from main")
    config = read(tmp_path, text)
    assert [route.name for route in config.routes] == ["from main", "from a", "from b"]
    assert config.hub.region == "UA"
    assert config.routes[1].file == "routes/a.yaml"


def test_problems_of_an_included_file_name_it(tmp_path):
    (tmp_path / "more.yaml").write_text(
        "routes:\n  - {name: a, on: site.form.submitted, do: crm.lead.upsrt}\ninclude: [x]\n"
    )
    found = problems(tmp_path, "include: [more.yaml, none.yaml, ../x.yaml]\n" + HEAD)
    assert [one.split(" ")[0] for one in found] == ["hub.yaml:1", "hub.yaml:1", "more.yaml:2", "more.yaml:3"]


def test_the_same_connection_in_two_files(tmp_path):
    (tmp_path / "more.yaml").write_text("connections:\n  site: {plugin: form, secret: other}\n")
    assert '"site" stands in connections twice' in problems(tmp_path, "include: more.yaml\n" + HEAD)[0]


# --- connections ----------------------------------------------------------------------------------------------------


def test_settings_are_checked_by_the_plugin(tmp_path):
    text = HEAD.replace("application_token: tokentoken", "per_second: often\n    webhok_url: x")
    found = problems(tmp_path, text)
    assert [one.split(" ", 1)[1] for one in found] == [
        "connections.crm: application_token: is missing (shown beside the webhook)",
        "connections.crm.per_second: per_second: isn't a integer",
        'connections.crm.webhok_url: unknown setting "webhok_url" of plugin bitrix24. Did you mean "webhook_url"?',
    ]


def test_secrets_are_masked(tmp_path):
    text = HEAD.replace("tokentoken", '"${B24_TOKEN}"\n    webhook_url: https://x.example/rest/1/abcdef/')
    crm = read(tmp_path, text, environ={"B24_TOKEN": "from outside"}).connections["crm"]
    assert set(crm.secrets()) == {"from outside", "https://x.example/rest/1/abcdef/"}
    assert "abcdef" not in repr(crm)
    assert "from outside" not in repr(crm)
    assert "C5:WON" in repr(crm)


def test_names(tmp_path):
    text = HEAD.replace('won: "C5:WON"', 'won: ""').replace("stages:", "stags:")
    assert 'unknown key "stags". Did you mean "stages"?' in problems(tmp_path, text)[0]


def test_broken_and_switched_off_plugins_are_named(tmp_path):
    plugins = Plugins.of(Bitrix)
    plugins.broken.append(BrokenPlugin("form", "SyntaxError: invalid syntax"))
    plugins.off.append("novaposhta")
    found = problems(tmp_path, HEAD, plugins)
    assert "plugin novaposhta is switched off by HUB_PLUGINS_OFF" in found[0]
    assert "plugin form can't be loaded: SyntaxError: invalid syntax" in found[1]


# --- sections -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hub: {base_url: hub.example.com}", 'base_url should read https://hub.example.com, not "hub.example.com"'),
        ("hub: {keep: long}", 'keep should be a duration like 30s, 5m, 3h or 2d, not "long"'),
        ("hub: {region: ukraine}", 'region is a country of two letters like UA, not "ukraine"'),
        ("hub: {unrouted: shout}", 'unrouted can\'t be "shout"'),
        ("people: {match: [phone, mail]}", 'match can\'t be "mail"'),
        ("people: {fill: {prefer: [cmr]}}", 'no connection "cmr"'),
        ("people: {block: {table: bad, by: [phone]}}", 'no table "bad"'),
        ("tables: {a: no.csv}", "no file no.csv"),
        ("tables: {a: []}", "the table has no rows"),
        ("team: {a: {crm: '1'}, groups: {g: [aa, b]}}", 'nobody in team is called "aa"'),
        ("messages: []", '"messages" should be a mapping'),
        ("rotes: []", 'unknown key "rotes". Did you mean "routes"?'),
        ("connections: []", "connections should be a mapping (key: value), not a list"),
    ],
)
def test_sections(tmp_path, text, message):
    found = problems(tmp_path, text + "\n")
    assert any(message in one for one in found), found


def test_what_is_not_built_yet_is_said_once(tmp_path):
    body = "on: crm.deal.stage_changed\nwhen: {deal.stage: won}\nfor: 1d\ndo: crm.comment.create\nset: {COMMENT: x}"
    text = route(body) + "messages: {a: {by: [tg], text: x}}\n"
    config = read(tmp_path, text)
    assert problems(tmp_path, text) == [
        f'hub.yaml:{FIRST + 1} routes[0]: not built yet: route "one" uses for; it stays off',
        f'hub.yaml:{FIRST + 7} messages: not built yet: the section "messages"; it is read and does nothing',
    ]
    assert config.routes[0].off == 'uses "for", not built yet'
    assert "for 1d" in config.routes[0].sentence()


def test_otherwise_names_a_route_above(tmp_path):
    text = HEAD + (
        "routes:\n  - {name: a, on: site.form.submitted, do: crm.comment.create, set: {COMMENT: x}}\n"
        "  - {name: b, on: site.form.submitted, otherwise: a, do: crm.comment.create, set: {COMMENT: x}}\n"
    )
    assert read(tmp_path, text).routes[1].otherwise == "a"


def test_sentence(tmp_path):
    body = (
        "on: nova.parcel.status_changed\nwhen: {parcel.status: [arrived, delivered]}\ndo: crm.deal.set_stage\n"
        "find: {ttn: parcel.number}\nonly_from: [to_ship]\nstage: {arrived: shipped, other: ignore}"
    )
    assert read(tmp_path, route(body)).routes[0].sentence() == (
        "When nova.parcel.status_changed, if parcel.status is one of arrived, delivered: "
        "crm.deal.set_stage found by ttn "
        "by status: arrived to shipped, other to ignore only from to_ship."
    )


def test_a_sentence_has_our_words_for_stages_that_are_written_as_codes(tmp_path):
    body = (
        'on: crm.deal.stage_changed\nwhen: {deal.stage: ["C5:WON", "C9:ELSE"]}\ndo: crm.deal.set_stage\n'
        'only_from: ["C5:PREPARATION"]\nstage: "C5:EXECUTING"'
    )
    assert read(tmp_path, route(body)).routes[0].sentence() == (
        "When crm.deal.stage_changed, if deal.stage is one of won (C5:WON), C9:ELSE: "
        "crm.deal.set_stage to shipped only from to_ship."
    )


def test_no_file(tmp_path):
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "hub.yaml", PLUGINS, {})
    assert [str(one) for one in error.value.problems] == ["hub.yaml: the file can't be read: no such file or directory"]


def test_not_utf8(tmp_path):
    (tmp_path / "hub.yaml").write_bytes("hub: {}\nx: Привіт\n".encode("cp1251"))
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "hub.yaml", PLUGINS, {})
    assert str(error.value.problems[0]) == "hub.yaml:2: the file isn't UTF-8; save it as UTF-8"


def test_byte_order_mark(tmp_path):
    (tmp_path / "hub.yaml").write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load(tmp_path / "hub.yaml", PLUGINS, {}).hub.region == "UA"


def test_plugins_dir_is_known_before_all_else(tmp_path):
    (tmp_path / "hub.yaml").write_text('hub: {plugins_dir: "${DIR}"}\nroutes: broken\n')
    assert plugins_dir(tmp_path / "hub.yaml", {"DIR": "mine"}) == tmp_path / "mine"
    (tmp_path / "hub.yaml").write_text("hub: {}\n")
    assert plugins_dir(tmp_path / "hub.yaml", {}) is None
