"""A day as a list of moments, and playing it. An act is a function of the company's world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.demo.letters import Letter
from hub.demo.world import World

Act = Callable[[Any], None]


@dataclass(frozen=True)
class Moment:
    """One thing that happens, at its time of the day; `then_rest` waits until the hub has done all it can."""

    at: str
    words: str
    act: Act
    then_rest: bool = False


def play(world: World, day: Sequence[Moment], tell: Callable[[Moment], None] = lambda moment: None) -> None:
    """Play the whole day; `tell` hears of each moment before it happens."""
    for moment in day:
        tell(moment)
        world.next_moment(moment.at)
        moment.act(world)
        if moment.then_rest:
            world.rest()


# --- acts that any company's day has ----------------------------------------------------------------------------------


def sends(letter: Letter, expected: int = 200, kind: str = "new") -> Act:
    """Somebody or something sends a request; `expected` is the answer it should get."""
    return lambda world: world.send(letter, expected, kind)


def passes(minutes: float) -> Act:
    """Nothing happens for a while."""
    return lambda world: world.let_pass(minutes)
