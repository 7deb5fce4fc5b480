"""Mistakes that YAML itself stumbles over, said in the words of somebody who only wants the file read."""

from __future__ import annotations

import re

import yaml

from hub.config.problems import Log


class Braces(yaml.YAMLError):
    """A mapping stands where a key should: `{{ }}` without quotes. `line` counts from 0."""

    def __init__(self, line: int) -> None:
        super().__init__("a mapping can't be a key")
        self.line = line


_COMPARE = {">=": "at_least", "<=": "at_most", ">": "above", "<": "below"}
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
#: a value between brackets that has a ": " of its own
_SECOND = re.compile(r"[{,]\s*(?P<key>[\w.-]+):\s+(?P<value>[^,{}\[\]\"']*?:\s[^,{}\[\]]*)")
_TRAPS = (
    ("template", re.compile(r"(?P<head>[:\-,\[{]\s+)(?P<bad>\{\{.*?\}\}(?:[^,{}\]\n]|\{\{.*?\}\})*)")),
    ("star", re.compile(r"(?P<head>(?:[:\-,]\s+|\[\s*))(?P<bad>\*\.?[\w.*]*\.[\w.*]+)")),
    ("variable", re.compile(r"(?P<head>[:\-,\[]\s+)(?P<bad>\$\{\w+\})")),
    ("compare", re.compile(r"(?P<head>[:\-,\[]\s+)(?P<bad>(?P<sign>>=|<=|>|<)\s*(?P<than>[^\s,\]}]+))")),
    ("comment", re.compile(r"(?P<head>\s)(?P<bad>#(?P<lost>\S[^}\]]*))")),
    ("tag", re.compile(r"(?P<head>(?:[:\-,]\s+|\[\s*))(?P<bad>!(?P<word>[\w.]+))(?=[,}\]])")),
    ("sign", re.compile(r"(?P<head>(?:[:\-,]\s+|\[\s*))(?P<bad>[@`%][^,\]}\n]*)")),
)


def mend(text: str, error: yaml.YAMLError, file: str, log: Log) -> str | None:
    """Report a syntax error in our words; return the text with that line mended, or None if nobody knows how."""
    if isinstance(error, Braces):
        lines = text.split("\n")
        found = _trap(lines[error.line])
        if found is None:
            right = _open_braces(lines[error.line]) or (
                'a mapping can\'t be a key; text with {{ }} needs quotes: "{{ form.name }}"'
            )
            log.add(file, error.line + 1, "", right)
            return None
        log.add(file, error.line + 1, "", found[0])
        lines[error.line] = found[1]
        return "\n".join(lines)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position if isinstance(position, int) else 0) + 1
        log.add(file, line, "", "there is a character that can't stand in a text file; save it as plain UTF-8")
        return None
    lines = text.split("\n")
    context = getattr(error, "context_mark", None)
    places = [mark.line, mark.line - 1, *([context.line] if context else [])]
    for place in dict.fromkeys(places):
        if 0 <= place < len(lines) and (found := _trap(lines[place])) is not None:
            message, lines[place] = found
            log.add(file, place + 1, "", message)
            return "\n".join(lines)
    line, message = _Stumble(lines, error).told()
    log.add(file, line + 1, "", message)
    return None


def _trap(line: str) -> tuple[str, str] | None:
    hidden = _QUOTED.sub(lambda match: "\0" * len(match.group()), line)
    for kind, pattern in _TRAPS:
        match = pattern.search(hidden)
        if match is None:
            continue
        start, end = match.span("bad")
        bad = line[start:end].rstrip()
        mended = line[:start] + "'" + bad.replace("'", "''") + "'" + line[start + len(bad) :]
        if kind == "template":
            whole = re.match(r"(?P<key>\s*(?:- )?(?P<name>[\w.]+):\s+)(?P<value>[^\s\[{'\"][^#]*?)\s*$", line)
            if whole is not None:  # the text begins before the braces: all of it needs the quotes
                right = whole["value"].replace("'", "''")
                return (
                    f'text with {{{{ }}}} needs quotes: {whole["name"]}: "{whole["value"]}"',
                    f"{whole['key']}'{right}'",
                )
            owner = re.search(r"([\w.]+):\s*$", line[:start])
            return f'text with {{{{ }}}} needs quotes: {(owner[1] + ": ") if owner else ""}"{bad}"', mended
        if kind == "star":
            return f'quote "{bad}"', mended
        if kind == "tag":
            word = match["word"]
            return f"tags (!{word}) mean nothing here; write {{not: {word}}}, or absent for !present", mended
        if kind == "compare":
            right = f"{_COMPARE[match['sign']]}: {match['than']}"
            return f"use {right}", line[:start] + "{" + right + "}" + line[start + len(bad) :]
        if kind == "comment":
            lost = line[match.start("lost") : end].strip()
            return f'everything after " #" is lost as a comment ("{lost}"). Quote the text.', line[:start] + " " + line[
                start + 1 :
            ]
        return f'quote "{bad}"', mended
    return None


def _open_braces(line: str) -> str:
    """Return what to say of a line on which `{{` stands without quotes and without its end; "" if none does."""
    hidden = _QUOTED.sub("", line)
    if hidden.count("{{") <= hidden.count("}}"):
        return ""
    found = re.search(r"(?P<key>[\w.]+):\s+(?P<before>[^{\"']*)\{\{\s*(?P<path>[\w.]*)", hidden)
    example = f': {found["key"]}: "{found["before"]}{{{{ {found["path"]} }}}}"' if found else ""
    return '"{{" has no "}}" here, and such a text needs quotes' + example


class _Stumble:
    """An error of the YAML parser, with the lines it happened in. Lines count from 0."""

    def __init__(self, lines: list[str], error: yaml.YAMLError) -> None:
        self.lines = lines
        self.what = str(getattr(error, "problem", "") or error).split("\n")[0]
        self.context = str(getattr(error, "context", "") or "")
        mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        place = mark or begun
        assert place is not None
        self.at, self.column = place.line, place.column
        self.begun: int = begun.line if begun is not None else -1
        self.begun_column: int = begun.column if begun is not None else 0

    def told(self) -> tuple[int, str]:
        """Return the line to look at and what is wrong there."""
        what, line = self.what, self._line(self.at)
        if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in what:
            return self.at, "indent with spaces, not with tabs"
        if "undefined tag handle" in what:
            return self.at, 'tags (!x) mean nothing here; write the value without "!", or quote it'
        if "duplicate anchor" in what:
            return self.at, f"{what}; give each & its own name"
        if "expected alphabetic or numeric character" in what:
            return self.at, f"a text that begins with {self._sign()} needs quotes"
        if (open_quote := self._open_quote()) is not None:
            return open_quote
        if "flow" in self.context and self.begun >= 0:
            if braces := _open_braces(self._line(self.begun)):
                return self.begun, braces
            if found := _SECOND.search(_QUOTED.sub(lambda quoted: "x" * len(quoted.group()), line)):
                value = line[found.start("value") : found.end("value")].rstrip()
                return self.at, f'a second ": " in one value: quote the text after the first: {found["key"]}: "{value}"'
            bracket = self._line(self.begun)[self.begun_column : self.begun_column + 1]
            missing = {"[": "]", "{": "}"}.get(bracket, "")
            return (
                self.begun,
                f'the "{bracket}" here has no "{missing}": it is missing, or a text in between needs quotes',
            )
        if "mapping values are not allowed" in what:
            return self._without_space() or (self.at, self._second_colon(line))
        if "could not find expected ':'" in what:
            right = 'a key without ": " (or a line indented less than the text it belongs to)'
            return self._without_space() or (self.at, right)
        if "expected <block end>" in what or "did not find expected" in what:
            return self.at, self._indented(line)
        if "<stream end>" in what or "end of stream" in what:
            return self.at, "a bracket or a quote is opened above and not closed"
        return self.at, f"this can't be read here ({what}); a text with signs in it needs quotes"

    def _line(self, number: int) -> str:
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def _sign(self) -> str:
        """Return the sign a text begins with that YAML takes for one of its own."""
        found = re.search(r"[:\-,\[{]\s+([*&])", self._line(self.at))
        return f'"{found[1]}"' if found else "such a sign"

    def _open_quote(self) -> tuple[int, str] | None:
        """Return the line at or above the mistake where a quote begins that doesn't end there."""
        for number in range(max(0, self.begun), self.at + 1):
            rest = re.sub(r"(^|\s)#.*$", "", _QUOTED.sub("", self._line(number)))
            if found := re.search(r"(?:^|[:\-,\[{]\s*)([\"'])", rest):
                return number, f"the quote {found[1]} that begins here isn't closed on this line"
        return None

    def _second_colon(self, line: str) -> str:
        """Two keys in one line, or a line indented deeper than the key it stands beside."""
        found = re.match(r"^(\s*(?:- )*)([\w.-]+):\s+(\S.*:\s.*)$", line)
        if found is not None:
            return f'a second ": " in one line: quote the text after the first: {found[2]}: "{found[3].strip()}"'
        above = next((n for n in range(self.at - 1, -1, -1) if self._line(n).strip()), -1)
        if above >= 0 and _indent(self._line(above)) < _indent(line):
            return (
                f"this line is indented by {_spaces(line)}, line {above + 1} above it by {_spaces(self._line(above))} "
                "and has a value already: indent both the same"
            )
        return 'a second ": " in one line: quote the text after the first, or check the indentation'

    def _without_space(self) -> tuple[int, str] | None:
        """Return the line, here or just above, whose colon has no space behind it: YAML takes it for one word."""
        for number in range(self.at, max(-1, self.at - 4, self.begun - 1), -1):
            if found := re.match(r"^\s*(?:- )*([A-Za-z_][\w.-]*):[^\s/]", self._line(number)):
                return number, f'a space belongs behind the colon: "{found[1]}: ..."'
        return None

    def _indented(self, line: str) -> str:
        if self.what.endswith(("'?'", "'-'")) or (line.lstrip().startswith("- ") and self.what.endswith("entry>'")):
            return 'a list ("- ...") and keys ("key: ...") stand under one another here; it can only be one of the two'
        levels = self._levels()
        if levels and _indent(line) not in levels:
            *others, last = map(str, sorted(levels))
            right = f"{', '.join(others)} or {last}" if others else last
            return (
                f"this line is indented by {_spaces(line)}; what it may belong to above is by {right}: use one of these"
            )
        return "this line doesn't fit those above: its indentation differs, or a quote or bracket isn't closed there"

    def _levels(self) -> set[int]:
        """Return the indentations that are open above the mistake: of the line before, and of all it stands in."""
        found: set[int] = set()
        for number in range(self.at - 1, -1, -1):
            line = self._line(number)
            if line.strip() and not line.lstrip().startswith("#") and (not found or _indent(line) < min(found)):
                found.add(_indent(line))
        return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _spaces(line: str) -> str:
    count = _indent(line)
    return f"{count} space{'' if count == 1 else 's'}"
