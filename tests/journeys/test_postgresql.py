"""Journeys in which several workers meet, on PostgreSQL: who waits for whom is another matter than with one writer."""

import pytest

from tests import company
from tests.journeys.test_parcel import test_from_the_deal_to_the_door, test_the_same_hook_many_times_is_one_waybill
from tests.journeys.test_people import (
    firm,
    test_a_message_that_joins_two_persons_makes_one_contact_of_two,
    test_five_channels_in_the_same_second,
)
from tests.journeys.test_request import (
    test_a_lost_answer_to_the_contact_makes_no_second_one,
    test_an_expired_token_is_refreshed_exactly_once,
    test_two_requests_at_once_make_one_contact,
)
from tests.journeys.test_sync_trouble import (
    test_a_lost_answer_makes_nobody_twice,
    test_mails_of_both_sides_come_together,
    test_the_same_person_made_on_both_sides_in_one_second,
    test_two_that_find_each_other_at_once_carry_what_each_brings,
)
from tests.journeys.test_two_way import (
    test_a_contact_made_here_is_made_there_and_doesnt_come_back,
    test_both_sides_change_different_fields_at_once,
    test_forty_edits_on_each_side,
)

pytestmark = pytest.mark.postgresql

__all__ = [
    "firm",
    "test_a_contact_made_here_is_made_there_and_doesnt_come_back",
    "test_a_lost_answer_makes_nobody_twice",
    "test_a_lost_answer_to_the_contact_makes_no_second_one",
    "test_a_message_that_joins_two_persons_makes_one_contact_of_two",
    "test_an_expired_token_is_refreshed_exactly_once",
    "test_both_sides_change_different_fields_at_once",
    "test_five_channels_in_the_same_second",
    "test_forty_edits_on_each_side",
    "test_from_the_deal_to_the_door",
    "test_mails_of_both_sides_come_together",
    "test_the_same_hook_many_times_is_one_waybill",
    "test_the_same_person_made_on_both_sides_in_one_second",
    "test_two_requests_at_once_make_one_contact",
    "test_two_that_find_each_other_at_once_carry_what_each_brings",
]


@pytest.fixture(autouse=True)
def on_postgresql(database: None, postgresql_url: str) -> None:
    """None of these hubs is on SQLite by mistake."""
    assert postgresql_url == company.DATABASE
