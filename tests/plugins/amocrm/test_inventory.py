"""What an account is made of, as the hub compares it from hour to hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_fields_by_id_and_code_stages_with_their_pipeline_and_users(accounts: Callable[..., Any]) -> None:
    account = accounts()
    found = account.connector.inventory()
    phone = [one for one in found if (one.kind, one.record, one.label) == ("field", "contact", "Телефон")]
    assert {one.code for one in phone} >= {"PHONE"} and len(phone) == 2, "by its id and by its code"
    stages = [one for one in found if one.kind == "stage"]
    assert stages and all(one.code.partition("/")[0] == one.pipeline for one in stages)
    assert {one.pipeline for one in stages} == {one.code for one in found if one.kind == "pipeline"}
    assert next(one for one in found if one.code == "responsible_user_id").type == "user"
    assert {one.kind for one in found} == {"field", "stage", "pipeline", "user"}


def test_it_is_asked_anew_each_time(accounts: Callable[..., Any]) -> None:
    account = accounts()
    made = account.act("POST", "leads/custom_fields", [{"name": "Місто", "type": "text"}])
    number = str(made["_embedded"]["custom_fields"][0]["id"])
    assert number in {one.code for one in account.connector.inventory()}
    rows = account.sandbox.world.fields["leads"]
    rows[:] = [one for one in rows if str(one["id"]) != number]
    assert number not in {one.code for one in account.connector.inventory()}
