"""Matching: what finding a person costs when there are few, many, very many; and looking for somebody alike."""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from pathlib import Path

from hub.identity import Asked, Rules
from hub.store import Store, people, suspects

#: persons that are there already, in the order in which they are measured
SIZES = (1_000, 100_000, 1_000_000)
#: messages that are matched at each size, and how many of them are of somebody new
MESSAGES, FRESH = 4_000, 0.2
_BATCH = 64
_RULES = Rules()
_NAMES = ("Anna", "Petro", "Olena", "Ivan", "Maria", "Yurii", "Taras", "Hanna", "Oleh", "Iryna")


#: a country's mobile networks: a million clients are one number in a hundred and forty, and not every tenth of one
_NETWORKS = (39, 50, 63, 66, 67, 68, 73, 91, 92, 93, 94, 95, 96, 97)


def _human(n: int) -> Asked:
    phone = f"+380{_NETWORKS[n % len(_NETWORKS)]}{(n * 7_919 + 1_234_567) % 10_000_000:07}"
    name = f"{_NAMES[n % 10]} {n // 10}"
    address = hashlib.blake2s(str(n).encode(), digest_size=6).hexdigest()
    return Asked(
        [("phone", phone), ("email", f"{address}@mail.ua")], contact={"name": name, "phone": phone}, connection="site",
        at=1.0,
    )  # fmt: skip


def measure(sizes: tuple[int, ...] = SIZES) -> list[tuple[int, float, float]]:
    """Return (persons, messages matched, persons compared) at each size, both in a second of CPU, on SQLite.

    CPU and not the clock, which counts what else the machine does; reading the index is in it.
    """
    out = []
    dice = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(None, Path(folder), b"a key of the figures")
        there = 0
        try:
            for size in sizes:
                there = _fill(store, there, size)
                matched = _match(store, size, dice)
                compared = _compare(store)
                there = size + int(MESSAGES * FRESH)
                out.append((size, matched, compared))
        finally:
            store.close()
    return out


def _fill(store: Store, first: int, size: int) -> int:
    """Make persons up to a number, and compare them, so that the index of near words is as large as they are many."""
    for start in range(first, size, 2_000):
        with store.write() as db:
            people.match(db, [_human(n) for n in range(start, min(start + 2_000, size))], _RULES)
        store.checkpoint()  # as the sweeper does: a log of gigabytes would be measured, too
    while _pending(store):
        with store.write() as db:
            suspects.compare_new(db, 1_000)
        store.checkpoint()
    return size


def _pending(store: Store) -> bool:
    with store.read() as db:
        return suspects.uncompared(db)


def _match(store: Store, size: int, dice: random.Random) -> float:
    """Match messages in batches as the pipeline does: most of somebody known, some of somebody new."""
    fresh = iter(range(size, size + MESSAGES))
    asked = [_human(next(fresh) if dice.random() < FRESH else dice.randrange(size)) for _ in range(MESSAGES)]
    began = time.process_time()
    for start in range(0, MESSAGES, _BATCH):
        with store.write() as db:
            people.match(db, asked[start : start + _BATCH], _RULES)
    return MESSAGES / (time.process_time() - began)


def _compare(store: Store) -> float:
    """Compare those who came, fifty in a commit as the sweeper does."""
    count, began = 0, time.process_time()
    while True:
        with store.write() as db:
            done = suspects.compare_new(db, 50)
        if not done:
            return count / (time.process_time() - began)
        count += done
