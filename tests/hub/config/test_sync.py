"""`sync:`: what it unfolds into, and what is said of a slip, with its line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.config.syncs import SyncField, SyncKey, sentences
from hub.plugins import Plugins
from tests.hub.config.fakes import Form, _listing, problems, read

HEAD = """\
hub: {timezone: Europe/Kyiv, region: UA}
connections:
  crm:
    plugin: bitrix24
    names:
      fields: {city: UF_CRM_1}
      stages: {new: "NEW", won: "WON"}
      users: {boss: "1"}
  amo:
    plugin: amocrm
    names:
      fields: {town: "601", origin: "602"}
      stages: {fresh: 71/1, won: 71/142}
      users: {chief: "300"}
  site: {plugin: form, secret: formsecret}
  other: {plugin: lister}
team:
  anna: {crm: "7", amo: "307"}
  boris: {crm: "8"}
  groups: {all: [anna, boris]}
sync:
"""
FIRST = HEAD.count("\n") + 1
_BOTH = "contact.created contact.updated contact.deleted deal.created deal.updated deal.stage_changed deal.deleted"
_ACTS = "contact.upsert contact.find deal.upsert deal.set_stage"


def _writing(plugin):
    """Let a plugin say that it can write the usual words alone."""
    words = ("title", "amount", "first_name", "last_name", "phone", "email")
    plugin.actions = tuple(replace(kind, words=words) for kind in plugin.actions)
    return plugin


@pytest.fixture
def plugins():
    return Plugins.of(
        _listing("bitrix24", _BOTH, _ACTS, r"[A-Z][A-Z0-9_]*"), _writing(_listing("amocrm", _BOTH, _ACTS, r"\d+")),
        Form, _listing("lister", "contact.created"),
    )  # fmt: skip


@pytest.fixture
def load(tmp_path, plugins):
    return lambda body: read(tmp_path, HEAD + body, plugins)


@pytest.fixture
def said(tmp_path, plugins):
    return lambda body: problems(tmp_path, HEAD + body, plugins)


WHOLE = """\
  - name: two
    from: crm
    to: amo
    what: [deal, contact]
    both: yes
    fields:
      contact: {first_name: both, phone: both}
      deal: {title: forward, city: town, amount: {way: back, winner: amo}}
    filter: {deal.pipeline: "0"}
    winner: crm
    stages: {new: fresh, won: won}
    back: [new]
    people: {boss: chief}
    deleted: close
    close: {crm: won, amo: won}
    cap: 100 per hour
    quiet: yes
"""


class TestWhatIsMeant:
    def test_the_whole_of_it(self, load):
        [sync] = load(WHOLE).syncs
        assert (sync.one, sync.other, sync.records()) == ("crm", "amo", ("contact", "deal"))
        assert (sync.winner, sync.cap, sync.quiet, sync.both, sync.once) == ("crm", 100, True, True, False)
        assert sync.stages == (("NEW", "71/1"), ("WON", "71/142"))
        assert (sync.people, sync.back, sync.deleted) == ((("1", "300"),), frozenset({"NEW"}), "close")
        assert sync.close == {"crm": "WON", "amo": "71/142"}
        by_word = {one.word: one for one in sync.fields["deal"]}
        assert list(by_word) == ["title", "city", "amount", "responsible", "stage", "contact"]
        assert by_word["city"] == SyncField("city", "UF_CRM_1", "601", "both")
        assert by_word["amount"] == SyncField("amount", "amount", "amount", "back", "amo")
        assert (by_word["stage"].kind, by_word["contact"].kind) == ("stage", "reference")
        assert sync.fields["contact"][1].kind == "phones"
        assert sync.keys["contact"] == (SyncKey("phone", "phone"), SyncKey("email", "email"))

    def test_it_unfolds_into_routes_one_a_record_and_way(self, load):
        routes = [route for route in load(WHOLE).routes if route.sync]
        assert [(route.name, route.way) for route in routes] == [
            ("two: contact crm -> amo", "forward"), ("two: contact amo -> crm", "back"),
            ("two: deal crm -> amo", "forward"), ("two: deal amo -> crm", "back"),
        ]  # fmt: skip
        deal = routes[2]
        assert [str(one) for one in deal.on] == [
            "crm.deal.created", "crm.deal.updated", "crm.deal.stage_changed", "crm.deal.deleted"
        ]  # fmt: skip
        assert str(deal.steps[0].do) == "amo.deal.upsert"
        assert deal.sentence() == (
            "When crm.deal.created or crm.deal.updated or crm.deal.stage_changed or crm.deal.deleted, if deal.pipeline "
            "is 0: amo.deal.upsert of its twin, field by field where they differ (sync two)."
        )
        assert not routes[0].when, "the filter speaks of deals"
        assert (deal.file, deal.line) == ("hub.yaml", FIRST)

    def test_its_sentences(self, load):
        config = load(WHOLE)
        told = sentences(config.syncs[0], config.names())
        assert told[0] == ("Each contact: crm <-> amo: first_name, phone, responsible; twins meet by phone or email.")
        assert told[1].startswith(
            "Each deal: crm <-> amo: city (there 601), responsible, stage, contact; crm -> amo: title;"
        )
        assert "crm <- amo: amount (amo wins)" in told[1]
        assert told[2] == "Stages: new = fresh, won = won; forward only, back to new too."
        assert told[3] == "Who is responsible: boss = chief; of anybody else it isn't carried."
        assert "closes the deal on the other (crm: won, amo: won)" in told[4]
        assert "100 records an hour at most, without notifications" in told[5]

    def test_a_stage_without_a_pair_is_shown(self, load):
        config = load(line("stages: {new: fresh}, back: yes, people: email"))
        told = sentences(config.syncs[0], config.names())
        assert told[1] == (
            "Stages: new = fresh; in any direction. "
            "No pair: won of crm; won of amo; a move into one of these isn't carried."
        )
        assert "has the same e-mail" in told[2]

    def test_of_a_stage_in_two_pairs_the_first_counts_and_that_is_told(self, load):
        config = load(line("both: yes, stages: {new: won, won: won}"))
        [sync] = config.syncs
        assert (sync.stage("WON", "forward"), sync.stage("71/142", "back")) == ("71/142", "NEW")
        assert "won stands in several pairs: going back it becomes new." in sentences(sync, config.names())[1]

    def test_a_field_that_one_side_cannot_write_may_go_the_other_way(self, load):
        [sync] = load(line("both: yes, fields: {comment: back}")).syncs
        assert [(one.word, one.way) for one in sync.fields["deal"]] == [("comment", "back")]

    def test_little_is_enough(self, load):
        [sync] = load("  - {name: s, from: crm, to: amo, what: [contact]}\n").syncs
        assert [one.word for one in sync.fields["contact"]] == ["first_name", "last_name", "phone", "email"]
        assert {one.way for one in sync.fields["contact"]} == {"forward"}
        assert (sync.cap, sync.winner, sync.deleted, sync.breaker) == (500, "newest", "ignore", 10)

    def test_once_has_no_triggers_and_a_key_of_its_own(self, load):
        config = load("  - {name: s, from: crm, to: amo, what: [deal], once: yes, key: {origin: id}}\n")
        assert [route.on for route in config.routes if route.sync] == [()]
        assert config.syncs[0].keys["deal"] == (SyncKey("id", "602"),)
        assert "When hub sync start hands it on" in config.routes[-1].sentence()

    def test_stages_and_people_from_files_lists_and_the_team(self, load, tmp_path):
        (tmp_path / "stages.csv").write_text("crm;amo;title\nnew;fresh;Новая\n;;\nwon;won;Игра\n")
        line = "  - {name: s, from: crm, to: amo, what: [deal], stages: stages.csv, people: team}\n"
        [sync] = load(line).syncs
        assert (sync.stages, sync.people) == ((("NEW", "71/1"), ("WON", "71/142")), (("7", "307"),))
        line = '  - {name: s, from: crm, to: amo, what: [deal], stages: [[new, fresh], ["LOSE", won]], people: email}\n'
        [sync] = load(line).syncs
        assert (sync.stage("LOSE", "forward"), sync.stage("71/142", "back"), sync.people) == ("71/142", "LOSE", "email")

    def test_the_breaker_is_the_hubs(self, tmp_path, plugins):
        text = HEAD.replace("region: UA}", "region: UA, sync_breaker: 25}")
        text += "  - {name: s, from: crm, to: amo, what: [deal]}\n"
        assert read(tmp_path, text, plugins).syncs[0].breaker == 25


def line(body):
    """A sync of deals with one more key."""
    return f"  - {{name: s, from: crm, to: amo, what: [deal], {body}}}\n"


@pytest.mark.parametrize(("body", "where", "words"), [
    ("  - {from: crm, to: amo, what: [deal]}\n", "sync[0]", "a sync needs a name"),
    ("  - {name: a b, from: crm, to: amo, what: [deal]}\n", "sync[0].name", "should be one word"),
    ("  - {name: s, from: crn, to: amo, what: [deal]}\n", "sync[0].from", 'no connection "crn"'),
    ("  - {name: s, from: crm, what: [deal]}\n", "sync[0]", 'a sync needs "to"'),
    ("  - {name: s, from: crm, to: crm, what: [deal]}\n", "sync[0]", "the same connection"),
    ("  - {name: s, from: crm, to: amo}\n", "sync[0]", "a sync needs what"),
    ("  - {name: s, from: crm, to: amo, what: [dael]}\n", "sync[0].what[0]", 'Did you mean "deal"?'),
    ("  - {name: s, from: crm, to: site, what: [deal]}\n", "sync[0].what[0]", "has no action deal.upsert"),
    ("  - {name: s, from: site, to: crm, what: [contact]}\n", "sync[0].what[0]", "can't list its records"),
    ("  - {name: s, from: crm, to: other, what: [contact]}\n", "sync[0].what[0]", "has no action contact.upsert"),
    (line("wiht: x"), "sync[0].wiht", 'unknown key "wiht"'),
    (line("both: yes, once: yes"), "sync[0]", "both and once exclude each other"),
    (line("both: yse"), "sync[0].both", "this is yes or no"),
    (line("fields: {titel: both}, both: yes"), "sync[0].fields.titel",
     'no field "titel" in deal at crm or amo. Did you mean "title"?'),
    (line("fields: {title: boht}, both: yes"), "sync[0].fields.title", 'Did you mean "both"?'),
    (line("fields: {title: towm}"), "sync[0].fields.title", 'no field "towm" in deal at amo. Did you mean "town"?'),
    (line("fields: {title: both}"), "sync[0].fields.title", "goes one way, from crm to amo"),
    (line("fields: {stage: forward}"), "sync[0].fields", "give stages"),
    (line("fields: {title: {wya: forward}}"), "sync[0].fields.title.wya", 'Did you mean "way"?'),
    (line("people: emails"), "sync[0].people", '"emails" is no table. Did you mean "email"?'),
    (line("people: temas"), "sync[0].people", 'Did you mean "team"?'),
    (line("winner: crn"), "sync[0].winner", 'Did you mean "crm"?'),
    (line("key: [ttile]"), "sync[0].key[0]", 'no field "ttile" in deal at crm'),
    (line("stages: {nwe: fresh}"), "sync[0].stages.nwe",
     'no stage "nwe" in names.stages of crm (new, won). Did you mean "new"?'),
    (line("stages: {new: frehs}"), "sync[0].stages.new", 'Did you mean "fresh"?'),
    (line("stages: {new: }"), "sync[0].stages.new",
     '"new" of crm has nothing beside it: write what stands for it at amo'),
    (line("fields: {comment: both}, both: yes"), "sync[0].fields.comment",
     '"comment" of a deal can\'t be written at amo; carry it one way ("comment: back"), leave it out, or pair it'),
    (line("fields: {comment: forward}"), "sync[0].fields.comment", "can't be written at amo; leave it out, or pair it"),
    (line("stages: missing.csv"), "sync[0].stages", "no file missing.csv"),
    (line("stages: [[new]]"), "sync[0].stages[0]", "a pair has two sides"),
    (line("back: [nwe]"), "sync[0].back", 'Did you mean "new"?'),
    (line("deleted: colse"), "sync[0].deleted", 'Did you mean "close"?'),
    (line("deleted: close"), "sync[0].deleted", "into which stage?"),
    (line("close: {crm: won}"), "sync[0].close", "belongs to deleted: close"),
    (line("cap: 5 a day"), "sync[0].cap", "should read 500 per hour"),
    (line("filter: {deal.titel: x}"), "sync[0].filter", 'no field "titel" in deal'),
    ("  - {name: s, from: crm, to: amo, what: [deal, contact], fields: {title: forward}}\n",
     "sync[0].fields", "say of which record"),
    ("  - {name: s, from: crm, to: amo, what: [contact], deleted: close, close: {crm: won}}\n",
     "sync[0].deleted", "only leads and deals"),
])  # fmt: skip
def test_a_slip_is_said_with_its_line(said, body, where, words):
    found = said(body)
    assert any(one.startswith(f"hub.yaml:{FIRST} {where}") and words in one for one in found), found


@pytest.mark.parametrize("body", [
    "  - {name: s, from: crm, to: amo, what: contacts, fields: {contact: {phone: forward}, deal: {title: forward}}}\n",
    line("both: both, fields: {title: both, amount: back}"),
    line("fields: {title: both, amount: both, stage: back}, stages: {new: fresh}"),
    line("fields: {titel: both}, both: yes"),
])  # fmt: skip
def test_one_slip_is_one_problem(said, body):
    assert len(said(body)) == 1


def test_a_misspelled_section_is_read_as_the_one_that_is_meant(tmp_path, plugins):
    found = problems(tmp_path, HEAD.replace("connections:", "conections:") + line("quiet: yes"), plugins)
    [problem] = [one for one in found if "warning" not in one]
    assert problem.endswith('unknown key "conections". Did you mean "connections"?')


def test_all_of_them_in_one_run(said):
    body = line("cap: x, winner: y, stages: {nwe: fresh}") + "  - {name: s, from: crm}\n"
    found = said(body)
    assert len(found) == 4


def test_names_are_unique(said):
    assert any("another sync is called" in one for one in said(line("quiet: yes") * 2))


def test_a_row_of_a_file_is_named(said, tmp_path):
    (tmp_path / "stages.csv").write_text("crm,amo\nnew,fresh\nwno,won\n")
    [found] = said(line("stages: stages.csv"))
    assert found.startswith(f'hub.yaml:{FIRST} sync[0].stages (stages.csv:3): no stage "wno"')
    (tmp_path / "stages.csv").write_text("crm,omo\nnew,fresh\n")
    [found] = said(line("stages: stages.csv"))
    assert 'no column "amo" in stages.csv (crm, omo)' in found


def test_what_comes_later_is_said(said):
    [found] = said("  - {name: s, from: crm, to: amo, what: [contact, message], once: yes}\n")
    assert "not built yet: a sync of message records" in found


def test_a_plugins_name_in_place_of_its_connection_is_guessed_by_the_plugin(said) -> None:
    """By its letters `amocrm` is nearer to `crm`, which would turn the sync round."""
    told = "\n".join(map(str, said("  - {name: s, from: crm, to: amocrm, what: contact}\n")))
    assert 'Did you mean "amo"?' in told and 'Did you mean "crm"?' not in told
