"""What a moment of the beauty company's day can do: in the portal, with parcels."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from hub import normal
from hub.demo import clock
from hub.demo.beauty.cast import Client
from hub.demo.world import World

if TYPE_CHECKING:
    from plugins.bitrix24.sandbox import Bitrix24Sandbox
    from plugins.novaposhta.sandbox import NovaPoshtaSandbox

#: events of the portal's outgoing webhook, as the recipe asks for
EVENTS = ("ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMDEALADD", "ONCRMDEALUPDATE")
#: user fields of the recipe, as hub.yaml names them
CITY, BRANCH = "UF_CRM_1730000003", "UF_CRM_1730000004"
TTN, COD = "UF_CRM_1730000001", "UF_CRM_1730000005"


class Shop(World):
    """A portal and a carrier."""

    portal: Bitrix24Sandbox
    carrier: NovaPoshtaSandbox

    def __post_init__(self) -> None:
        super().__post_init__()
        self.portal, self.carrier = self.stands["crm"], self.stands["nova"]
        self.deals: dict[str, int] = {}
        #: the day ends now, so that no scan of a parcel lies in the future
        self._nine = dt.datetime.now(dt.UTC) - dt.timedelta(hours=10)

    def on_its_way(self) -> bool:
        """Return whether the portal has events under way."""
        return not self.portal.wait_events(0)

    def look(self) -> None:
        """Let the time for the next look at the parcels come."""
        self.poll("nova")

    # --- the CRM --------------------------------------------------------------------------------

    def listen(self) -> None:
        """Make the outgoing webhook in the portal."""
        token = self.portal.credentials()["application_token"]
        self.control(self.portal, "outgoing_webhook", url=f"{self.url}/in/crm", events=EVENTS, application_token=token)

    def staff(self, method: str, **params: Any) -> Any:
        """Do what a colleague does in the CRM's pages."""
        return self.portal.act(method, params, user_id=3)

    def contact(self, person: Client) -> int:
        """Return the CRM's contact of a person; a colleague types it in if there is none."""
        for row in self.portal.state()["contacts"]:
            if person.phone in {normal.phone(one["VALUE"], "UA") for one in row.get("PHONE", ())}:
                return int(row["ID"])
        first, last = normal.split_name(person.name)
        phone = [{"VALUE": person.spelling(0), "VALUE_TYPE": "MOBILE"}]
        return int(self.staff("crm.contact.add", fields={"NAME": first, "LAST_NAME": last, "PHONE": phone}))

    def new_deal(self, person: Client, city: str, branch: str, amount: str, cod: str) -> None:
        """A colleague makes a deal of the shop by hand."""
        fields = {"TITLE": f"Набір для {person.name}", "CATEGORY_ID": "5", "STAGE_ID": "C5:NEW", "OPPORTUNITY": amount}
        more = {"CURRENCY_ID": "UAH", "CONTACT_ID": self.contact(person), CITY: city, BRANCH: branch}
        self.deals[person.name] = int(self.staff("crm.deal.add", fields=fields | more | ({COD: cod} if cod else {})))

    def deal_of(self, person: Client) -> int:
        """Return the person's deal in the shop: made by a colleague, or by the hub out of a cart."""
        if person.name not in self.deals:
            contact = str(self.contact(person))
            rows = [row for row in self.portal.state()["deals"] if str(row["CONTACT_ID"]) == contact]
            if not rows:
                raise clock.NotQuiet(f"{person.name} has no deal yet")
            self.deals[person.name] = int(rows[-1]["ID"])
        return self.deals[person.name]

    def change_deal(self, person: Client, **fields: Any) -> None:
        """A colleague changes a deal."""
        self.staff("crm.deal.update", id=self.deal_of(person), fields=fields)

    # --- parcels --------------------------------------------------------------------------------

    def number_of(self, person: Client) -> str:
        """Return the number of the person's waybill as it stands in the deal."""
        row = self.staff("crm.deal.get", id=self.deal_of(person))
        return str(row.get(TTN) or "")

    def scan(self, code: str, person: Client, minutes_ago: int = 0) -> None:
        """Nova Poshta scans a person's parcel: it takes the status `code`."""
        self.scan_number(code, self.number_of(person), minutes_ago)

    def scan_number(self, code: str, number: str, minutes_ago: int = 0) -> None:
        """The same by the parcel's number."""
        from plugins.novaposhta.sandbox.world import KYIV

        hours, _, minutes = self.at.partition(":")
        told = self._nine + dt.timedelta(hours=int(hours) - 9, minutes=int(minutes) - minutes_ago)
        self.control(
            self.carrier, f"parcels/{number}/status", code=code, at=f"{told.astimezone(KYIV):%Y-%m-%d %H:%M:%S}"
        )
