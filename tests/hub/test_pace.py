"""How many receipts are read in one commit, and who calls vendors meanwhile."""

from __future__ import annotations

import time

import pytest

from hub import engine as engine_module
from hub.pace import BACKLOG, LIVE, MOST, Steps
from tests.hub.fakes import Box, form


def test_small_steps_while_requests_come_in_large_ones_for_a_backlog() -> None:
    steps = Steps()
    assert steps.size(live=True) < steps.size(live=False) <= MOST


def test_a_step_grows_and_shrinks_by_what_it_took() -> None:
    steps = Steps()
    for _ in range(10):
        steps.took(steps.size(live=False), 0.001)
    assert steps.size(live=False) == MOST
    for _ in range(3):
        steps.took(steps.size(live=False), 2.0)
    assert steps.size(live=False) == BACKLOG.fewest
    steps.took(BACKLOG.fewest, 0.0)
    assert steps.size(live=False) == 2 * BACKLOG.fewest


def test_one_pace_learns_nothing_from_the_other() -> None:
    steps = Steps()
    before = steps.size(live=True)
    steps.took(steps.size(live=False), 5.0)
    assert steps.size(live=True) == before
    steps.took(1, 5.0)
    assert (steps.size(live=True), steps.pace) == (LIVE.fewest, LIVE)


def test_few_receipts_say_what_each_of_them_takes() -> None:
    steps = Steps()
    steps.size(live=True)
    steps.took(1, LIVE.hold / 6)
    assert steps.size(live=True) == 6


@pytest.mark.parametrize(("workers", "leaves"), [(1, False), (2, True)])
def test_who_reads_leaves_calls_to_other_workers_if_there_are_any(box: Box, workers: int, leaves: bool) -> None:
    box.runtime.workers = workers
    [engine] = box.engines
    reading: list[bool] = []
    process = engine.pipeline.process

    def spy(connection: str, lease: str) -> int:
        reading.append(engine.intake.reading)
        return process(connection, lease)

    engine.pipeline.process = spy  # type: ignore[method-assign]
    for n in range(40):
        assert box.send(form(n=str(n))) == 200
    while engine.intake.turn():
        pass
    assert any(reading) is leaves
    assert engine.intake.reading is False


def test_it_leaves_them_for_a_moment_only(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """All workers may be reading, each something else."""
    [engine] = box.engines
    dispatcher = engine.dispatcher
    assert not dispatcher._reads()
    engine.intake.reading = True
    monkeypatch.setattr(engine_module, "LEFT", 60.0)
    assert dispatcher._reads()
    monkeypatch.setattr(engine_module, "LEFT", 0.001)
    time.sleep(0.002)
    assert not dispatcher._reads()
