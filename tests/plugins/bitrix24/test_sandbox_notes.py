"""What is written beside a record: comments, activities, todos, tasks."""

from tests.plugins.bitrix24.conftest import sample


def test_comments(portal):
    deal = portal.ok("crm.deal.add", fields={})
    fields = sample("crm.timeline.comment.add.request.json")["fields"] | {"ENTITY_ID": deal}
    number = portal.ok("crm.timeline.comment.add", fields=fields)
    assert isinstance(number, int)
    portal.ok("crm.timeline.comment.update", id=number, fields={"COMMENT": "other"})
    shown = portal.ok("crm.timeline.comment.get", id=number)
    assert (shown["ENTITY_ID"], shown["ENTITY_TYPE"], shown["COMMENT"]) == (str(deal), "deal", "other")
    listed = portal.ok("crm.timeline.comment.list", filter={"ENTITY_TYPE": "deal", "ENTITY_ID": deal})
    assert [row["ID"] for row in listed] == [str(number)]
    assert portal.ok("crm.timeline.comment.delete", id=number) is True
    assert portal.call("crm.timeline.comment.get", id=number) == (400, sample("crm.timeline.comment.add.error.json"))


def test_comments_read_lower_case_fields_only(portal):
    deal = portal.ok("crm.deal.add", fields={})
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "x"}
    assert portal.call("crm.timeline.comment.add", FIELDS=fields)[1]["error"] == "100"
    wrong = portal.call("crm.timeline.comment.add", fields=fields | {"ENTITY_ID": 1})
    assert wrong[1]["error"] == "OWNER_NOT_FOUND"


def test_activities(portal):
    deal = portal.ok("crm.deal.add", fields={})
    fields = sample("crm.activity.add.request.json")["fields"] | {"OWNER_ID": deal}
    number = portal.ok("crm.activity.add", fields=fields)
    portal.ok("crm.activity.update", id=number, fields={"COMPLETED": "Y"})
    shown = portal.ok("crm.activity.list", filter={"OWNER_TYPE_ID": 2, "OWNER_ID": deal})
    assert [(row["ID"], row["COMPLETED"], row["STATUS"]) for row in shown] == [(str(number), "Y", "2")]
    bare = fields | {"COMMUNICATIONS": [{"VALUE": "+1"}]}
    assert portal.call("crm.activity.add", fields=bare)[0] == 400


def test_todos(portal):
    deal = portal.ok("crm.deal.add", fields={})
    request = sample("crm.activity.todo.add.request.json") | {"ownerId": deal}
    assert portal.ok("crm.activity.todo.add", **request) == {"id": 5001}
    shown = portal.ok("crm.activity.get", id=5001)
    assert (shown["PROVIDER_ID"], shown["RESPONSIBLE_ID"]) == ("CRM_TODO", "5")
    missing = portal.call("crm.activity.todo.add", **(request | {"ownerId": 1}))
    assert missing == (400, sample("crm.activity.todo.add.error.json"))


def test_tasks(portal):
    fields = {"TITLE": "Подзвонити", "RESPONSIBLE_ID": 5, "UF_CRM_TASK": ["D_10"], "DEADLINE": "2026-03-03T10:00:00Z"}
    task = portal.ok("tasks.task.add", fields=fields)["task"]
    known = sample("tasks.task.add.response.json")["result"]["task"]
    assert task.keys() <= known.keys()
    assert (task["status"], task["responsible"]["id"], task["deadline"]) == ("2", "5", "2026-03-03T13:00:00+03:00")
    done = portal.ok("tasks.task.complete", taskId=task["id"])["task"]
    assert (done["status"], done["closedBy"]) == ("5", "1")
    found = portal.call("tasks.task.list", filter={"UF_CRM_TASK": "D_10"}, select=["ID", "UF_CRM_TASK"])[1]
    assert (found["total"], found["result"]["tasks"][0]["ufCrmTask"]) == (1, ["D_10"])
    assert portal.ok("tasks.task.list", filter={"!REAL_STATUS": "5"}) == {"tasks": []}
    untitled = portal.call("tasks.task.add", fields={"RESPONSIBLE_ID": 5})
    assert untitled == (400, sample("tasks.task.add.error.json"))
