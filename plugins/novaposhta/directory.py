"""Where it goes: a city and a branch as people write them, found in the vendor's directories and remembered a day.

A settlement has two refs: searchSettlements calls its own `Ref`, waybills want the `DeliveryCity` beside it. A name
alone may fit several places: then nothing is guessed, the candidates are named and a person decides.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from hub.errors import Refused, Retry
from plugins.novaposhta.client import Client, Row

T = TypeVar("T")

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
POSTOMAT_TYPE = "f9316480-5f2d-425d-bc2c-ac7cd29decf0"

_CITY_KIND = re.compile(r"^(?:м|с|смт|сел|місто|село|селище|город|г|пгт|п)\.?\s+", re.I)
_BRANCH_NUMBER = re.compile(
    r"(?:№|#|\bN\s?|\bno\.?\s?|відділення|отделение|поштомат|почтомат|пункт)\s*№?\s*(\d{1,6})", re.I
)
_ONLY_NUMBER = re.compile(r"\d{1,6}")
_POSTOMAT_WORD = re.compile(r"поштомат|почтомат|postomat", re.I)
_STREET_KIND = re.compile(r"^(?:вул|вулиця|ул|улица|просп|проспект|пр|бул|бульвар|пров|площа|пл)\.?\s+", re.I)
#: an answer without rows may be the vendor's hiccup: seen once, fine two seconds later
_EMPTY_PAUSE = 3.0


@dataclass(frozen=True)
class City:
    """A place: `ref` is what waybills want (DeliveryCity), `settlement` what streets are searched by."""

    ref: str
    settlement: str = ""
    label: str = ""


@dataclass(frozen=True)
class Branch:
    """A branch or a postomat."""

    ref: str
    number: str
    label: str
    city: str
    postomat: bool = False
    max_weight: float = 0.0


class Directory:
    """The lookups of one connection; answers are kept for a day in this process, misses are not."""

    def __init__(self, keep: float = 86_400.0, most: int = 5_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep, self._most, self._clock = keep, most, clock
        self._known: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> bool:
        """Drop all that is remembered (the vendor didn't know a ref); True if there was anything."""
        with self._lock:
            had = bool(self._known)
            self._known.clear()
        return had

    def city(self, client: Client, text: str, branch_wanted: bool = True) -> City:
        """Find a city by ref or name ("Київ", "м. Миколаїв, Львівська обл."); `Refused` if none or several fit."""
        text = " ".join(text.split())
        if GUID.fullmatch(text):
            return City(text, label=text)
        key = ("city", text.lower(), branch_wanted)
        return self._remember(key, lambda: _find_city(client, text, branch_wanted))

    def branch(self, client: Client, city: City, text: str, patient: bool = True) -> Branch:
        """Find a branch by ref, number or text ("Відділення №5 (до 30 кг)", "Поштомат 5001", "Хрещатик, 22").

        patient: an empty answer is taken for a hiccup and raised as `Retry`; otherwise it is `Refused`.
        """
        text = " ".join(text.split())
        return self._remember(("branch", city.ref, text.lower()), lambda: _find_branch(client, city, text, patient))

    def street(self, client: Client, city: City, text: str) -> str:
        """Find a street of a city and return its ref; `Refused` if none or several fit."""
        text = _STREET_KIND.sub("", " ".join(text.split()))
        if GUID.fullmatch(text):
            return text
        return self._remember(("street", city.ref, text.lower()), lambda: _find_street(client, city, text))

    def _remember(self, key: Hashable, find: Callable[[], T]) -> T:
        with self._lock:
            at, found = self._known.get(key, (float("-inf"), None))
        if found is not None and self._clock() - at < self._keep:
            return cast(T, found)
        fresh = find()
        with self._lock:
            self._known[key] = (self._clock(), fresh)
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return fresh


# --- cities -----------------------------------------------------------------------------------


def _plain(text: Any) -> str:
    return re.sub(r"[`´’ʼ‘′]", "'", str(text or "")).strip().lower()


def _find_city(client: Client, text: str, branch_wanted: bool) -> City:
    name, _, hint = text.partition(",")
    if "(" in name:
        name, _, rest = name.partition("(")
        hint = f"{rest} {hint}"
    name = _CITY_KIND.sub("", name.strip())
    if not name:
        raise Refused("no city", {"city": "empty"})
    rows = [row for row in client.settlements(name) if row.get("DeliveryCity")]
    fits = [row for row in rows if _plain(row.get("MainDescription")) == _plain(name)] or (
        rows if len(rows) == 1 else []
    )
    if not fits:
        _refuse_city(text, rows, "Nova Poshta knows no such place" if not rows else "no place has exactly this name")
    fits = _narrow(fits, lambda row: all(word in _plain(row.get("Present")) for word in _hints(hint)))
    if branch_wanted:
        fits = _narrow(fits, lambda row: str(row.get("Warehouses") or "0") != "0")
    if len(fits) > 1:
        _refuse_city(text, fits, "several places have this name; add the oblast")
    return City(str(fits[0]["DeliveryCity"]), str(fits[0].get("Ref") or ""), str(fits[0].get("Present") or name))


def _hints(text: str) -> list[str]:
    """Return what tells namesakes apart: "Львівська обл." -> ["львівська"]."""
    words = re.findall(r"[^\W\d_]{4,}", _plain(text))
    return [word for word in words if word not in ("область", "район")]


def _narrow(rows: list[Row], holds: Callable[[Row], bool]) -> list[Row]:
    return [row for row in rows if holds(row)] or rows


def _refuse_city(text: str, rows: list[Row], why: str) -> None:
    known = "; ".join(str(row.get("Present")) for row in rows[:8])
    raise Refused(f"city {text!r}: {why}{': ' + known if known else ''}", {"city": why})


# --- branches ---------------------------------------------------------------------------------


def _find_branch(client: Client, city: City, text: str, patient: bool) -> Branch:
    number = _number(text)
    if GUID.fullmatch(text):
        rows = client.warehouses({"Ref": text})
    elif number:
        rows = client.warehouses({"CityRef": city.ref, "WarehouseId": number, "Limit": "50", "Page": "1"})
        rows = [row for row in rows if str(row.get("Number")) == number]
    else:
        rows = client.warehouses({"CityRef": city.ref, "FindByString": text, "Limit": "20", "Page": "1"})
    if not rows:
        words = f"branch {text!r}: Nova Poshta shows none in {city.label or city.ref}"
        if patient:
            raise Retry(f"{words}; an empty answer may be a hiccup, asking once more", _EMPTY_PAUSE)
        raise Refused(words, {"branch": "not found"})
    if len(rows) > 1:
        wanted = bool(_POSTOMAT_WORD.search(text))
        rows = _narrow(rows, lambda row: _is_postomat(row) == wanted)
    if len(rows) > 1:
        known = "; ".join(str(row.get("Description")) for row in rows[:8])
        raise Refused(f"branch {text!r}: several fit, give its number: {known}", {"branch": "several fit"})
    return _open_branch(rows[0])


def _number(text: str) -> str:
    if _ONLY_NUMBER.fullmatch(text):
        return text.lstrip("0") or text
    match = _BRANCH_NUMBER.search(text)
    return match[1] if match else ""


def _is_postomat(row: Row) -> bool:
    return row.get("CategoryOfWarehouse") == "Postomat" or row.get("TypeOfWarehouse") == POSTOMAT_TYPE


def _open_branch(row: Row) -> Branch:
    label = str(row.get("Description") or row.get("Number"))
    if str(row.get("DenyToSelect") or "0") == "1" or row.get("WarehouseStatus") not in ("Working", None, ""):
        raise Refused(f"{label}: this branch takes no parcels now; choose another", {"branch": "closed"})
    try:
        heaviest = float(row.get("PlaceMaxWeightAllowed") or 0)
    except (TypeError, ValueError):
        heaviest = 0.0
    return Branch(
        str(row["Ref"]), str(row.get("Number") or ""), label, str(row.get("CityRef") or ""), _is_postomat(row), heaviest
    )


# --- streets ----------------------------------------------------------------------------------


def _find_street(client: Client, city: City, text: str) -> str:
    if not city.settlement:
        raise Refused("a street is searched by the city's name; write the name instead of its ref", {"city": "a ref"})
    rows = client.streets(city.settlement, text)
    fits = [row for row in rows if _plain(row.get("SettlementStreetDescription")) == _plain(text)] or rows
    if len(fits) != 1:
        known = "; ".join(str(row.get("Present")) for row in fits[:8])
        why = f"several fit: {known}" if fits else f"Nova Poshta shows none in {city.label}"
        raise Refused(f"street {text!r}: {why}", {"street": "several fit" if fits else "not found"})
    return str(fits[0].get("SettlementStreetRef") or "")
