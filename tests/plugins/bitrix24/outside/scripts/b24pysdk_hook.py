"""Drive a portal by webhook: arguments are domain and token (user/secret)."""

import json
import sys

from b24pysdk import BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIError

domain, token = sys.argv[1:]
client = Client(BitrixWebhook(domain=domain, webhook_token=token))

deal = client.crm.deal.add(fields={"TITLE": "sdk", "CATEGORY_ID": 5}).result
updated = client.crm.deal.update(bitrix_id=deal, fields={"STAGE_ID": "C5:WON"}).result
shown = client.crm.deal.get(bitrix_id=deal).result
paged = list(client.crm.deal.list(select=["ID"], filter={"CATEGORY_ID": 5}).as_list().result)
fast = list(client.crm.deal.list(select=["ID"], filter={"CATEGORY_ID": 5}).as_list_fast().result)
batch = client.call_batch({"one": client.crm.deal.get(bitrix_id=deal), "two": client.profile()}).result
many = client.call_batches([client.crm.lead.add(fields={"TITLE": f"b{number}"}) for number in range(60)]).result
try:
    error = str(client.crm.deal.get(bitrix_id=1).result)
except BitrixAPIError as failure:
    error = failure.error_description
item = client.crm.item.add(entity_type_id=3, fields={"name": "fm", "fm": [{"typeId": "PHONE", "value": "+1"}]}).result
found = client.crm.duplicate.findbycomm(type="PHONE", values=["+1"]).result

print(
    json.dumps(
        {
            "updated": updated,
            "stage": shown["STAGE_ID"],
            "semantics": shown["STAGE_SEMANTIC_ID"],
            "paged": len({row["ID"] for row in paged}),
            "fast": len({row["ID"] for row in fast}),
            "batch": sorted(batch.result),
            "many": len(many.result),
            "error": error,
            "contact": item["item"]["id"],
            "found": found,
        }
    )
)
