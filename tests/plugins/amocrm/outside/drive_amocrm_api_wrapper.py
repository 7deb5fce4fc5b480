"""Drives PyPI amocrm-api-wrapper 1.0.1 (httpx). Its GETs hand `json` to a method that has none: that is taken out."""

import json
import sys

import httpx
from amocrm_api import AmoOAuthClient
from amocrm_api.errors import AmoException

settings = json.loads(sys.argv[1])
_get, _delete = httpx.Client.get, httpx.Client.delete
httpx.Client.get = lambda self, url, json=None, **options: _get(self, url, **options)
httpx.Client.delete = lambda self, url, json=None, **options: self.request("DELETE", url, json=json, **options)

kept = []
app = [settings[name] for name in ("base_url", "client_id", "client_secret", "redirect_uri")]
client = AmoOAuthClient("stale", settings["refresh_token"], *app, token_store=lambda *pair: kept.append(pair))
client.retry_sleep_base = client.retry_sleep_429 = 0.01


def refusal(call, *args, **options):
    try:
        call(*args, **options)
    except AmoException as error:
        return error.code
    return None


def rows(body, name):
    return body["_embedded"][name]


out = {"refreshed": [bool(rows(client.get_users(), "users")), len(kept)]}
lead = rows(client.create_leads([{"name": "x", "price": 5}]), "leads")[0]["id"]
phone = {"field_code": "PHONE", "values": [{"value": "+79161112233", "enum_code": "WORK"}]}
person = {"name": "Анна", "custom_fields_values": [phone]}
contact = rows(client.create_contacts([person]), "contacts")[0]["id"]
client.link_leads_entity(lead, [{"to_entity_id": contact, "to_entity_type": "contacts"}])
out["links"] = [row["to_entity_type"] for row in rows(client.get_leads_links(lead), "links")]
client.update_leads([{"id": lead, "status_id": 142, "pipeline_id": 7100001}])
out["lead"] = client.get_lead(lead, with_params=["contacts"])["status_id"]
out["all"] = [row["name"] for row in client.iter_leads()]
form = {
    "form_id": "f", "form_name": "n", "form_page": "p", "ip": "192.0.2.1", "form_sent_at": 1, "referer": "r",
}  # fmt: skip
uids = [
    rows(client.create_unsorted_by_form(f"uid-{n}", "site", form, {"name": "Вера"}, {"name": "lead"}, {}), "unsorted")[
        0
    ]["uid"]
    for n in range(2)
]
out["unsorted"] = client.get_unsorted_by_uid(uids[0])["category"]
out["accepted"] = len(rows(client.accept_unsorted(uids[0], settings["user"], 61000002), "leads"))
out["declined"] = client.decline_unsorted(uids[1], settings["user"])["uid"] == uids[1]
call = {"direction": "inbound", "duration": 5, "source": "s", "phone": "+79161112233", "uniq": "u"}
out["calls"] = [
    len(client.create_calls([{**call, "phone": phone}])["errors"]) for phone in (call["phone"], "+70000000000")
]
note = rows(
    client.create_entity_note("leads", [{"entity_id": lead, "note_type": "common", "params": {"text": "t"}}]), "notes"
)
out["notes"] = len(note)
task = rows(
    client.add_tasks([{"text": "t", "complete_till": 1_900_000_000, "entity_id": lead, "entity_type": "leads"}]),
    "tasks",
)
client.execution_task(task[0]["id"], True, "done")
out["task"] = client.get_task(task[0]["id"])["is_completed"]
element = rows(client.add_elements_to_catalog(4521, [{"name": "Торт"}]), "elements")[0]["id"]
out["element"] = client.get_catalog_element(4521, element)["name"]
out["elements"] = [row["name"] for row in client.iter_catalog_elements(4521)]
out["events"] = sorted(
    {row["type"] for row in rows(client.get_events(filter_by_type="lead_added,lead_status_changed"), "events")}
)
out["pipeline"] = client.get_pipeline(7100001)["name"]
out["stage"] = client.get_pipeline_status(7100001, 142)["name"]
client.subscribe_webhook("https://hub.example.com/x/", ["add_lead"])
out["hooks"] = [row["destination"] for row in rows(client.get_webhooks(), "webhooks")]
client.unsubscribe_webhook("https://hub.example.com/x/")
out["no hooks"] = client.get_webhooks()
out["user"] = client.get_user(settings["user"])["name"]
out["invalid"] = refusal(client.create_leads, [{"nonsense": 1}])
print(json.dumps(out))
