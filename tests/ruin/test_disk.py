"""Storm 7: the disk fills up. Not a 2xx that isn't on disk; workers can still record; all goes on when space returns.

The disk is a real one: a tmpfs of fixed size, mounted for the test (in a user namespace of its own no hub could be
reached, so this needs the right to mount, which containers and CI runners have as root).
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store.engine import RESERVE
from tests.ruin.sender import form, message, send
from tests.ruin.storms import YAML, settled, sizes
from tests.ruin.tree import Tree, until
from tests.ruin.vendor import Vendor

MB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with 32 MB above the hub's reserve."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={RESERVE + 32 * MB}", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Fill the disk up to `leave` bytes; to the last byte for 0."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while leave == 0 or shutil.disk_usage(disk).free > leave:
            file.write(bytes(65536))
    return ballast


@sizes(small=100, full=400)
def test_the_disk_is_full(
    size: int, disk: Path, vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    """Below the reserve the way in answers 503 while workers finish; on a disk with no room at all nothing is lost."""
    tree = trees(YAML.format(url=vendor.url), folder=disk / "hub", workers=1)
    tree.log = disk.parent / "hub.log"  # what it says must be readable on another disk
    tree.start()
    # There is work under way when the disk runs low: it must be finished and written down.
    vendor.control(down=True)
    first = send(tree, [[message(str(n), form(n)) for n in range(k, size, 8)] for k in range(8)])
    assert len(first.accepted) == size
    ballast = fill(disk, RESERVE // 2)
    until(lambda: send(tree, [[message("probe", form(10**6))]], once=True).statuses[503], 10.0)
    refused = send(
        tree, [[message(str(n), form(n)) for n in range(size + k, 2 * size, 8)] for k in range(8)], once=True
    )
    assert refused.statuses == {503: size}
    vendor.control(down=False)
    tree.drain()
    assert {str(n) for n in range(size)} <= {one["NUMBER"] for one in vendor.state()["creates"]}
    # Space returns: the same senders come again.
    ballast.unlink()
    again = send(tree, [[message(str(n), form(n)) for n in range(size + k, 2 * size, 8)] for k in range(8)])
    tree.drain()
    # No room at all, reserve or not, in the middle of work: the store refuses, and what was done isn't forgotten.
    vendor.control(delay=0.3)
    more = send(tree, [[message(str(n), form(n)) for n in range(2 * size + k, 3 * size, 8)] for k in range(8)])
    ballast = fill(disk, 0)
    until(lambda: "disk is full" in tree.log.read_text(errors="replace") or not any(tree.left().values()), 60.0)
    # What still fits into room the store has already (its log is reused) is taken in, and then it is as good as any.
    full = send(tree, [[message(str(n), form(n)) for n in range(3 * size, 3 * size + 20)]], once=True)
    assert set(full.statuses) <= {200, 503}
    ballast.unlink()
    vendor.control(delay=0.0)
    tree.drain()
    accepted = first.accepted | again.accepted | more.accepted | full.accepted
    figures(
        "7 disk full", **settled(vendor, accepted), answered_503=refused.statuses[503] + full.statuses[503],
        commits_refused=tree.log.read_text(errors="replace").count("a turn failed"),
        found_by_marker=tree.number("SELECT count(*) FROM delivery WHERE reason LIKE '%found_by_marker%'"),
    )  # fmt: skip
