"""Drive a portal by webhook; its url comes from BITRIX24_API_WEBHOOK_URL."""

import json

from b24api import Bitrix24
from b24api.entity import Request

portal = Bitrix24()
deal = portal.call({"method": "crm.deal.add", "parameters": {"fields": {"TITLE": "b24api"}}})
shown = portal.call(Request(method="crm.deal.get", parameters={"id": deal}))
wanted = {"method": "crm.deal.list", "parameters": {"select": ["ID"]}}
results = {
    "title": shown["TITLE"],
    "sequential": len({row["ID"] for row in portal.list_sequential(wanted)}),
    "batched": len({row["ID"] for row in portal.list_batched(wanted)}),
    "no_count": len({row["ID"] for row in portal.list_batched_no_count(wanted)}),
    "batch": len(list(portal.batch({"method": "profile", "parameters": {}} for _ in range(70)))),
}
print(json.dumps(results))
