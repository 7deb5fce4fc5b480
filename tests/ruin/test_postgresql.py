"""Storm 10: the scaled mode. `hub serve`, `hub work --processes 2` twice, `hub tick` on one PostgreSQL and one Redis.

Workers die by SIGKILL; others take their lines over. Statuses stay in order on PostgreSQL too.
"""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.ruin import test_order
from tests.ruin.sender import form, message, send
from tests.ruin.storms import YAML, settled, sizes
from tests.ruin.tree import Tree, until
from tests.ruin.vendor import Vendor


def scaled(tree: Tree, redis_url: str, workers: int = 2) -> Tree:
    """Start the parts apart, as on several machines."""
    tree.env["REDIS_URL"] = redis_url
    tree.env["HUB_SECRET_KEY"] = base64.urlsafe_b64encode(bytes(range(32))).decode()  # one for all the parts
    tree.launch("serve", "--port", str(tree.port))
    until(tree.ready, 40.0)
    for _ in range(workers):
        tree.launch("work", "--processes", "2")
    tree.launch("tick")
    until(lambda: tree.log.read_text().count("is ready") >= 2 * workers, 40.0)
    return tree


@contextmanager
def killing_workers(tree: Tree, every: float) -> Iterator[None]:
    """SIGKILL a worker process every so often; its supervisor starts another."""
    over, dice = threading.Event(), random.Random(10)

    def swing() -> None:
        while not over.wait(every):
            tree.kill("worker", dice)

    thread = threading.Thread(target=swing, name="hammer")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


@sizes(small=(150, 30, 0.5, 75.0), full=(1000, 100, 1.0, 60.0))
def test_workers_die(
    size: tuple[int, int, float, float],
    postgresql_url: str,
    redis_url: str,
    vendor: Vendor,
    trees: Callable[..., Tree],
    figures: Callable[..., None],
) -> None:
    """Storm 2 on PostgreSQL. size: messages, subjects, seconds between two kills, messages a second."""
    total, subjects, every, rate = size
    vendor.control(fail=0.1, lose=0.01, delay=0.02)
    tree = scaled(trees(YAML.format(url=vendor.url), database_url=postgresql_url), redis_url)
    queues: list[list[tuple[str, dict[str, object]]]] = [[] for _ in range(8)]
    for number in range(total):
        subject = number % subjects
        queues[subject % len(queues)].append(message(str(number), form(number, f"s{subject}")))
    with killing_workers(tree, every):
        sent = send(tree, queues, rate=rate)
    assert len(sent.accepted) == total
    vendor.control(fail=0.0, lose=0.0)
    tree.drain()
    done = settled(vendor, sent.accepted)
    assert tree.states() == {"done": total}
    figures("10 PostgreSQL, kills", **done, kills=tree.kills, slowest_answer=f"{sent.slowest:.2f}s")


@sizes(small=(15, 10), full=(200, 30))
def test_shuffled_statuses(
    size: tuple[int, int],
    postgresql_url: str,
    redis_url: str,
    vendor: Vendor,
    trees: Callable[..., Tree],
    figures: Callable[..., None],
) -> None:
    """Storm 4 on PostgreSQL with four worker processes."""
    tree = scaled(trees(test_order.YAML.format(url=vendor.url), database_url=postgresql_url), redis_url)
    figures("10 PostgreSQL, order", **test_order.storm(tree, vendor, *size))


@pytest.mark.ruin
@pytest.mark.parametrize("size", [60])
def test_a_dead_machine_is_taken_over(
    size: int,
    postgresql_url: str,
    redis_url: str,
    vendor: Vendor,
    trees: Callable[..., Tree],
    figures: Callable[..., None],
) -> None:
    """P6: a whole machine of workers is gone in the middle of calls, its supervisor too, so nobody frees its leases.

    They run out; another machine takes every line over and finds what had been made.
    """
    tree = scaled(trees(YAML.format(url=vendor.url), database_url=postgresql_url), redis_url, workers=1)
    vendor.control(delay=3.0)
    sent = send(tree, [[message(str(n), form(n)) for n in range(k, size, 8)] for k in range(8)])
    leased = "SELECT count(*) FROM line WHERE lease IS NOT NULL AND key LIKE 'crm%'"
    until(lambda: tree.number(leased) >= size // 2, 20.0)
    machine = tree.parts[1].pid
    for pid in [machine, *tree.roles()["worker"]]:
        tree.kill_pid(pid)
    held = tree.number(leased)
    assert held >= size // 2
    vendor.control(delay=0.0)
    tree.launch("work", "--processes", "2")
    tree.drain(60.0)
    done = settled(vendor, sent.accepted)
    figures("10 takeover", **done, lines_taken_over=held)
