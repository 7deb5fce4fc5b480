"""What routes name of the portal, held against the portal: does each field and stage exist, is the pipeline right?

Pure. Bitrix24 ignores fields it doesn't know when a record is written (crm.deal.add and its likes answer as if all was
well), so nobody else would tell.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hub.connector import Mention
from hub.model import Finding
from plugins.bitrix24 import codes

#: what crm.<kind>.add takes beside the fields that crm.<kind>.fields lists (the pages of those methods)
_TAKEN = {
    "lead": frozenset({"CONTACT_IDS"}),
    "deal": frozenset({"CONTACT_IDS"}),
    "contact": frozenset({"COMPANY_IDS", "TRACE"}),
    "company": frozenset({"TRACE"}),
}
#: how alike two codes must be to be taken for a slip of the pen (0 to 1)
_NEAR = 0.7
_PREFIXES = "!=<>@%"
_ALL = "`hub names` prints those there are"


def guess(code: str, known: Iterable[str], words: Mapping[str, str] | None = None) -> str:
    """Return a remedy: the nearest of the known codes, with the word hub.yaml has for it (words: word -> code)."""
    named = {codes.plain_stage(one) for one in (words or {}).values()}
    order = sorted(known, key=lambda one: one not in named)  # of two as near, the one that hub.yaml knows
    like = {one: difflib.SequenceMatcher(None, one, code).ratio() for one in order}
    near = max(like, key=lambda one: like[one], default="")
    if not near or like[near] < _NEAR:
        return _ALL
    return f"did you mean {worded(near, words or {})}? `hub names` prints them all"


def worded(code: str, words: Mapping[str, str]) -> str:
    """Return `C5:WON (names: shop_won)`, or the code alone where hub.yaml has no word for it."""
    word = next((word for word, known in words.items() if codes.plain_stage(known) == code), "")
    return f"{code} (names: {word})" if word else code


def _pipeline_of(stage: str) -> str:
    """Return a deal's pipeline, for an item its kind and pipeline: `C5:NEW` -> `5`, `DT177_7:NEW` -> `177_7`."""
    item = re.match(r"DT(\d+_\d+):", stage)
    return item[1] if item else codes.pipeline_of(stage)


class Mentioned:
    """One portal's fields and stages, to hold mentions against.

    fields: record -> field -> description. stages: rows of crm.status.list. names: those of the connection.
    """

    def __init__(
        self,
        fields: Mapping[str, Mapping[str, Any]],
        stages: Iterable[Mapping[str, Any]],
        names: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._fields, self._words = fields, names
        self._stages: dict[str, list[str]] = {}
        for row in stages:
            if record := codes.record_of_directory(str(row.get("ENTITY_ID"))):
                self._stages.setdefault(record, []).append(str(row["STATUS_ID"]))

    def findings(self, mentions: Iterable[Mention]) -> list[Finding]:
        """Return what is wrong with them, each text beginning with the place in hub.yaml.

        Two stages that are all a route names, of two pipelines, are one mistake: the later one is told, as a rule the
        one that is written.
        """
        judge = {"field": self._field, "stage": self._stage}
        found: dict[Any, Finding] = {}
        for one in mentions:
            if one.kind not in judge or (told := judge[one.kind](one)) is None:
                continue
            route = (one.record, frozenset({one.code, *one.beside})) if told.level == "warning" else told
            found.pop(route, None)
            found[route] = told
        return list(found.values())

    def _field(self, mention: Mention) -> Finding | None:
        record, code = mention.record, mention.code.lstrip(_PREFIXES)
        known = self._fields.get(record)
        if known is None or code in known or code in _TAKEN.get(record, ()):
            return None
        words = self._words.get("fields", {})
        homes = [other for other, rows in self._fields.items() if code in rows]
        elsewhere = f" (it is one of {' and '.join(homes)})" if homes else ""
        text = f"{mention.place}: {record} has no field {worded(code, words)}{elsewhere}: what is written is lost"
        return Finding("problem", text, guess(code, known, words))

    def _stage(self, mention: Mention) -> Finding | None:
        record, code = mention.record, codes.plain_stage(mention.code)
        known = self._stages.get(record)
        if not known:
            return None
        words = self._words.get("stages", {})
        if code not in known:
            homes = [other for other, codes_ in self._stages.items() if code in codes_]
            elsewhere = f" (it is one of a {homes[0]})" if homes else ""
            text = f"{mention.place}: there is no stage {worded(code, words)} of a {record}{elsewhere}"
            return Finding("problem", text, guess(code, known, words))
        return self._pipeline(mention, code, known) if record != "lead" else None

    def _pipeline(self, mention: Mention, code: str, known: list[str]) -> Finding | None:
        """Tell a stage of another pipeline than all stages beside it."""
        beside = [stage for one in mention.beside if (stage := codes.plain_stage(one)) in known and stage != code]
        theirs, ours = list(dict.fromkeys(map(_pipeline_of, beside))), _pipeline_of(code)
        if not theirs or ours in theirs:
            return None
        where = f"pipeline{'s' if len(theirs) > 1 else ''} {' and '.join(theirs)}"
        tail = code.rpartition(":")[2]
        meant = [stage for stage in known if _pipeline_of(stage) in theirs and stage.rpartition(":")[2] == tail]
        words = self._words.get("stages", {})
        text = (
            f"{mention.place}: {worded(code, words)} is the stage of pipeline {ours}; "
            f"the {mention.record}s this route meets are in {where}"
        )
        remedy = " or ".join(worded(stage, words) for stage in meant)
        moved = f"nothing to do if a move to pipeline {ours} is meant"
        return Finding("warning", text, f"did you mean {remedy}? {moved}" if meant else moved)
