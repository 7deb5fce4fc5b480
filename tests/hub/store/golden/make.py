"""Write the dump of the present schema version: `python -m tests.hub.store.golden.make`."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

from hub.store.schema import HEAD
from tests.hub.fakes import Box, form
from tests.hub.store.test_golden import KEY, YAML


def main(target: Path) -> None:
    """Make a store, leave it in the middle of its work, dump it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "data" / "secret.key").write_text(KEY)
        box = Box(folder, YAML).start()
        for n in range(3):
            box.send({**form(phone=f"+38067000000{n}"), "subject": f"form:done{n}"}, id=f"done{n}")
        box.settle()
        for engine in box.engines:
            engine.stop(5)
        pipeline = box.engines[0].pipeline
        for n in range(4):
            box.send({**form(phone=f"+38067000001{n}"), "subject": f"form:planned{n}"}, id=f"planned{n}")
        with box.store.write() as db:
            db.run("UPDATE line SET due = 0, lease = 'dead:1' WHERE key = 'in:site'")
        pipeline.process("site", "dead:1")
        with box.store.write() as db:
            db.run("UPDATE line SET lease = 'dead:2' WHERE key LIKE 'crm>%'")
            [first, second] = [row[0] for row in db.rows("SELECT id FROM delivery WHERE state = 'ready' LIMIT 2")]
            db.run("UPDATE delivery SET started_at = created_at WHERE id = ?", (first,))
            db.run("UPDATE delivery SET state = 'parked', finished_at = created_at WHERE id = ?", (second,))
        for n in range(5):
            box.send({**form(phone=f"+38067000002{n}"), "subject": f"form:unread{n}"}, id=f"unread{n}")
        box.receiver.commit.stop()
        box.runtime.close()
        with sqlite3.connect(folder / "data" / "hub.db") as connection:
            target.write_text("\n".join(connection.iterdump()) + "\n", "utf-8")
        connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / f"{HEAD}.sql")
