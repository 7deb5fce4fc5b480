"""What the hub wrote into the account is taken back by the values that stood there."""

from __future__ import annotations

from typing import Any

from hub import restore
from hub.model import Done


def undo(account: Any, record: str, done: Done) -> restore.Compared:
    """Take an update back as `hub.restore` does; return what was found."""
    fields, unknown = restore.fields_of({"written": done.written, "before": done.before})
    assert unknown == []
    now = account.connector.get(record, done.id)
    found = restore.compare(account.connector, record, fields, now)
    if found.back:
        account.do(f"{record}.update", account.connector.restored(record, found.back, now), id=done.id)
    return found


def test_own_and_custom_fields_go_back_emptied_ones_too(account: Any) -> None:
    made = account.do("deal.create", {"name": "x", "price": "100", "601002": "Замок", "601003": "4"})
    done = account.do("deal.update", {"name": "y", "price": "250", "601002": "Бункер", "601003": ""}, id=made.id)
    undo(account, "deal", done)
    row = account.raw("leads", made.id)
    assert (row["name"], row["price"]) == ("x", 100)
    extra = account.connector.get("deal", made.id)["extra"]
    assert (extra["601002"], str(extra["601003"])) == ("Замок", "4")


def test_a_stage_goes_back_with_its_pipeline_and_is_won_no_more(account: Any) -> None:
    made = account.do("deal.create", {"name": "x", "stage": "7100001/61000001"})
    assert account.connector.get("deal", made.id)["won"] is False
    done = account.do("deal.set_stage", {"stage": "7100002/142"}, id=made.id)
    assert account.connector.get("deal", made.id)["won"] is True
    undo(account, "deal", done)
    row = account.raw("leads", made.id)
    assert (row["pipeline_id"], row["status_id"]) == (7100001, 61000001)


def test_what_a_colleague_changed_meanwhile_stays(account: Any) -> None:
    made = account.do("deal.create", {"name": "x", "601002": "Замок"})
    done = account.do("deal.update", {"name": "y", "601002": "Бункер"}, id=made.id)
    account.do("deal.update", {"601002": "Замок"}, id=made.id)
    account.do("deal.update", {"name": "z"}, id=made.id)
    found = undo(account, "deal", done)
    assert (list(found.changed), found.back) == (["name"], {})
    assert "601002" in found.done
    assert account.raw("leads", made.id)["name"] == "z"
