"""Drives PyPI amocrm-sdk 0.4.0 (requests); it refreshes at www.amocrm.ru, which is put right here."""

import json
import sys

import amocrm.client
from amocrm.auth import OAuthConfig
from amocrm.client import AmoCRM
from amocrm.exceptions import AmoCRMAPIError
from amocrm.models.contacts import Contact
from amocrm.models.leads import Lead

settings = json.loads(sys.argv[1])
amocrm.client._TOKEN_URL = settings["base_url"] + "/oauth2/access_token"


class Storage:
    pair = ("a.b.c", settings["refresh_token"])
    saved = 0

    def load(self):
        return self.pair

    def save(self, access_token, refresh_token):
        self.pair, self.saved = (access_token, refresh_token), self.saved + 1


storage = Storage()
app = {name: settings[name] for name in ("client_id", "client_secret", "redirect_uri")}
client = AmoCRM("example", OAuthConfig(**app, storage=storage))
client._base_url = settings["base_url"]

out = {"pipelines": [one.name for one in client.pipelines.list()], "refreshed": storage.saved}
[made] = client.leads.create([Lead(name="x", price=5)])
client.leads.update([Lead(id=made.id, name="y")])
out["lead"] = [client.leads.get(made.id).name, client.leads.get(made.id).price]
client.contacts.create([Contact(first_name="Анна")])
out["contacts"] = [one.first_name for one in client.contacts.list()]
out["fields"] = len(client.custom_fields.list("leads"))
out["stages"] = len(client.pipelines.list_statuses(7100001))
try:
    client.leads.create([Lead(name="x", status_id=1)])
except AmoCRMAPIError as error:
    out["invalid"] = str(error)[:60]
print(json.dumps(out))
