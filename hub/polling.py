"""Polls: each is a permanent line, due again after its interval. What a poll brings enters like a pushed request."""

from __future__ import annotations

from hub.model import Poll
from hub.pipeline import Pipeline
from hub.runtime import Runtime
from hub.store import Db, intake, state, work
from hub.work_items import PollCall


def ensure_polls(db: Db, runtime: Runtime) -> None:
    """Give every poll of every connection its line."""
    for name in runtime.config.connections:
        for what in runtime.connector(name).polls():
            work.ensure_lines(db, {f"poll:{name}:{what}": name})


class Poller:
    """Writes down what polls brought, and when to ask again."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.runtime = pipeline.runtime

    def write(self, db: Db, item: PollCall, poll: Poll) -> int:
        """Store receipts, cursor and watches of a finished poll; return how many receipts were new."""
        rows = [intake.receipt_row(item.connection, key, request, db.sealer) for key, request in poll.receipts]
        fresh = intake.add_receipts(db, rows)
        state.set_cursor(db, item.connection, item.what, poll.cursor)
        state.set_watches(db, item.connection, poll.watch)
        state.close_alerts(db, f"poll:{item.connection}:{item.what}")
        self._tell(db, item, poll)
        every = self.runtime.connector(item.connection).polls().get(item.what)
        if every is None:  # no longer wanted
            db.run("DELETE FROM line WHERE key = ?", (item.key,))
            return len(fresh)
        after = poll.next_in if poll.next_in is not None else every
        work.release(db, item.key, item.lease, db.now + max(0.05, after))
        return len(fresh)

    @staticmethod
    def _tell(db: Db, item: PollCall, poll: Poll) -> None:
        """Raise one alert with all that the poll found amiss; close it when it finds nothing more."""
        cause = f"found:{item.connection}:{item.what}"
        amiss = [one for one in poll.findings if one.level != "ok"]
        if not amiss:
            state.close_alerts(db, cause)
            return
        params = {
            "connection": item.connection,
            "what": "; ".join(one.text for one in amiss),
            "remedy": "; ".join(dict.fromkeys(one.remedy for one in amiss if one.remedy)) or "hub check --live",
        }
        state.open_alert(db, cause, "alert_found", item.connection, params)

    def failed(self, db: Db, item: PollCall, why: str, after: float | None, told: bool = False) -> None:
        """A poll that failed is tried again; after the third time in a row someone is told, unless they are already."""
        state.set_cursor(db, item.connection, item.what, None, fails=1, reason={"why": why})
        row = db.one("SELECT fails FROM cursor WHERE connection = ? AND what = ?", (item.connection, item.what))
        fails = int(row[0]) if row else 1
        if fails >= 3 and not told:
            params = {"connection": item.connection, "what": item.what, "why": why}
            state.open_alert(db, f"poll:{item.connection}:{item.what}", "alert_poll", item.connection, params)
        every = self.runtime.connector(item.connection).polls().get(item.what, 600.0)
        work.release(db, item.key, item.lease, db.now + (after or min(every, 15.0 * 2 ** min(fails, 6))))
