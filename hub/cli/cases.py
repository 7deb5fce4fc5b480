"""`hub test DIR`: an administrator's own cases. This message in, these calls out; nothing is sent or stored.

A case names a connection, what comes in (`file` beside the case, or an `event`), and what should go out (`expect`)
or be turned away (`rejected`). docs/cli.md shows the format.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from hub.cli import output
from hub.cli.context import App, InputError, pass_app
from hub.cli.output import coloured, dim, short

if TYPE_CHECKING:
    from hub.trial import PlanRow
    from hub.trying import Bench

_KEYS = ("name", "connection", "file", "headers", "method", "query", "unsigned", "event", "expect", "rejected")
_EVENT_KEYS = ("type", "subject", "key", "record", "text", "title", "channel", "by", "at", "was")
_EXPECT_KEYS = ("do", "route", "values")


@dataclass
class Case:
    """One case as written; `place` says where."""

    place: str
    folder: Path
    said: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The case's name, or where it stands."""
        return str(self.said.get("name") or self.place)


@click.command("test")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@output.json_option
@pass_app
def test(app: App, folder: Path, as_json: bool) -> None:
    """Prove hub.yaml by your own cases: every .yaml (and .case.json) file in DIR and below it.

    \b
    - name: a request from the site
      connection: site
      file: tilda.txt            # or event: {type: form.submitted, record: {...}}
      unsigned: yes              # also: headers, method, query
      expect:                    # the calls, in order; only the values named are compared
        - do: crm.lead.upsert
          values: {TITLE: "Site: Anna"}
    - name: a forged one
      connection: site
      file: forged.txt
      rejected: 401

    Exit status 1 if a case fails, 2 if one can't be read.
    """
    from hub.cli.trial import make_bench

    cases = list(read_cases(folder))
    if not cases:
        raise InputError(f"there are no cases in {folder}: files ending in .yaml or .case.json")
    for case in cases:
        app.connection(case.said["connection"])
    bench = make_bench(app)
    failed, told = 0, []
    for case in cases:
        differences = run_case(bench, case)
        failed += bool(differences)
        told.append({"file": case.place, "name": case.name, "ok": not differences, "differences": differences})
        if not as_json:
            mark = coloured("problem", "✗") if differences else coloured("ok", "✓")
            output.echo(f"{mark} {case.name} {dim(case.place)}")
            for line in differences:
                output.echo(f"    {line}")
    if as_json:
        output.print_json(told)
    else:
        output.echo(f"{len(cases) - failed} of {len(cases)} cases hold")
    if failed:
        raise click.exceptions.Exit(1)


# --- reading -------------------------------------------------------------------------------------


def read_cases(folder: Path) -> Iterator[Case]:
    """Yield all cases of a folder, file by file; raises InputError with every problem found."""
    problems: list[str] = []
    for file in sorted(folder.rglob("*")):
        if not (file.suffix in (".yaml", ".yml") or file.name.endswith(".case.json")) or not file.is_file():
            continue
        try:
            text = file.read_text("utf-8")
            # Every scalar is text, as in hub.yaml: a phone keeps its zero.
            said = json.loads(text) if file.suffix == ".json" else yaml.load(text, yaml.BaseLoader)  # noqa: S506
        except (OSError, ValueError, yaml.YAMLError) as error:
            problems.append(f"{file}: can't be read: {' '.join(str(error).split())[:200]}")
            continue
        for number, one in enumerate(said if isinstance(said, list) else [said]):
            case = Case(f"{file.relative_to(folder)}[{number}]", file.parent, one)
            wrong = list(_problems(case))
            problems += wrong
            if not wrong:
                yield case
    if problems:
        raise InputError("\n".join(problems))


def _problems(case: Case) -> Iterator[str]:
    from hub.config.problems import guess

    said = case.said
    if not isinstance(said, dict):
        yield f"{case.place}: a case is a mapping with connection, file or event, and expect"
        return
    for key in said:
        if key not in _KEYS:
            yield f'{case.place}: there is no "{key}" in a case.{guess(str(key), _KEYS)}'
    if not isinstance(said.get("connection"), str):
        yield f"{case.place}: say which connection it comes in at"
    if ("file" in said) == ("event" in said):
        yield f"{case.place}: give either a file or an event"
    if "file" in said and not (case.folder / str(said["file"])).is_file():
        yield f"{case.place}: there is no file {case.folder / str(said['file'])}"
    if ("expect" in said) == ("rejected" in said):
        yield f"{case.place}: say either what to expect or with which status it is rejected"
    yield from _shape(case, said)


def _shape(case: Case, said: Mapping[str, Any]) -> Iterator[str]:
    event = said.get("event", {})
    if not isinstance(event, dict) or set(event) - set(_EVENT_KEYS) or ("event" in said and "type" not in event):
        yield f"{case.place}: an event has type and any of {', '.join(_EVENT_KEYS[1:])}"
    expect = said.get("expect") or []
    if not isinstance(expect, list) or any(
        not isinstance(one, dict) or "do" not in one or set(one) - set(_EXPECT_KEYS) for one in expect
    ):
        yield f"{case.place}: expect is a list of {{do, route, values}}; [] means that nothing may go out"


# --- running -------------------------------------------------------------------------------------


def run_case(bench: Bench, case: Case) -> list[str]:
    """Return how what happens differs from what the case expects; nothing if it holds."""
    said = case.said
    name = said["connection"]
    if "event" in said:
        return _compare(bench.plan(_event(name, said["event"])), said.get("expect") or [])
    trial = _request(bench, case)
    if trial.rejected is not None:
        told = f"{trial.rejected.status} ({trial.rejected.reason})"
        if "rejected" not in said:
            return [f"turned away with {told}"]
        return [] if str(trial.rejected.status) == str(said["rejected"]) else [f"turned away with {told}"]
    if "rejected" in said:
        return [f"not turned away, but expected {said['rejected']}"]
    if trial.unreadable:
        return [trial.unreadable]
    return _compare(trial.plan, said["expect"] or [])


def _request(bench: Bench, case: Case) -> Any:
    from urllib.parse import parse_qsl

    from hub.request_file import request_from_file

    said = case.said
    request = request_from_file(
        case.folder / str(said["file"]),
        said["connection"],
        method=str(said.get("method", "")).upper(),
        headers=said.get("headers") or {},
        query=parse_qsl(str(said.get("query", "")), keep_blank_values=True),
        content_types=bench.connector(said["connection"]).content_types,
    )
    unsigned = str(said.get("unsigned", "no")).lower() in ("yes", "true")
    return bench.run(said["connection"], request, file=str(said["file"]), unsigned=unsigned)


def _event(connection: str, said: Mapping[str, Any]) -> Any:
    from hub.model import Event
    from hub.paths import instant

    kind = str(said["type"]).partition(".")[0]
    return Event(
        type=said["type"], subject=said.get("subject", f"{kind}:1"), key=said.get("key", "case"),
        record=dict(said.get("record") or {}), text=said.get("text", ""), title=said.get("title", ""),
        channel=said.get("channel", ""), by=said.get("by", ""), was=dict(said.get("was") or {}),
        occurred_at=instant(said.get("at"), dt.UTC), connection=connection,
    )  # fmt: skip


def _compare(plan: list[PlanRow], expect: list[Mapping[str, Any]]) -> list[str]:
    going = [row for row in plan if row.outcome == "would run" and "." in row.do]
    differences: list[str] = []
    for number, wanted in enumerate(expect):
        row = going[number] if number < len(going) else None
        if row is None:
            differences.append(f"expected {wanted['do']}, but nothing {'more ' if going else ''}goes out")
        elif row.do != wanted["do"] or row.route != wanted.get("route", row.route):
            differences.append(
                f"expected {_called(wanted['do'], wanted.get('route'))}, got {_called(row.do, row.route)}"
                f"{_meant(wanted, going)}"
            )
        else:
            differences += _values(row, wanted.get("values") or {})
    differences += [f"not expected: {_called(row.do, row.route)}" for row in going[len(expect) :]]
    if differences:
        differences += [
            f'route "{row.route}" {row.outcome}: {row.skipped_because}' for row in plan if row.skipped_because
        ]  # fmt: skip
    return differences


def _called(do: str, route: str | None) -> str:
    return f'{do} of route "{route}"' if route else do


def _meant(wanted: Mapping[str, Any], going: list[PlanRow]) -> str:
    """Return a guess where an action or a route is written as no call of the plan has it."""
    from hub.config.problems import guess

    acts, routes = [row.do for row in going], [row.route for row in going]
    hint = guess(str(wanted["do"]), acts) if wanted["do"] not in acts else ""
    named = wanted.get("route")
    hint += guess(str(named), routes) if named is not None and named not in routes else ""
    return f".{hint}" if hint else ""


def _values(row: PlanRow, wanted: Mapping[str, Any]) -> list[str]:
    from hub.config.problems import guess

    codes = {word: code for code, word in row.words.items()}
    found = []
    for name, value in wanted.items():
        have, said = row.values.get(codes.get(name, name)), row.said.get(name)
        if _same(have, value) or (isinstance(value, str) and (_same(have, codes.get(value)) or said == value)):
            continue
        if have is None:
            got, hint = "left out", guess(name, [*row.values, *codes])
        else:
            got, hint = short(have), guess(str(value), [said]) if said else ""
        found.append(f"{row.do}: {name} is {got}, expected {short(value)}" + (f".{hint}" if hint else ""))
    return found


def _same(have: Any, wanted: Any) -> bool:
    from hub.paths import text

    if isinstance(wanted, dict):
        return isinstance(have, Mapping) and all(_same(have.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(have, (list, tuple))
            and len(have) == len(wanted)
            and all(_same(a, b) for a, b in zip(have, wanted, strict=True))
        )
    return have is not None and text(have) == text(wanted)
