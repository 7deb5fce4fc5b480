"""People are made one and parted at random while messages come and answers get lost: each human ends with one card."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import handwork, outcome, people_acts
from hub.store import Store, families, merging
from tests.hub.fakes import PLUGINS, WORLDS, Box, form
from tests.hub.mergers import Mergers
from tests.hub.test_parting import YAML

NAMES = ("Anna", "Petro", "Olha", "Ivan", "Maria")


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(outcome, "BACKOFF", (0.05,))
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path / "box", YAML, plugins=(*PLUGINS, Mergers), store=store).start()
    yield box
    box.close()


def phone(name: str) -> str:
    return f"+38067111220{NAMES.index(name)}"


class Storm:
    """One sequence of acts, told as it goes, so that a failure can be read."""

    def __init__(self, box: Box, seed: int) -> None:
        self.box, self.dice, self.said = box, random.Random(seed), [f"seed {seed}"]
        self.crm: Any = WORLDS["crm"]
        self.paused = False

    def write(self) -> None:
        name = self.dice.choice(NAMES)
        self.said.append(f"{name} writes")
        self.box.send(form(phone(name), name))

    def merge(self) -> None:
        one, other = self.dice.sample(range(1, len(NAMES) + 1), 2)
        self._act(f"merge {one} {other}", lambda db: people_acts.merge(db, self.box.runtime, one, other))

    def unmerge(self) -> None:
        with self.box.store.read() as db:
            some = [one.id for one in merging.of_persons(db, list(range(1, 6)), only_open=True)]
        if some:
            asked = f"m{self.dice.choice(some)}"
            self._act(f"unmerge {asked}", lambda db: people_acts.unmerge(db, self.box.runtime, asked))

    def lose(self) -> None:
        self.said.append("the next answer to a merge is lost")
        self.crm.loses = 1

    def pause(self) -> None:
        self._act("pause" if not self.paused else "resume",
                  lambda db: (handwork.resume if self.paused else handwork.pause)(db, "crm"))  # fmt: skip
        self.paused = not self.paused

    def settle(self) -> None:
        if not self.paused:
            self.said.append("settle")
            self.box.settle(30)

    def _act(self, what: str, act: Any) -> None:
        try:
            with self.box.store.write() as db:
                act(db)
            self.said.append(what)
        except handwork.Pointless as why:
            self.said.append(f"{what}: {why}")
        self.box.ring()

    def blow(self, acts: int) -> None:
        for name in NAMES:
            self.box.send(form(phone(name), name))
            self.box.settle()
        choices = [self.write, self.write, self.merge, self.merge, self.unmerge, self.unmerge, self.lose, self.pause,
                   self.settle]  # fmt: skip
        for _ in range(acts):
            self.dice.choice(choices)()
        if self.paused:
            self.pause()
        self.box.settle(60)

    def judge(self) -> None:
        told = "\n".join(self.said)
        with self.box.store.read() as db:
            roots = families.roots(db, range(1, len(NAMES) + 1))
            names = {row[0]: NAMES[row[0] - 1] for row in db.rows("SELECT id FROM person ORDER BY id")}
        assert len(names) == len(NAMES), told
        cards = {card["id"] for card in self.crm.of("contact")}
        assert len(cards) == len(set(roots.values())), f"{told}\n{self.crm.of('contact')}\n{roots}"
        known = {lead["id"] for lead in self.crm.of("lead")}
        for name in NAMES:
            self.box.send(form(phone(name), name))
        self.box.settle(60)
        card_of = {lead["name"]: lead["contact"] for lead in self.crm.of("lead") if lead["id"] not in known}
        assert set(card_of.values()) == cards, f"{told}\n{card_of}"
        assert {one["id"] for one in self.crm.of("contact")} == cards, told
        for one, root in roots.items():
            for other, other_root in roots.items():
                same = card_of[names[one]] == card_of[names[other]]
                assert same == (root == other_root), f"{told}\n{card_of}\n{roots}"


@pytest.mark.parametrize("seed", [108, 121, 124, 126])
def test_each_human_has_one_card_whatever_is_merged_and_parted(box: Box, seed: int) -> None:
    """These found something once: a merge tried again with more cards than at first, one that came between, two cards
    left behind by a merge that was given up."""
    blow(box, seed)


@pytest.mark.ruin
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_and_so_it_is_of_many(box: Box, seed: int) -> None:
    blow(box, seed)


def blow(box: Box, seed: int) -> None:
    storm = Storm(box, seed)
    storm.blow(40)
    storm.judge()
