"""Drives PyPI amocrm-api 2.6.1 (requests); its host is fixed, so an adapter takes its requests to the stand-in."""

import json
import sys
from urllib.parse import urlsplit

import requests
from amocrm.v2 import Contact, Lead, Task, exceptions, filters, interaction, tokens

settings = json.loads(sys.argv[1])


class There(requests.adapters.HTTPAdapter):
    """Sends what is meant for amoCRM to the stand-in."""

    def send(self, request, **options):
        request.url = settings["base_url"] + request.path_url
        return super().send(request, **options)


session = interaction._session
session.mount("https://", There())
tokens.requests = session
tokens.default_token_manager(
    settings["client_id"], settings["client_secret"], "example", settings["redirect_uri"], tokens.MemoryTokensStorage()
)
tokens.default_token_manager.init(settings["code"])

out = {"host": urlsplit(settings["base_url"]).hostname}
lead = Lead.objects.create(name="x", price=5)
contact = Contact(first_name="Анна", last_name="Петрова")
contact.save()
lead = Lead.objects.get(object_id=lead.id)
lead.name, lead.price = "y", 7
lead.contacts.append(contact)
lead.save()
again = Lead.objects.get(object_id=lead.id)
out["lead"] = [again.name, again.price, again.pipeline.name, again.status.name, len(list(again.contacts))]
lead.tags.append("новый")
lead.save()
note = lead.notes(text="t")
note.save()
out["notes"] = [one.text for one in lead.notes.objects.all()]
out["found"] = [one.name for one in Lead.objects.filter(query="y")]
out["ordered"] = [one.name for one in Lead.objects.filter(filters=(filters.SingleFilter("id")(lead.id),))]
out["tasks"] = Task.objects.create(text="t", complete_till=1_900_000_000, entity_id=lead.id, entity_type="leads").id > 0
try:
    Lead.objects.get(object_id=1)
except exceptions.NotFound:
    out["missing"] = "NotFound"
try:
    Lead.objects.create(nonsense=1)
except exceptions.ValidationError:
    out["invalid"] = "ValidationError"
print(json.dumps(out))
