"""Drives PyPI kommo-python 0.1.2 (requests); it knows JSON by application/json alone, so hal+json stays text."""

import json
import sys

from kommo.client import Client

settings = json.loads(sys.argv[1])
client = Client(settings["client_id"], settings["client_secret"], "example.kommo.com", settings["redirect_uri"])
client.AUTH_URL = settings["base_url"] + "/"
tokens = client.refresh_access_token(settings["refresh_token"])
client.headers["Content-Type"] = "application/json"
client.set_token(tokens["access_token"])


def read(answer):
    return json.loads(answer) if isinstance(answer, str) else answer


out = {"account": read(client.get_account_info())["id"]}
client.create_lead({"name": "x", "price": 5})
client.create_company({"name": "ООО"})
out["leads"] = [row["name"] for row in read(client.list_leads())["_embedded"]["leads"]]
out["companies"] = [row["name"] for row in read(client.list_companies())["_embedded"]["companies"]]
out["fields"] = len(read(client.get_custom_fields_leads())["_embedded"]["custom_fields"])
out["hook"] = read(client.create_webhook("add_lead", "https://hub.example.com/x/"))["settings"]
out["hooks"] = len(read(client.list_webhooks())["_embedded"]["webhooks"])
print(json.dumps(out))
