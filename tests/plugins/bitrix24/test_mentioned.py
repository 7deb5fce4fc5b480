"""What routes name of the portal is held against the portal: Bitrix24 itself is silent about it."""

import pytest

from hub.connector import Mention
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox

NAMES = {"fields": {"ttn": "UF_CRM_1730000001"}, "stages": {"shop_won": "C5:WON", "first_won": "C0:WON"}}
PLACE = 'hub.yaml:31, route "shop"'


@pytest.fixture(scope="module")
def portal():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield running.sandbox


@pytest.fixture
def check(portal):
    """Return a function that gives the findings about some mentions, as (level, text, remedy)."""

    def ask(*mentions):
        given = portal.credentials()
        settings = {name: given[name] for name in ("webhook_url", "application_token")}
        crm = build(Bitrix24, settings, names=NAMES)
        crm.connection.mentions = mentions
        return [(one.level, one.text, one.remedy) for one in crm.check() if one.text.startswith("hub.yaml")]

    return ask


def field(record, code):
    return Mention("field", record, code, PLACE)


def stage(record, code, *beside):
    return Mention("stage", record, code, PLACE, beside)


class TestFields:
    @pytest.mark.parametrize(
        ("record", "code"),
        [
            ("deal", "UF_CRM_1730000001"), ("deal", "TITLE"), ("deal", ">=OPPORTUNITY"), ("contact", "PHONE"),
            ("deal", "CONTACT_IDS"), ("contact", "TRACE"), ("task", "UF_AUTO_1"), ("comment", "COMMENT"),
        ],
    )  # fmt: skip
    def test_what_is_there_is_no_news(self, check, record, code):
        assert check(field(record, code)) == []

    def test_a_slip_of_the_pen(self, check):
        ((level, text, remedy),) = check(field("deal", "UF_CRM_173000001"))
        assert level == "problem"
        assert text == f"{PLACE}: deal has no field UF_CRM_173000001: what is written is lost"
        assert remedy.startswith("did you mean UF_CRM_1730000001 (names: ttn)?")

    def test_a_field_of_another_record(self, check):
        ((_, text, _),) = check(field("contact", "STAGE_ID"))
        assert "contact has no field STAGE_ID (it is one of deal)" in text

    def test_a_field_nobody_has(self, check):
        ((_, _, remedy),) = check(field("deal", "QQQQ"))
        assert remedy == "`hub names` prints those there are"


class TestStages:
    def test_what_is_there_is_no_news(self, check):
        assert check(stage("deal", "C5:WON"), stage("deal", "C0:WON"), stage("lead", "UC_8KZQ1A")) == []

    def test_a_stage_that_is_not_there(self, check):
        ((level, text, remedy),) = check(stage("deal", "C5:WONN"))
        assert (level, text) == ("problem", f"{PLACE}: there is no stage C5:WONN of a deal")
        assert remedy.startswith("did you mean C5:WON (names: shop_won)?")

    def test_a_stage_of_another_pipeline(self, check):
        ((level, text, remedy),) = check(stage("deal", "WON", "C5:NEW", "C5:EXECUTING"))
        assert level == "warning"
        assert text == (
            f"{PLACE}: WON (names: first_won) is the stage of pipeline 0; the deals this route meets are in pipeline 5"
        )
        assert remedy.startswith("did you mean C5:WON (names: shop_won)?")

    def test_a_pipeline_without_its_like(self, check):
        ((_, _, remedy),) = check(stage("deal", "C5:UC_BRANCH", "C7:NEW"))
        assert remedy == "nothing to do if a move to pipeline 5 is meant"

    @pytest.mark.parametrize("beside", [(), ("C5:NEW", "NEW"), ("C9:NONE",), ("WON",), ("C0:NEW",)])
    def test_a_neighbour_of_its_own_pipeline_is_enough(self, check, beside):
        assert check(stage("deal", "WON", *beside)) == []

    def test_two_stages_of_two_pipelines_are_told_once(self, check):
        ((_, text, _),) = check(stage("deal", "C5:NEW", "WON"), stage("deal", "WON", "C5:NEW"))
        assert text.startswith(f"{PLACE}: WON (names: first_won)")

    def test_leads_have_one_board(self, check):
        assert check(stage("lead", "NEW", "IN_PROCESS")) == []

    def test_a_lead_with_a_deals_codes(self, check):
        ((_, stages, _), (_, fields, _)) = check(stage("lead", "C3:UC_WAIT01"), field("lead", "STAGE_ID"))
        assert stages.endswith("there is no stage C3:UC_WAIT01 of a lead (it is one of a deal)")
        assert "lead has no field STAGE_ID (it is one of deal)" in fields

    def test_the_same_said_twice_is_one_finding(self, check):
        assert len(check(stage("deal", "C5:WONN"), stage("deal", "C5:WONN"))) == 1
