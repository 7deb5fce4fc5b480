"""What a moment of a day can do, and what it leaves behind for the account afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import redis
import requests

from hub.demo import clock
from hub.demo.letters import Letter
from hub.jobs import Ringer
from hub.redis_server import connect
from hub.sandbox import Sandbox
from hub.store import Store, work


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
    """The stand-ins by the name of their connection, the hub's doors, and a notebook. Companies add their own acts."""

    stands: Mapping[str, Any]
    url: str
    store: Store
    #: door -> the secret at the end of its address
    secrets: dict[str, str]
    #: the CRM's stage code -> our word
    stages: dict[str, str]
    #: how many seconds the stand-ins' clock is ahead of ours
    ahead: list[float]
    #: registers the hub at a connection's vendor, as `hub connect` does
    connect: Callable[[str], None]
    #: the day's clock, "09:30"
    at: str = "09:00"
    sent: list[Sent] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._writing = threading.Lock()
        self._bell = Ringer(self._redis())

    def _redis(self) -> redis.Redis | None:
        """Return the hub's own Redis if it stands in the data folder; without, its workers look every second."""
        socket = (self.store.folder / "redis.sock") if self.store.folder else None
        return connect(f"unix://{socket.resolve()}") if socket and socket.exists() else None

    def close(self) -> None:
        """End the HTTP session."""
        self._http.close()

    def next_moment(self, at: str) -> None:
        """Move the day's clock. Vendors tell times in whole seconds: no two moments share one of a CRM's."""
        self.at = at
        self.ahead[0] += 1.0

    # --- what a company fills in ----------------------------------------------------------------

    def listen(self) -> None:
        """Have the vendors tell the hub their news."""

    def on_its_way(self) -> bool:
        """Return whether a stand-in has news that the hub hasn't got yet."""
        return False

    # --- senders --------------------------------------------------------------------------------

    def send(self, letter: Letter, expected: int = 200, kind: str = "new") -> None:
        """Send a request to one of the hub's doors and note the answer."""
        tail = self.secrets.get(letter.door, "") if letter.secret is None else letter.secret
        url = f"{self.url}/in/{letter.door}" + (f"/{tail}" if tail else "")
        headers = {"Content-Type": letter.content_type} if letter.content_type else {}
        started = time.monotonic()
        answer = self._http.request(
            letter.method, url, params=dict(letter.query), data=letter.body,
            headers={**headers, **dict(letter.headers)}, timeout=15,
        )  # fmt: skip
        note = Sent(letter.door, letter.what, answer.status_code, expected, time.monotonic() - started, kind)
        with self._writing:
            self.sent.append(note)

    def send_at_once(self, *letters: Letter) -> None:
        """Send several requests in the same moment."""
        with ThreadPoolExecutor(len(letters)) as pool:
            list(pool.map(self.send, letters))

    # --- trouble and time -----------------------------------------------------------------------

    def trouble(self, vendor: Sandbox, kind: str, times: int, match: str = "") -> None:
        """Break a vendor for its next so many calls."""
        self.control(vendor, "fault", kind=kind, times=times, match=match)

    def mend(self, vendor: Sandbox) -> None:
        """End all troubles of a vendor."""
        self._http.delete(f"{vendor.base_url}/_sandbox/fault", timeout=10).raise_for_status()

    def control(self, vendor: Sandbox, what: str, **body: Any) -> Any:
        """Use one of a stand-in's own controls; return what it answers."""
        answer = self._http.post(f"{vendor.base_url}/_sandbox/{what}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def rest(self) -> None:
        """Wait until the hub has nothing left to do now."""
        self._bell()
        clock.quiet(self.store, more=self.on_its_way)

    def let_pass(self, minutes: float) -> None:
        """Let minutes go by, then wait until the hub has done what became due."""
        clock.let_pass(self.store, minutes)
        self.rest()

    def poll(self, connection: str) -> None:
        """Let the time for the next look at a vendor come."""
        with self.store.write() as db:
            work.poll_now(db, connection)
        self.rest()

    def finish(self) -> None:
        """Let time pass until nothing waits any more (a parked delivery waits for a person, that is another matter)."""
        self.rest()
        for _ in range(8):
            with self.store.read() as db:
                if not clock.waits(db):
                    return
            self.let_pass(10)
