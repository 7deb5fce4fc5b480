"""A crowd for the journeys of persons: each human comes over several channels and spells their phone another way.

What is known of it beforehand: who is who, which messages hold a slip of the finger (those make a stray person, alike
to the right one), and who are twins: two humans of one name whose phones differ by one digit.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

CHANNELS = ("site", "landing", "quiz", "callback", "shop")
#: those whose forms ask for a name
NAMED = frozenset({"site", "landing", "shop"})
_FIRST = ("Олена", "Iван", "Марiя", "Петро", "Ганна", "Юрiй", "Тарас", "Соломiя")
_LAST = ("Коваль", "Шевченко", "Бондар", "Ткачук", "Мельник", "Лисенко", "Гриценко", "Павленко", "Савчук", "Хоменко")


@dataclass
class Human:
    """One human: what they are called, their number (E.164) and address, and the numbers they mistype."""

    name: str
    phone: str
    email: str
    slips: list[str] = field(default_factory=list)


@dataclass
class Crowd:
    """Humans, and (channel, form, whose) of all their messages, shuffled; `twins` are pairs of numbers."""

    humans: list[Human]
    messages: list[tuple[str, dict[str, str], Human]]
    twins: list[tuple[str, str]]

    @property
    def strays(self) -> list[tuple[str, Human]]:
        """The numbers that were typed wrong, and by whom."""
        return [(slip, human) for human in self.humans for slip in human.slips]


def spelled(phone: str, dice: random.Random) -> str:
    """Return the number as somebody types it."""
    national = "0" + phone[4:]
    return dice.choice(
        [
            phone, phone[1:], national, f"{national[:3]} {national[3:6]} {national[6:8]} {national[8:]}",
            f"({national[:3]}) {national[3:6]}-{national[6:8]}-{national[8:]}",
            f"+38 ({national[:3]}) {national[3:6]} {national[6:]}", f"38{national}",
        ]
    )  # fmt: skip


def crowd(people: int, seed: int = 5, slips: float = 0.1) -> Crowd:
    """Return a crowd of so many humans; every tenth has a twin, and so many of ten mistype their number once."""
    dice = random.Random(seed)
    humans: list[Human] = []
    twins = []
    for n in range(people):
        # two digits apart from every other: a slip leads to nobody else by chance
        phone = f"+38067{(n * 1111 + 1_234_567) % 10_000_000:07}"
        name = f"{_FIRST[n % len(_FIRST)]} {_LAST[n // len(_FIRST) % len(_LAST)]}{'-' * (n // 80 > 0)}{n // 80 or ''}"
        if n % 10 == 9:
            twin = humans[-1]
            digit = str((int(twin.phone[-1]) + 5) % 10)
            phone, name = twin.phone[:-1] + digit, twin.name
            twins.append((twin.phone, phone))
        humans.append(Human(name, phone, f"human{n}x{dice.randrange(10**6)}@mail.ua"))
    messages = []
    for n, human in enumerate(humans):
        channels = dice.sample(CHANNELS, dice.randint(2, 5))
        if not set(channels) & NAMED:  # whoever never tells a name is alike to nobody
            channels[0] = "site"
        for channel in channels:
            form = {"phone": spelled(human.phone, dice)}
            if channel in NAMED:
                form["name"] = human.name
            if channel in ("landing", "quiz"):
                form["email"] = dice.choice([human.email, human.email.upper(), f" {human.email}"])
            messages.append((channel, form, human))
        if n % 10 < 8 and dice.random() < slips:
            place = dice.randrange(6, len(human.phone) - 3)
            wrong = str((int(human.phone[place]) + 3) % 10)
            slip = human.phone[:place] + wrong + human.phone[place + 1 :]
            if slip not in {one.phone for one in humans}:
                human.slips.append(slip)
                messages.append(("site", {"phone": spelled(slip, dice), "name": human.name}, human))
    dice.shuffle(messages)
    return Crowd(humans, messages, twins)
