"""Drive a portal by webhook: the argument is the hook's url."""

import asyncio
import json
import sys

from bitrix24 import Bitrix24, BitrixError


async def main():
    portal = Bitrix24(sys.argv[1])
    deals = await portal.callMethod("crm.deal.list", {"select": ["ID", "TITLE"], "filter": {">ID": 2000}})
    fields = {"NAME": "Олена", "PHONE": [{"VALUE": "+380501112233", "VALUE_TYPE": "MOBILE"}]}
    contact = await portal.callMethod("crm.contact.add", {"fields": fields})
    shown = await portal.callMethod("crm.contact.get", {"ID": contact})
    try:
        await portal.callMethod("no.such.method")
        error = ""
    except BitrixError as failure:
        error = str(failure)
    return {
        "deals": len({row["ID"] for row in deals}),
        "name": shown["NAME"],
        "phone": shown["PHONE"][0]["VALUE"],
        "error": error,
    }


print(json.dumps(asyncio.run(main())))
