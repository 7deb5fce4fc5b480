"""What must be there and came out empty is said before the portal says it in its own language; small lists."""

import pytest
import responses

from hub.errors import Gone, Refused
from hub.model import Action
from hub.testing.build import build
from plugins.bitrix24 import outgoing
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox


@pytest.fixture
def crm():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})


def do(crm, name, values=None, **more):
    record, _, verb = name.partition(".")
    return crm.perform(Action(name, record, verb, values or {}, **more))


COMPLETE = {
    "company.create": {"TITLE": "x"},
    "comment.create": {"ENTITY_TYPE": "deal", "ENTITY_ID": "5", "COMMENT": "x"},
    "todo.create": {"ownerTypeId": "2", "ownerId": "5", "deadline": "2030-01-01T00:00:00+00:00"},
    "activity.create": {
        "OWNER_TYPE_ID": "2", "OWNER_ID": "5", "TYPE_ID": "2", "SUBJECT": "x", "COMMUNICATIONS": [{"VALUE": "x"}],
    },
    "task.create": {"TITLE": "x", "RESPONSIBLE_ID": "1"},
    "notify.send": {"MESSAGE": "x", "USER_ID": "1"},
    "item.create": {"entityTypeId": "177"},
}  # fmt: skip


class TestEmpty:
    @responses.activate
    @pytest.mark.parametrize("empty", ["", None, "absent"])
    @pytest.mark.parametrize(("name", "word"), [(name, word) for name, values in COMPLETE.items() for word in values])
    def test_what_is_missing_is_named_and_nobody_is_asked(self, by_hook, name, word, empty):
        values = {key: given for key, given in {**COMPLETE[name], word: empty}.items() if given != "absent"}
        with pytest.raises(Refused, match=f"^{name} needs {word}") as caught:
            do(by_hook, name, values)
        assert caught.value.fields == {word: "empty"}
        assert len(responses.calls) == 0

    def test_every_declared_value_is_among_them(self):
        declared = {kind.name: set(kind.required) for kind in Bitrix24.actions if kind.name in COMPLETE}
        assert declared == {name: set(words) for name, words in outgoing.REQUIRED.items()}
        assert all(declared[name] <= set(values) for name, values in COMPLETE.items())

    def test_an_upsert_that_creates_says_it_too(self, by_hook):
        with pytest.raises(Refused, match=r"company\.create needs TITLE"):
            by_hook.perform(Action("company.upsert", "company", "create", {"PHONE": "1"}))

    def test_the_connections_user_is_enough(self):
        action = Action("task.create", "task", "create", {"TITLE": "x"})
        outgoing.refuse_empty(action, "3")
        with pytest.raises(Refused, match="or `user` in the connection's settings"):
            outgoing.refuse_empty(action)


class TestLists:
    def test_products_are_read(self, crm):
        for kind in ("deal", "lead"):
            number = do(crm, f"{kind}.create", {"TITLE": "x"}).id
            assert do(crm, f"{kind}.products", id=number).result == {"rows": [], "count": 0}
            rows = [{"PRODUCT_NAME": "cream", "PRICE": 50, "QUANTITY": 2}, {"PRODUCT_NAME": "soap", "PRICE": 7}]
            do(crm, f"{kind}.set_products", {"rows": rows}, id=number)
            read = do(crm, f"{kind}.products", id=number).result
            assert [(row["name"], row["sum"]) for row in read["rows"]] == [("cream", "100.00"), ("soap", "7.00")]
        with pytest.raises(Gone):
            do(crm, "deal.products", id="999")

    def test_comments_are_listed(self, crm):
        deal = do(crm, "deal.create", {"TITLE": "x"}).id
        for text in ("one", "two"):
            do(crm, "comment.create", {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": text})
        rows = do(crm, "comment.list", find={"deal": deal}).result["rows"]
        assert [row["text"] for row in rows] == ["one", "two"]
        with pytest.raises(Refused, match="needs its record"):
            do(crm, "comment.list", find={"text": "one"})

    def test_user_fields_are_listed(self, crm):
        made = {"FIELD_NAME": "SIZE", "USER_TYPE_ID": "enumeration", "LIST": [{"VALUE": "S"}, {"VALUE": "M"}]}
        do(crm, "api", {"fields": made}, method="crm.deal.userfield.add")
        rows = {row["code"]: row for row in do(crm, "field.list", {"record": "deal"}).result["rows"]}
        assert rows["UF_CRM_1730000001"]["label"] == "ТТН"
        assert rows["UF_CRM_SIZE"]["type"] == "enumeration"
        assert list(rows["UF_CRM_SIZE"]["values"].values()) == ["S", "M"]
        with pytest.raises(Refused, match="lead, deal, contact, company"):
            do(crm, "field.list", {"record": "parcel"})
