"""Drive a portal by webhook: the argument is the hook's url."""

import json
import logging
import sys

from fast_bitrix24 import Bitrix

logging.disable(logging.CRITICAL)
portal = Bitrix(sys.argv[1])

every = portal.get_all("crm.deal.list", params={"select": ["ID"], "filter": {"CATEGORY_ID": 5}})
added = portal.call("crm.contact.add", [{"fields": {"NAME": f"n{number}"}} for number in range(55)])
by_id = portal.get_by_ID("crm.deal.contact.items.get", [row["ID"] for row in every[:3]])
whole = portal.list_and_get("crm.lead")
batch = portal.call_batch({"halt": 0, "cmd": {"a": "crm.lead.list", "b": "crm.lead.get?ID=$result[a][0][ID]"}})
raw = portal.call("crm.lead.update", {"ID": 1001, "fields": {"TITLE": "з пробілом & знаком"}}, raw=True)
print(
    json.dumps(
        {
            "every": len({row["ID"] for row in every}),
            "added": len(set(added)),
            "by_id": len(by_id),
            "whole": len(whole),
            "batch": batch["b"]["TITLE"],
            "raw": raw if isinstance(raw, bool) else raw.get("result"),
        }
    )
)
