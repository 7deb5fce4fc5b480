"""What a person typed and what the CRM says already; phones in the one spelling the portal's search finds."""

import pytest

from hub.model import Action
from hub.normal import contact as person
from hub.testing.build import build
from plugins.bitrix24 import multifield, outgoing
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox

TYPED = person("UA", first_name="anka", last_name="K", phone="067 123-45-67", city="Lviv")


@pytest.fixture(scope="module")
def crm():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        given = running.sandbox.credentials()
        settings = {name: given[name] for name in ("webhook_url", "application_token")}
        yield build(Bitrix24, settings)


def do(crm, name, values, **more):
    record, _, verb = name.partition(".")
    return crm.perform(Action(name, record, verb, values, **more))


class TestFill:
    @pytest.fixture(params=["contact", "lead"])
    def kind(self, request):
        return request.param

    @pytest.fixture
    def known(self, crm, kind):
        return do(crm, f"{kind}.create", {"TITLE": "t", "NAME": "Анна", "ADDRESS_CITY": ""}).id

    def update(self, crm, kind, number, values, fill="empty_only"):
        return do(crm, f"{kind}.update", values, id=number, person=TYPED, fill=fill)

    def test_what_only_repeats_the_person_fills_empties(self, crm, kind, known):
        values = {"NAME": TYPED["first_name"], "LAST_NAME": "K", "ADDRESS_CITY": TYPED["city"]}
        assert set(self.update(crm, kind, known, values).written) - {"PHONE"} == {"LAST_NAME", "ADDRESS_CITY"}
        assert crm.get(kind, known)["first_name"] == "Анна"

    def test_the_newest_may_overwrite(self, crm, kind, known):
        self.update(crm, kind, known, {"NAME": TYPED["first_name"]}, "newest")
        assert crm.get(kind, known)["first_name"] == "anka"

    def test_the_administrators_own_words_are_written(self, crm, kind, known):
        self.update(crm, kind, known, {"NAME": "Client", "COMMENTS": "anka called"})
        found = crm.get(kind, known)
        assert (found["first_name"], found["extra"]["COMMENTS"]) == ("Client", "anka called")

    def test_who_is_responsible_is_not_the_persons_word(self):
        assert "27" not in outgoing.typed({"id": "27", "responsible": "27", "first_name": "A"})

    def test_a_deal_is_not_the_person(self, crm):
        deal = do(crm, "deal.create", {"TITLE": "old"}).id
        assert do(crm, "deal.update", {"TITLE": "anka"}, id=deal, person=TYPED).written == {"TITLE": "anka"}


class TestPhones:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("067 123-45-67", "+380671234567"),
            ("380671234567", "+380671234567"),
            ("+380 (67) 123-45-67 ext. 5", "+380 (67) 123-45-67 ext. 5"),
            ("no phone", "no phone"),
            ("12", "12"),
        ],
    )
    def test_a_valid_number_is_written_as_e164(self, given, kept):
        assert multifield.written("PHONE", given, "UA") == [{"VALUE": kept, "VALUE_TYPE": "WORK"}]
        row = {"ID": "5", "VALUE": given, "VALUE_TYPE": "MOBILE"}
        assert multifield.written("PHONE", [row], "UA") == [{**row, "VALUE": kept}]
        assert row["VALUE"] == given

    def test_other_values_stay(self):
        assert multifield.written("WEB", "0671234567", "UA") == [{"VALUE": "0671234567", "VALUE_TYPE": "WORK"}]
        assert multifield.written("PHONE", [{"ID": "5", "DELETE": "Y"}], "UA") == [{"ID": "5", "DELETE": "Y"}]

    @pytest.mark.parametrize("kind", ["contact", "company", "lead"])
    def test_what_a_route_wrote_is_found_by_the_portal(self, crm, kind):
        number = {"contact": "050 300 10 01", "company": "050 300 10 02", "lead": "050 300 10 03"}[kind]
        made = do(crm, f"{kind}.create", {"TITLE": "t", "PHONE": number}).id
        asked = {"type": "PHONE", "values": ["+38" + number.replace(" ", "")], "entity_type": kind.upper()}
        found = do(crm, "api", asked, method="crm.duplicate.findbycomm")
        assert [str(one) for one in found.result[kind.upper()]] == [made]
        do(crm, f"{kind}.update", {"PHONE": "(050) 300-10-09"}, id=made)
        assert [row["VALUE"] for row in crm.get(kind, made)["extra"]["PHONE"]][-1] == "+380503001009"
