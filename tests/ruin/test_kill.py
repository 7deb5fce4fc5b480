"""Storm 2: a random process dies by SIGKILL every second while messages pour in and one call in ten fails.

What is asserted is the one thing a hub is for: whatever was answered with 2xx is at the vendor, once, in order.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.ruin.sender import form, message, send
from tests.ruin.storms import YAML, settled, sizes
from tests.ruin.tree import Tree, hammer, until
from tests.ruin.vendor import Vendor


def test_the_supervisor_holds_no_database_while_it_forks(vendor: Vendor, trees: Callable[..., Tree]) -> None:
    """A forked child that inherits an SQLite connection believes in locks it hasn't got, and its commits may vanish."""
    tree = trees(YAML.format(url=vendor.url)).start()
    for role in ("worker", "ticker", "web"):
        gone = tree.kill(role)
        until(lambda role=role, gone=gone: set(tree.roles()[role]) - {gone}, 20.0)
    for role in ("supervisor", "web"):
        for pid in tree.roles()[role]:
            held = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
            assert not [name for name in held if "hub.db" in name], (role, held)


@sizes(small=(200, 40, 0.6, 60.0), full=(2000, 200, 1.0, 70.0))
def test_random_processes_die(
    size: tuple[int, int, float, float],
    vendor: Vendor,
    trees: Callable[..., Tree],
    figures: Callable[..., None],
) -> None:
    """size: messages, subjects, seconds between two kills, messages a second."""
    total, subjects, every, rate = size
    vendor.control(fail=0.1, lose=0.01, delay=0.01)
    tree = trees(YAML.format(url=vendor.url)).start()
    queues: list[list[tuple[str, dict[str, object]]]] = [[] for _ in range(8)]
    for number in range(total):
        subject = number % subjects
        queues[subject % len(queues)].append(message(str(number), form(number, f"s{subject}")))
    began = time.monotonic()
    with hammer(tree, every):
        sent = send(tree, queues, rate=rate, within=240.0)
    assert len(sent.accepted) == total
    vendor.control(fail=0.0, lose=0.0)
    tree.resurrect()
    tree.drain(120.0)
    done = settled(vendor, sent.accepted)
    assert tree.states() == {"done": total}
    figures(
        "2 kill", **done, kills=sum(tree.kills.values()), by_role=tree.kills, broken_connections=sent.broken,
        statuses=dict(sent.statuses), slowest_answer=f"{sent.slowest:.2f}s", seconds=f"{time.monotonic() - began:.0f}",
    )  # fmt: skip


@sizes(small=(400,), full=(1500,))
def test_a_process_frozen_with_the_store_in_its_hand(
    size: tuple[int], vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    """It would stop every writer, the web too; the supervisor ends it before an acknowledgement is lost."""
    [total] = size
    tree = trees(YAML.format(url=vendor.url), workers=1).start()
    with ThreadPoolExecutor(1) as pool:  # while it has something to write, it holds the store now and then
        flood = pool.submit(send, tree, [[message(str(n), form(n)) for n in range(total)]], rate=100.0)
        frozen = tree.freeze_with_the_store("worker")
        began = flood.result()
    assert set(began.statuses) == {200}
    more = send(tree, [[message(str(n), form(n)) for n in range(total, total + 40)]])
    assert len(more.accepted) == 40 and set(more.statuses) == {200}
    until(lambda: frozen not in tree.pids(), 60.0)
    assert f"process {frozen} is frozen while it holds the store" in tree.log.read_text(errors="replace")
    tree.drain()
    figures("2 frozen", **settled(vendor, began.accepted | more.accepted), slowest_answer=f"{more.slowest:.2f}s")
    assert tree.states() == {"done": total + 40}


@sizes(small=(300, 4), full=(2000, 20))
def test_a_busy_worker_ends_when_it_is_told_to(
    size: tuple[int, int], vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    """SIGTERM under load, again and again: each worker ends by itself, none has to be killed, none lives on."""
    total, times = size
    tree = trees(YAML.format(url=vendor.url), workers=1).start()
    share = total // times
    accepted = set()
    for turn in range(times):
        sent = send(tree, [[message(str(n), form(n)) for n in range(turn * share, (turn + 1) * share)]])
        accepted |= sent.accepted
        [worker] = until(lambda: tree.roles()["worker"], 25.0)
        os.kill(worker, signal.SIGTERM)
        until(lambda worker=worker: worker not in tree.pids(), 12.0)
    tree.drain()
    figures("2 told to end", **settled(vendor, accepted), times=times)


def test_a_lock_ends_with_its_supervisor(vendor: Vendor, trees: Callable[..., Tree]) -> None:
    tree = trees(YAML.format(url=vendor.url)).start()
    for role in ("web", "worker", "ticker"):
        for pid in tree.roles()[role]:
            held = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
            assert not [name for name in held if name.endswith("hub.lock")], role
