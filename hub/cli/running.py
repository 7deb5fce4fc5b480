"""Does a hub that runs act by hub.yaml as it stands? Said by `hub check`, hinted at by what people do by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.cli import output
from hub.cli.context import App

if TYPE_CHECKING:
    from hub.store import Store
    from hub.store.running import Running

REMEDY = "Restart the hub: it reads hub.yaml and .env at its start"


@dataclass(frozen=True)
class Outdated:
    """A process that was started before `changed` (`hub.yaml`, `.env`) became what it is; or why nobody can tell."""

    process: Running | None
    changed: str
    since: str = ""

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        if self.process is None:
            return f"whether a hub runs by an older hub.yaml can't be seen: {self.changed}"
        one = self.process
        file = "hub.yaml, or a file or table it names," if self.changed == "hub.yaml" else "A value in .env"
        who = f"hub {one.part}, process {one.pid} on {one.host}"
        return f"{file} has changed since the hub that runs was started ({self.since}; {who}): it acts by the old one"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDY if self.process is not None else ""

    def json(self) -> dict[str, Any]:
        """Return it as `hub check --json` prints it."""
        one = self.process
        where = {"part": one.part, "host": one.host, "pid": one.pid, "since": one.since} if one else {}
        return {**where, "changed": self.changed if one else "", "text": self.text, "remedy": self.remedy}


def outdated(app: App) -> list[Outdated]:
    """Return the processes that run by an older configuration than what stands there; a hub that stands says nothing.

    The store is only looked at: a check may come before an upgrade.
    """
    try:
        store = app.look()
        return _of(app, store) if store is not None else []
    except Exception as error:  # noqa: BLE001 (a database can be away in many ways; it isn't what was asked)
        said = getattr(error, "orig", None) or error  # the driver's own words, without the library's around them
        return [Outdated(None, app.masker.mask(" ".join(str(said).split()))[:200])]


def _of(app: App, store: Store) -> list[Outdated]:
    import sqlalchemy as sa

    from hub.presence import alive, imprint, outdated
    from hub.sealing import Sealer
    from hub.store import running, state

    if not sa.inspect(store.engine).has_table("fact"):
        return []
    with store.read() as db:
        processes = running.running(db)
        fingerprint = state.fact(db, "key")
    key = app.key()
    version, settings = imprint(app.config, key or b"")
    if key is None or Sealer(key).fingerprint != fingerprint:
        settings = ""  # with another key the digests can't be compared
    return [
        Outdated(one, changed, output.local(one.since, app.zone))
        for one in processes
        if alive(one) and (changed := outdated(one, (version, settings)))
    ]


def hint(app: App) -> None:
    """Say on standard error that what a person has just changed doesn't count yet."""
    if app.config_if_fine is None:
        return
    for one in outdated(app)[:1]:
        if one.process is not None:
            output.echo(output.dim(f"{one.text}. {one.remedy}"), err=True)
