"""The section `people`: what is read, and what is said of each mistake in it."""

from __future__ import annotations

import pytest

from hub.identity import Rules
from tests.hub.config.fakes import HEAD, problems, read, route

CLIENT = "people: {client: {has: [crm.deal: {deal.stage: [won]}]}}\n"
ACT = "do: crm.comment.create\nset: {COMMENT: x}"


def test_everything_is_read(tmp_path):
    people = read(
        tmp_path,
        HEAD
        + """
people:
  match: [phone, email]
  fill: {prefer: [crm, site], name: longest, phone: all, city: newest, email: {prefer: [site]}}
  nobody: ["+380441234567"]
  nobody_after: 12
  unverified: [site]
  client: {has: [crm.deal: {deal.stage: [won, shipped]}, crm.lead: {lead.stage: CONVERTED}]}
  merge: {auto: [same phone], carry: [deals, notes], else: ignore}
""",
    ).people
    assert people.fill == ("prefer", "crm", "site")
    assert people.survive == {"name": "longest", "phone": "all", "city": "newest", "email": ("site",)}
    assert (people.nobody, people.nobody_after) == ({"+380441234567"}, 12)
    assert people.unverified == {"site"} == Rules.of(people).unverified
    assert [(rule.connection, rule.record) for rule in people.client] == [("crm", "deal"), ("crm", "lead")]
    assert people.client[0].condition.words() == "deal.stage is one of won, shipped"
    assert people.merge is not None
    assert (people.merge.auto, people.merge.carry, people.merge.else_) == (("phone",), ("deals", "notes"), "ignore")
    assert Rules.of(people).auto == ("phone",)


def test_without_it_persons_are_joined_and_no_crm_is_touched(tmp_path):
    people = read(tmp_path, HEAD).people
    assert people.merge is None
    assert Rules.of(people).auto == ("phone", "email", "handle")


def test_merge_alone_means_all_of_it(tmp_path):
    merge = read(tmp_path, HEAD + "people: {match: [phone, email], merge: {else: suspects}}\n").people.merge
    assert merge is not None
    assert (merge.auto, merge.carry) == (("phone", "email"), ("deals", "notes", "tags", "tasks"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{mtch: [phone]}", 'unknown key "mtch". Did you mean "match"?'),
        ("{unverified: [sit]}", 'Did you mean "site"?'),
        ("{merge: {auto: [same fone]}}", 'Did you mean "same phone"?'),
        ("{merge: {auto: [emails]}}", 'auto can\'t be "emails". Did you mean "same email"?'),
        ("{match: [phone], merge: {auto: [same email]}}", 'auto can\'t be "same email"; it is one of same phone.'),
        ("{merge: {carry: [deal]}}", 'Did you mean "deals"?'),
        ("{merge: {esle: suspects}}", 'unknown key "esle". Did you mean "else"?'),
        ("{merge: {else: suspect}}", 'Did you mean "suspects"?'),
        ("{fill: {name: longst}}", 'Did you mean "longest"?'),
        ("{fill: {nam: longest}}", 'unknown key "nam". Did you mean "name"?'),
        ("{fill: {prefer: [crm], other: newest}}", "prefer and other both say"),
        ("{nobody_after: 1}", "nobody_after should be a number from 2 to 1000"),
        ("{client: {has: [crm.parcel: {parcel.status: delivered}]}}", "the record one of deal, lead, order"),
        ("{client: {has: [cmr.deal: {deal.stage: won}]}}", 'no connection "cmr"'),
        ("{client: {has: [crm.deal: {deal.stage: wan}]}}", 'no stage "wan" in names.stages'),
        ("{client: {has: [crm.deal: {contact.phone: valid}]}}", "only fields of deal can be looked at here"),
        ("{client: {hsa: []}}", "client needs has"),
    ],
)
def test_mistakes(tmp_path, text, message):
    found = problems(tmp_path, HEAD + f"people: {text}\n")
    assert any(message in one for one in found), found


# --- conditions on the person -----------------------------------------------------------------------


def test_counts_over_time_are_read(tmp_path):
    body = "on: site.form.submitted\nwhen: {person.requests: {at_least: 2, within: 30d}}\n" + ACT
    config = read(tmp_path, route(body))
    assert config.routes[0].off is None
    assert config.routes[0].asks_person
    assert config.routes[0].when.words() == "person.requests is at least 2 within 30d"


def test_a_client_is_known_once_it_is_said_who_is_one(tmp_path):
    body = "on: crm.deal.updated\nwhen: {person.client: yes}\n" + ACT
    found = problems(tmp_path, route(body))
    assert any("person.client needs to know who is one" in one for one in found), found
    config = read(tmp_path, route(body) + CLIENT)
    assert config.routes[0].off is None
    assert "contact" in config.needs("crm", "deal"), "whose deal it is must be read"


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{deal.amount: {at_least: 2, within: 30d}}", "within counts over time; it goes with person.requests"),
        ("{person.requests: {within: 30d}}", "within needs a number beside it"),
        ("{person.requests: {at_least: 2, within: soon}}", "within should be a duration"),
        ("{person.clint: yes}", "Did you mean person.client?"),
    ],
)
def test_mistakes_in_conditions(tmp_path, test, message):
    found = problems(tmp_path, route(f"on: crm.deal.updated\nwhen: {test}\n{ACT}"))
    assert any(message in one for one in found), found
