"""Prometheus metrics, read from the store when asked: one truth for any number of processes."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.runtime import Runtime
from hub.store import state


class StoreMetrics(Collector):
    """Counters and gauges of the whole installation."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the metrics are known only when the store is asked."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics as they are now."""
        counts = CounterMetricFamily("hub_things", "What came in and what became of it", labels=["connection", "name"])
        waiting = GaugeMetricFamily("hub_waiting", "Work that is not finished", labels=["kind"])
        shut = GaugeMetricFamily("hub_connection_shut", "1 while calls are held back", labels=["connection", "why"])
        with self.runtime.store.read() as db:
            for connection, name, total in db.rows(
                "SELECT connection, name, sum(n) FROM counter GROUP BY connection, name"
            ):
                counts.add_metric([connection, name], float(total))
            for kind, sql in _WAITING.items():
                row = db.one(sql)
                waiting.add_metric([kind], float(row[0] if row else 0))
            for name, health in state.healths(db).items():
                if why := health.shut(db.now):
                    shut.add_metric([name, why], 1.0)
        yield from (counts, waiting, shut)


_WAITING = {
    "receipts": "SELECT count(*) FROM receipt WHERE state = 'new'",
    "events": "SELECT count(*) FROM event WHERE state = 'waiting'",
    "deliveries": "SELECT count(*) FROM delivery WHERE state = 'ready'",
    "parked": "SELECT count(*) FROM delivery WHERE state = 'parked'",
    "alerts": "SELECT count(*) FROM alert WHERE closed_at IS NULL",
}
