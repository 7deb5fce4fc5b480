"""Storm: a crowd comes over five channels while processes die; each human stays one person, one contact, one lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.crowd import CHANNELS, crowd
from tests.journeys.test_people import SECRET, check, owners, yaml_for
from tests.ruin.sender import send
from tests.ruin.tree import Tree, hammer, until


@pytest.fixture
def portal() -> Iterator[Bitrix24Sandbox]:
    """A portal that listens."""
    sandbox = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
    running = sandbox.start()
    yield sandbox
    running.stop()
    sandbox.portal.events.close()


@pytest.mark.ruin
@pytest.mark.parametrize(("people", "rate"), [(40, 20.0), (500, 25.0)], ids=["forty", "five hundred"])
def test_a_crowd_while_processes_die(
    people: int, rate: float, portal: Bitrix24Sandbox, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    told = crowd(people)
    yaml = yaml_for(portal).strip().partition("\n")[2]
    tree = trees(yaml, workers=8 if people > 100 else 3, hub="timezone: Europe/Kyiv, region: UA").start()
    by_channel: dict[str, list[tuple[str, dict[str, str]]]] = {channel: [] for channel in CHANNELS}
    for n, (channel, form, _) in enumerate(told.messages):
        by_channel[channel].append((str(n), form))

    def come(channel: str) -> int:
        queue = by_channel[channel]
        share = rate * len(queue) / len(told.messages)
        return len(send(tree, [queue[0::2], queue[1::2]], f"{channel}/{SECRET}", share, within=240.0).accepted)

    with hammer(tree, 1.0, roles=("web", "worker", "ticker", "redis")), ThreadPoolExecutor(len(CHANNELS)) as pool:
        assert sum(pool.map(come, CHANNELS)) == len(told.messages)
    tree.resurrect()
    tree.drain(300.0)  # doubtful creates wait their settle time
    check(tree.rows, portal, told)
    found = owners(tree.rows)
    strays = {frozenset((found[slip], found[human.phone])) for slip, human in told.strays}
    twins = {frozenset((found[one], found[other])) for one, other in told.twins}
    until(lambda: tree.number("SELECT count(*) FROM person WHERE NOT compared") == 0, 60.0)
    pairs = {frozenset(row) for row in tree.rows("SELECT person, other FROM suspect WHERE state = 'open'")}
    assert pairs == strays | twins
    figures(
        "people", humans=people, messages=len(told.messages), persons=len(set(found.values())), strays=len(strays),
        twins=len(twins), suspects=len(pairs), kills=sum(tree.kills.values()), wrong_merges=0,
    )  # fmt: skip
