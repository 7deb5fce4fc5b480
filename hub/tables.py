"""Tables of the configuration: a CSV file or rows written in place, and looking things up in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from hub.paths import empty, number, plain, text

if TYPE_CHECKING:
    from hub.mapping import Values
    from hub.paths import Scope

LARGEST_FILE = 20_000_000
Row = Mapping[str, str]
_Cell = tuple[frozenset[str], tuple[tuple[Decimal, Decimal], ...]] | None


class TableError(ValueError):
    """The file or the rows aren't a table; the message says why, for an administrator."""


class Table:
    """Named columns and rows of text. In a cell `a|b` means one of, `5-10` a range, nothing means any.

    Text compares whatever its case. A value that is absent fits only cells that take any.
    """

    def __init__(self, name: str, columns: Sequence[str], rows: Iterable[Row], file: str = "") -> None:
        self.name = name
        self.columns = tuple(columns)
        self.rows = list(rows)
        self.file = file
        self._cells: dict[str, list[_Cell]] = {}
        self._index: dict[str, tuple[dict[str, list[int]], list[int]]] = {}

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self.rows)} rows: {', '.join(self.columns)})"

    def fitting(self, where: Mapping[str, Any]) -> list[Row]:
        """Return the rows whose cells admit every value, in the order of the table."""
        if not where:
            return list(self.rows)
        first, *others = where
        return [
            self.rows[place]
            for place in self._candidates(first, where[first])
            if all(_admits(self._column(name)[place], where[name]) for name in others)
        ]

    def look_up(self, where: Mapping[str, Any], take: str = "first") -> dict[str, Any] | None:
        """Return the result mapping: the first row's columns, `rows`, `count`, `value`; None if `first` found none.

        `take` is `first`, `all` or `sum COLUMN`; only the last gives `value`, what isn't a number counts as 0.
        """
        rows = self.fitting(where)
        if take == "first":
            if not rows:
                return None
            rows = rows[:1]
        result: dict[str, Any] = {**(rows[0] if rows else {}), "rows": rows, "count": len(rows)}
        if take.startswith("sum "):
            column = take[4:].strip()
            total = sum((number(row.get(column, "")) or Decimal(0) for row in rows), Decimal(0))
            result["value"] = plain(total.normalize() if total else Decimal(0))
        return result

    def _column(self, name: str) -> list[_Cell]:
        if name not in self._cells:
            self._cells[name] = [_cell(row.get(name, "")) for row in self.rows]
        return self._cells[name]

    def _candidates(self, column: str, value: Any) -> list[int]:
        if column not in self._index:
            exact: dict[str, list[int]] = {}
            rest: list[int] = []
            for place, cell in enumerate(self._column(column)):
                if cell is None or cell[1]:
                    rest.append(place)
                else:
                    for word in cell[0]:
                        exact.setdefault(word, []).append(place)
            self._index[column] = exact, rest
        exact, rest = self._index[column]
        cells = self._column(column)
        found = {place for place in rest if _admits(cells[place], value)}
        for word in _words(value):
            found.update(exact.get(word, ()))
        return sorted(found)


@dataclass(frozen=True, slots=True)
class LookUp:
    """A look-up of a route: `where` is evaluated for the event, then asked of the table."""

    table: Table
    where: Values
    take: str = "first"

    def run(self, scope: Scope) -> dict[str, Any] | None:
        """Return the result mapping, or None if no row fits and the first was wanted."""
        asked: dict[str, Any] = {line.key: None for line in self.where}
        asked.update(self.where.evaluate(scope))
        return self.table.look_up(asked, self.take)


def _cell(content: str) -> _Cell:
    """Take a cell apart into texts and ranges; None = any."""
    content = content.strip()
    if not content:
        return None
    words, ranges = set(), []
    for piece in content.split("|"):
        low, dash, high = piece.partition("-")
        start, end = number(low.strip()), number(high.strip())
        if dash and start is not None and end is not None:
            ranges.append((start, end))
        words.add(_word(piece))
    return frozenset(words), tuple(ranges)


def _word(value: Any) -> str:
    word = text(value).strip().casefold()
    if word[:1].isdigit() and "." in word and (amount := number(word)) is not None:
        return format(amount.normalize(), "f")
    return word


def _words(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [_word(item) for item in value]
    return [] if empty(value) else [_word(value)]


def _admits(cell: _Cell, value: Any) -> bool:
    if cell is None:
        return True
    words, ranges = cell
    for word in _words(value):
        if word in words:
            return True
        if ranges and (amount := number(word)) is not None and any(low <= amount <= high for low, high in ranges):
            return True
    return False


def read_csv(name: str, file: File, shown: str = "") -> Table:
    """Read a CSV file: UTF-8 with or without its mark, columns by `;` or `,`, the first line names them."""
    shown = shown or file.name
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise TableError(f"{shown} is larger than {LARGEST_FILE // 1_000_000} MB")
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{shown} isn't UTF-8 text; save it as CSV UTF-8") from error
    except OSError as error:
        raise TableError(f"no file {shown} ({error.strerror})") from error
    head = content.split("\n", 1)[0]
    try:
        lines = list(csv.reader(io.StringIO(content), delimiter=";" if head.count(";") > head.count(",") else ","))
    except csv.Error as error:
        raise TableError(f"{shown}: {error}") from error
    if not lines or not any(lines[0]):
        raise TableError(f"{shown} is empty; its first line names the columns")
    columns = [column.strip() for column in lines[0]]
    _check_columns(shown, columns)
    rows = []
    for place, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            raise TableError(
                f"{shown}:{place}: {len(cells)} cells, but {len(columns)} columns; quote a cell with a comma"
            )
        padded = [*cells, *[""] * (len(columns) - len(cells))]
        rows.append({column: cell.strip() for column, cell in zip(columns, padded, strict=False)})
    return Table(name, columns, rows, shown)


def from_rows(name: str, rows: Sequence[Mapping[str, str]]) -> Table:
    """Make a table of rows written in the configuration; a column a row lacks is empty there."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(name, columns, [{column: text(row.get(column, "")) for column in columns} for row in rows])


def _check_columns(where: str, columns: Sequence[str]) -> None:
    check: Callable[[str], int] = list(columns).count
    for column in columns:
        if not column:
            raise TableError(f"{where}: a column has no name in the first line")
        if check(column) > 1:
            raise TableError(f'{where}: the column "{column}" stands twice')
