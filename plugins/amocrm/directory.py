"""What the account is made of: custom fields, pipelines with their stages, users. Asked for and kept ten minutes."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import Refused
from plugins.amocrm import codes
from plugins.amocrm.client import Client
from plugins.amocrm.values import Field, described

#: seconds an answer is good for; administrators rename and delete things meanwhile, so a refusal forgets it
KEPT = 600.0


@dataclass(frozen=True)
class Stage:
    """A stage of a pipeline; its code is the pair, since 142 and 143 are the same in all pipelines."""

    pipeline: str
    id: str
    name: str
    pipeline_name: str
    sort: int
    unsorted: bool

    @property
    def code(self) -> str:
        """`7100001/142`."""
        return f"{self.pipeline}/{self.id}"

    @property
    def closed(self) -> bool:
        """Won or lost."""
        return self.id in codes.CLOSED


class Directory:
    """Answers about one account; shared by the threads of a worker."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._kept: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def _ask(self, name: str, fetch: Callable[[], Any]) -> Any:
        until, kept = self._kept.get(name, (0.0, None))
        if until > self._clock():
            return kept
        with self._lock:  # several threads that miss together ask once
            until, kept = self._kept.get(name, (0.0, None))
            if until <= self._clock():
                kept = fetch()
                self._kept[name] = (self._clock() + KEPT, kept)
            return kept

    def forget(self) -> None:
        """Ask anew next time: the vendor has just said that something isn't as it was."""
        self._kept.clear()

    # --- fields ----------------------------------------------------------------------------------

    def fields(self, kind: str, catalog: str = "") -> Mapping[str, Field]:
        """Return the custom fields of a kind of record by id and by code."""
        path = f"catalogs/{catalog}/custom_fields" if catalog else f"{codes.ENTITIES[kind].path}/custom_fields"

        def fetch() -> dict[str, Field]:
            found = [described(row) for row in self._client.rows(path, limit=5000)]
            return {name: one for one in found for name in one.spellings}

        return self._ask(f"fields:{path}", fetch)

    def field(self, kind: str, name: str, catalog: str = "") -> Field:
        """Return one field; raises `Refused` with the nearest guess where there is none."""
        known = self.fields(kind, catalog)
        if name in known:
            return known[name]
        own = codes.ENTITIES[kind].fields if kind in codes.ENTITIES else ()
        words = {one.name: one.id for one in known.values()}
        near = difflib.get_close_matches(name, [*words, *known, *own], 1, 0.6)
        hint = f". Did you mean {near[0]}?" if near else ""
        hint += f" (its id is {words[near[0]]})" if near and near[0] in words else ""
        raise Refused(f"{kind}s have no field {name!r}{hint}; `hub names` prints those there are", {name: "unknown"})

    def marked(self, kind: str) -> bool:
        """Tell whether this kind of record has the field for the hub's marker."""
        return codes.MARKER in self.fields(kind)

    # --- pipelines -------------------------------------------------------------------------------

    def stages(self) -> Mapping[str, Stage]:
        """Return all stages by their pair, pipeline by pipeline, in the board's order."""

        def fetch() -> dict[str, Stage]:
            found = []
            for pipeline in self._client.rows("leads/pipelines", limit=1000):
                held = pipeline.get("_embedded")
                rows = held.get("statuses") if isinstance(held, Mapping) else None
                for row in rows if isinstance(rows, list) else []:
                    found.append(_stage(pipeline, row))
            return {one.code: one for one in sorted(found, key=lambda one: (one.pipeline, one.sort))}

        return self._ask("stages", fetch)

    def stage(self, code: str) -> Stage:
        """Return a stage by its pair, or by its id alone where one pipeline alone has it; `Refused` otherwise."""
        known = self.stages()
        if code in known:
            return known[code]
        fitting = [one for one in known.values() if one.id == code]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            pairs = ", ".join(one.code for one in fitting[:6])
            raise Refused(f"stage {code} stands in several pipelines: write one of {pairs}")
        near = difflib.get_close_matches(code, list(known), 1, 0.7)
        hint = f"did you mean {near[0]}?" if near else "a stage is written pipeline/status: 7100001/142"
        raise Refused(f"there is no stage {code!r}; {hint}")

    def order(self, code: str) -> list[str]:
        """Return the stages of one pipeline in the board's order."""
        pipeline = code.partition("/")[0]
        return [one.code for one in self.stages().values() if one.pipeline == pipeline]

    # --- users, account --------------------------------------------------------------------------

    def users(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the users by id, and by their id in the Chats API."""

        def fetch() -> dict[str, Mapping[str, Any]]:
            rows = self._client.rows("users", {"with": "amojo_id,group,role"}, limit=5000)
            return {str(row[key]): row for row in rows for key in ("amojo_id", "id") if row.get(key)}

        return self._ask("users", fetch)

    def account(self) -> Mapping[str, Any]:
        """Return the account, with its id in the Chats API."""
        found = self._ask("account", lambda: self._client.get("account", {"with": "amojo_id,version,task_types"}))
        return found if isinstance(found, Mapping) else {}


def _stage(pipeline: Mapping[str, Any], row: Mapping[str, Any]) -> Stage:
    sort = row.get("sort")
    return Stage(
        str(pipeline.get("id")), str(row.get("id")), str(row.get("name") or ""), str(pipeline.get("name") or ""),
        int(sort) if isinstance(sort, int) else 0, row.get("type") == codes.UNSORTED_STAGE,
    )  # fmt: skip
