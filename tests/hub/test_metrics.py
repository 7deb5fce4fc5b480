"""Health, readiness and metrics: what the hub says of itself is true, with its store and without."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from hub.store import Store, state
from hub.web import create_app
from tests.hub.fakes import PLUGINS, Box, form
from tests.hub.wild import YAML, Small, Wild


def test_the_hub_is_alive_and_ready(web: FlaskClient) -> None:
    assert [web.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_without_its_store_the_hub_is_alive_but_not_ready(
    postgresql_url: str, postgresql_server: str, tmp_path: Path
) -> None:
    store = Store.open(postgresql_url, tmp_path, b"a key of the tests")
    box = Box(tmp_path / "hub", YAML, store=store, plugins=(*PLUGINS, Wild, Small))
    web = create_app(box.runtime, box.ring).test_client()
    assert web.get("/readyz").status_code == 200
    url = sa.make_url(postgresql_server.replace("postgresql://", "postgresql+psycopg://"))
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = sa.make_url(postgresql_url).database
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        try:
            assert web.get("/healthz").status_code == 200
            assert web.get("/readyz").status_code == 503
            assert web.get("/metrics").status_code == 503
            assert web.post("/in/wild", data=b"x").status_code == 503
        finally:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")  # the fixture drops it
    admin.dispose()
    for commit in (box.receiver.commit, web.application.extensions["receiver"].commit):
        commit.stop()
    store.close()


def metrics(web: FlaskClient) -> dict[tuple[str, ...], float]:
    answer = web.get("/metrics")
    assert answer.status_code == 200 and answer.mimetype == "text/plain"
    out = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            out[(sample.name, *sample.labels.values())] = sample.value
    return out


def test_the_metrics_can_be_read_and_add_up(box: Box, web: FlaskClient) -> None:
    box.start()
    for n in range(7):
        box.send(form(), id=f"m{n % 5}")
    box.send({"no type": 1}, id="odd")
    web.post("/in/site", data=b"x")
    box.settle()
    web.application.extensions["receiver"].commit.stop()
    found = metrics(web)

    def of(name: str) -> float:
        return found.get(("hub_things_total", "site", name), 0.0)

    assert (of("received"), of("duplicate"), of("rejected")) == (8, 2, 1)
    assert of("read") == of("received") - of("duplicate")
    assert of("events") == of("taken") + of("not_taken") == 5
    assert of("unreadable") == 1
    assert found[("hub_waiting", "receipts")] == found[("hub_waiting", "deliveries")] == 0
    assert found[("hub_acknowledge_seconds_count",)] == 1


def test_a_paused_connection_is_seen_in_the_metrics(box: Box, web: FlaskClient) -> None:
    with box.store.write() as db:
        state.set_health(db, "wild", paused=True)
    assert metrics(web)[("hub_connection_shut", "wild", "paused")] == 1
