"""Which events must not go unheard where no route listens to them. Pure.

Vendors tell much more than a company wants to hear (notes, tasks, whatever the hub has set off itself), and an alert
for each of that would hide the one that counts: a client who asks, and nobody hears.
"""

from __future__ import annotations

from hub.config import Config
from hub.events import AWAITED
from hub.model import Event


def cause(config: Config, event: Event) -> str | None:
    """Return the cause of an alert about an event that no route took; None where silence is right.

    A person's request is told per kind of event, unless a route listens to others of its record: what it leaves out, it
    was told to. Anything else is told once per connection, if no route has to do with that at all.
    """
    if config.hub.unrouted != "alert" or event.hop:
        return None
    here = [
        trigger.type for route in config.routes for trigger in route.on if trigger.connection in ("*", event.connection)
    ]
    told = f"unrouted:{event.connection}"
    if event.type in AWAITED:
        heard = any(type.startswith((f"{event.kind}.", "*")) for type in here)
        return None if heard else f"{told}:{event.type}"
    return None if here or any(route.acts_at(event.connection) for route in config.routes) else told
