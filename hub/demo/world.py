"""What a moment of the day can do, and what it leaves behind for the account afterwards."""

from __future__ import annotations

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis
import requests

from hub import normal
from hub.demo import clock
from hub.demo.cast import Letter, Person
from hub.jobs import Ringer
from hub.redis_server import connect
from hub.store import Store, work

if TYPE_CHECKING:
    from hub.sandbox import Sandbox
    from plugins.bitrix24.sandbox import Bitrix24Sandbox
    from plugins.novaposhta.sandbox import NovaPoshtaSandbox

#: events of the portal's outgoing webhook, as the recipe asks for
EVENTS = ("ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMDEALADD", "ONCRMDEALUPDATE")
#: user fields of the recipe, as hub.yaml names them
CITY, BRANCH = "UF_CRM_1730000003", "UF_CRM_1730000004"
TTN, COD = "UF_CRM_1730000001", "UF_CRM_1730000005"


@dataclass
class Sent:
    """One request that the demo sent to the hub: what, what was answered, what should have been."""

    door: str
    what: str
    status: int
    expected: int
    took: float
    #: "new", "same again" or "ping": what an accepted one is
    kind: str = "new"


@dataclass
class World:
    """Both stand-ins, the hub's doors, and a notebook."""

    portal: Bitrix24Sandbox
    carrier: NovaPoshtaSandbox
    url: str
    store: Store
    secrets: dict[str, str]
    #: the CRM's stage code -> our word
    stages: dict[str, str]
    #: how many seconds the portal's clock is ahead of ours
    ahead: list[float]
    #: the day's clock, "09:30"; parcels' scans carry it
    at: str = "09:00"
    sent: list[Sent] = field(default_factory=list)
    deals: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._writing = threading.Lock()
        #: the day ends now, so that no scan of a parcel lies in the future
        self._nine = dt.datetime.now(dt.UTC) - dt.timedelta(hours=10)
        self._bell = Ringer(self._redis())

    def _redis(self) -> redis.Redis | None:
        """Return the hub's own Redis if it stands in the data folder; without, its workers look every second."""
        socket = (self.store.folder / "redis.sock") if self.store.folder else None
        return connect(f"unix://{socket.resolve()}") if socket and socket.exists() else None

    def close(self) -> None:
        """End the HTTP session."""
        self._http.close()

    def next_moment(self, at: str) -> None:
        """Move the day's clock. Bitrix24 tells times in whole seconds: no two moments share one of the portal's."""
        self.at = at
        self.ahead[0] += 1.0

    # --- the site and strangers -----------------------------------------------------------------

    def send(self, letter: Letter, expected: int = 200, kind: str = "new") -> None:
        """Send a request to one of the hub's doors and note the answer."""
        tail = self.secrets.get(letter.door, "") if letter.secret is None else letter.secret
        url = f"{self.url}/in/{letter.door}" + (f"/{tail}" if tail else "")
        headers = {"Content-Type": letter.content_type} if letter.content_type else {}
        started = time.monotonic()
        answer = self._http.request(
            letter.method, url, params=dict(letter.query), data=letter.body, headers=headers, timeout=15
        )
        note = Sent(letter.door, letter.what, answer.status_code, expected, time.monotonic() - started, kind)
        with self._writing:
            self.sent.append(note)

    def send_at_once(self, *letters: Letter) -> None:
        """Send several requests in the same moment."""
        with ThreadPoolExecutor(len(letters)) as pool:
            list(pool.map(self.send, letters))

    # --- the CRM --------------------------------------------------------------------------------

    def listen(self) -> None:
        """Make the outgoing webhook in the portal."""
        token = self.portal.credentials()["application_token"]
        self.control(self.portal, "outgoing_webhook", url=f"{self.url}/in/crm", events=EVENTS, application_token=token)

    def staff(self, method: str, **params: Any) -> Any:
        """Do what a colleague does in the CRM's pages."""
        return self.portal.act(method, params, user_id=3)

    def contact(self, person: Person) -> int:
        """Return the CRM's contact of a person; a colleague types it in if there is none."""
        for row in self.portal.state()["contacts"]:
            if person.phone in {normal.phone(one["VALUE"], "UA") for one in row.get("PHONE", ())}:
                return int(row["ID"])
        first, last = normal.split_name(person.name)
        phone = [{"VALUE": person.spelling(0), "VALUE_TYPE": "MOBILE"}]
        return int(self.staff("crm.contact.add", fields={"NAME": first, "LAST_NAME": last, "PHONE": phone}))

    def new_deal(self, person: Person, city: str, branch: str, amount: str, cod: str) -> None:
        """A colleague makes a deal of the shop by hand."""
        fields = {"TITLE": f"Набір для {person.name}", "CATEGORY_ID": "5", "STAGE_ID": "C5:NEW", "OPPORTUNITY": amount}
        more = {"CURRENCY_ID": "UAH", "CONTACT_ID": self.contact(person), CITY: city, BRANCH: branch}
        self.deals[person.name] = int(self.staff("crm.deal.add", fields=fields | more | ({COD: cod} if cod else {})))

    def deal_of(self, person: Person) -> int:
        """Return the person's deal in the shop: made by a colleague, or by the hub out of a cart."""
        if person.name not in self.deals:
            contact = str(self.contact(person))
            rows = [row for row in self.portal.state()["deals"] if str(row["CONTACT_ID"]) == contact]
            if not rows:
                raise clock.NotQuiet(f"{person.name} has no deal yet")
            self.deals[person.name] = int(rows[-1]["ID"])
        return self.deals[person.name]

    def change_deal(self, person: Person, **fields: Any) -> None:
        """A colleague changes a deal."""
        self.staff("crm.deal.update", id=self.deal_of(person), fields=fields)

    # --- parcels --------------------------------------------------------------------------------

    def number_of(self, person: Person) -> str:
        """Return the number of the person's waybill as it stands in the deal."""
        row = self.staff("crm.deal.get", id=self.deal_of(person))
        return str(row.get(TTN) or "")

    def scan(self, code: str, person: Person, minutes_ago: int = 0) -> None:
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

    # --- trouble and time -----------------------------------------------------------------------

    def trouble(self, vendor: Sandbox, kind: str, times: int, match: str = "") -> None:
        """Break a vendor for its next so many calls."""
        self.control(vendor, "fault", kind=kind, times=times, match=match)

    def mend(self, vendor: Sandbox) -> None:
        """End all troubles of a vendor."""
        self._http.delete(f"{vendor.base_url}/_sandbox/fault", timeout=10).raise_for_status()

    def control(self, vendor: Sandbox, what: str, **body: Any) -> None:
        """Use one of a stand-in's own controls."""
        self._http.post(f"{vendor.base_url}/_sandbox/{what}", json=body, timeout=10).raise_for_status()

    def rest(self) -> None:
        """Wait until the hub has nothing left to do now."""
        self._bell()
        clock.quiet(self.store, more=lambda: not self.portal.wait_events(0))

    def let_pass(self, minutes: float) -> None:
        """Let minutes go by, then wait until the hub has done what became due."""
        clock.let_pass(self.store, minutes)
        self.rest()

    def poll(self) -> None:
        """Let the time for the next look at the parcels come."""
        with self.store.write() as db:
            work.poll_now(db, "nova")
        self.rest()

    def finish(self) -> None:
        """Let time pass until nothing waits any more (a parked delivery waits for a person, that is another matter)."""
        self.rest()
        for _ in range(8):
            with self.store.read() as db:
                if not clock.waits(db):
                    return
            self.let_pass(10)
