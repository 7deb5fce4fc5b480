"""Drive a portal by webhook and as an application.

Arguments: host, webhook secret, client id, client secret, authorization code.
"""

import json
import sys

from pybitrix24 import Bitrix24

host, secret, client_id, client_secret, code = sys.argv[1:]
portal = Bitrix24(host, client_id, client_secret, user_id=1)
deal = portal.call_webhook(secret, "crm.deal.add", {"fields": {"TITLE": "py"}})
batch = portal.call_batch_webhook(
    secret,
    {
        "found": ("crm.deal.list", {"filter": {"TITLE": "py"}, "select": ["ID"]}),
        "deal": ("crm.deal.get", {"id": "$result[found][0][ID]"}),
    },
)
obtained = portal.obtain_tokens(code)
current = portal.call("user.current")
refreshed = portal.refresh_tokens()
bound = portal.call_event_bind("OnCrmDealAdd", "https://hub.example/in/crm")
print(
    json.dumps(
        {
            "deal": deal["result"],
            "batch": batch["result"]["result"]["deal"]["TITLE"],
            "user": current["result"]["ID"],
            "rotated": obtained["refresh_token"] != refreshed["refresh_token"],
            "bound": bound["result"],
        }
    )
)
