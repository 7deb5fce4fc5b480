"""What a company brings to the demo: its stand-ins, its configuration, its day, what is looked at in the evening."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hub.demo.account import Account, Outcome
from hub.demo.checks import Checks
from hub.demo.letters import Person
from hub.demo.story import Moment
from hub.demo.world import World

#: recipe -> the package of its company
COMPANIES = {"beauty": "hub.demo.beauty", "quest_rooms": "hub.demo.quest_rooms"}


def company(recipe: str) -> Company:
    """Return the company whose recipe that is."""
    found: Company = importlib.import_module(COMPANIES[recipe]).COMPANY
    return found


@dataclass(frozen=True)
class Settings:
    """How the recipe is pointed at the stand-ins."""

    #: what stands in `.env`
    variables: Mapping[str, str]
    #: door -> the secret at the end of its address
    secrets: Mapping[str, str]
    #: plugin -> lines put beneath `plugin: <name>`
    more: Mapping[str, str]
    #: other places of the recipe that hold an address: text -> what stands there instead
    instead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """A table of the evening; `after` is a line beneath it."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    after: str = ""


class Company(ABC):
    """One company. Everything is declared; what runs is `hub.demo.command`."""

    recipe: ClassVar[str]
    #: whose day it is, for the first line
    headline: ClassVar[str]
    #: connection -> who stands in for whom
    vendors: ClassVar[Mapping[str, str]]
    #: doors in the order in which the day uses them
    doors: ClassVar[tuple[str, ...]]
    people: ClassVar[tuple[Person, ...]]
    day: ClassVar[tuple[Moment, ...]]
    checks: ClassVar[Checks]
    world: ClassVar[type[World]]
    account: ClassVar[type[Account[Any]]]

    @contextmanager
    @abstractmethod
    def stands(self, clock: Callable[[], float]) -> Iterator[Mapping[str, Any]]:
        """Run the stand-ins, by the name of their connection; `clock` gives the epoch seconds they go by."""

    @abstractmethod
    def settings(self, credentials: Mapping[str, Mapping[str, Any]], url: str) -> Settings:
        """Return how the recipe reaches the stand-ins; `url` is the hub's own address."""

    @abstractmethod
    def sheets(self, outcome: Any) -> Sequence[Sheet]:
        """Return what stands at the vendors, as tables."""

    @abstractmethod
    def records(self, outcome: Any) -> dict[str, Any]:
        """Return what stands at the vendors, for machines."""

    @abstractmethod
    def to_try(self, hub: str, world: World) -> Sequence[tuple[str, str]]:
        """Return (words, command line) of what a person may try while the hub goes on running."""

    def collect(self, world: World) -> Outcome:
        """Read the hub's store and the stand-ins."""
        found: Outcome = self.account(world, self.people).collect()
        return found
