"""Drives PyPI aioamocrm 0.1.1 (httpx, pydantic): OAuth, pages, complex, links, and its reading of webhooks."""

import asyncio
import json
import sys
import time

from aioamocrm import (
    AmoCRMClient,
    AuthError,
    Contact,
    Lead,
    LongLivedToken,
    MemoryTokenStorage,
    NotFoundError,
    OAuth2,
    RateLimitError,
    TokenSet,
    ValidationError,
    parse_webhook,
)

settings = json.loads(sys.argv[1])
base = settings["base_url"]


async def refusal(awaited):
    try:
        await awaited
    except (AuthError, NotFoundError, RateLimitError, ValidationError) as error:
        return [type(error).__name__, str(error)[:200]]
    return None


async def main():
    out = {}
    app = {name: settings[name] for name in ("client_id", "client_secret", "redirect_uri")}
    storage = MemoryTokenStorage()
    oauth = OAuth2(**app, storage=storage)
    async with AmoCRMClient(base_url=base, auth=oauth) as amo:
        first = await amo.exchange_code(settings["code"])
        out["account"] = (await amo.account.get()).id
        await storage.save(TokenSet(first.access_token, first.refresh_token, time.time() - 1))
    oauth = OAuth2(**app, storage=storage)
    async with AmoCRMClient(base_url=base, auth=oauth) as amo:
        answers = await asyncio.gather(*(amo.account.get() for _ in range(5)))
        out["at once"] = len({one.id for one in answers})
    spent = OAuth2(**app, storage=MemoryTokenStorage(TokenSet(first.access_token, first.refresh_token, 1.0)))
    async with AmoCRMClient(base_url=base, auth=spent) as amo:
        out["spent"] = await refusal(amo.account.get())
    async with AmoCRMClient(base_url=base, auth=LongLivedToken(settings["token"]), rate_limit=None) as amo:
        leads = await amo.leads.create([Lead(name=f"lead {n}", price=n) for n in range(5)])
        out["pages"] = [lead.name async for lead in amo.leads.iterate(limit=2, order={"id": "desc"})]
        contact = Contact(first_name="Анна")
        contact.set_field("PHONE", "+79161112233", enum_code="MOB")
        [person] = await amo.contacts.create([contact])
        found = await amo.contacts.get_page(1, query="9161112233")
        out["found"] = [[one.id == person.id, one.field_value("PHONE")] for one in found]
        await amo.leads.link(leads[0].id, "contacts", person.id, metadata={"is_main": True})
        lead = await amo.leads.get(leads[0].id, with_=["contacts"])
        out["linked"] = [[one.id == person.id, one.is_main] for one in lead.embedded.contacts]
        [whole] = await amo.leads.create_complex(
            [{"name": "whole", "_embedded": {"contacts": [{"first_name": "x"}], "companies": [{"name": "y"}]}}]
        )
        out["complex"] = [bool(whole.contact_id), bool(whole.company_id), whole.merged]
        await amo.leads.update([{"id": leads[0].id, "status_id": 142, "pipeline_id": 7100001}])
        out["won"] = (await amo.leads.get(leads[0].id)).status_id
        [note] = await amo.leads.notes.create(
            [{"entity_id": leads[0].id, "note_type": "common", "params": {"text": "t"}}]
        )
        out["note"] = (await amo.leads.notes.get(note.id, entity_id=leads[0].id)).params
        [task] = await amo.tasks.create(
            [{"text": "t", "complete_till": 1_900_000_000, "entity_id": leads[0].id, "entity_type": "leads"}]
        )
        await amo.tasks.complete(task.id, result="done")
        out["task"] = (await amo.tasks.get(task.id)).is_completed
        out["stages"] = [len(one.embedded.statuses) for one in await amo.pipelines.list()]
        out["users"] = [one.name async for one in amo.users.iterate()]
        out["fields"] = len([one async for one in amo.leads.custom_fields.iterate()])
        out["missing"] = await refusal(amo.leads.get(1))
        bad = {"name": "x", "custom_fields_values": [{"field_id": 1, "values": [{"value": "x"}]}]}
        out["invalid"] = await refusal(amo.leads.create([bad]))
    out["hooks"] = [
        [hook.subdomain, hook.account_id, [[one.entity, one.action, one.id] for one in hook.events]]
        for hook in map(parse_webhook, settings["hooks"])
    ]
    return out


print(json.dumps(asyncio.run(main())))
