"""What an account is made of, for the hub to notice what was deleted, renamed or given another type.

A custom field may be written by its id or by its code: both are told, so that a code somebody changed is missed.
https://developers.kommo.com/reference/custom-fields, https://developers.kommo.com/reference/leads-pipelines,
https://developers.kommo.com/reference/users-list
"""

from __future__ import annotations

from hub.connector import Named
from hub.errors import Refused
from plugins.amocrm import codes
from plugins.amocrm.directory import Directory

_KINDS = ("deal", "contact", "company")
#: the records' own fields that hold a user's id
_OF_USERS = ("responsible_user_id", "created_by", "updated_by")


def inventory(directory: Directory) -> list[Named]:
    """Return custom fields, stages, pipelines and users; users are left out where the right is missing."""
    found = [
        Named("field", spelling, one.name, kind, one.type)
        for kind in _KINDS
        for spelling, one in directory.fields(kind).items()
        if spelling != codes.MARKER
    ]
    found += [Named("field", name, name, kind, "user") for kind in _KINDS for name in _OF_USERS]
    pipelines: dict[str, str] = {}
    for stage in directory.stages().values():
        pipelines[stage.pipeline] = stage.pipeline_name
        found.append(Named("stage", stage.code, stage.name, "deal", pipeline=stage.pipeline))
    found += [Named("pipeline", code, name, "deal") for code, name in pipelines.items()]
    try:
        people = directory.users()
    except Refused:
        return found
    rows = {str(row.get("id")): str(row.get("name") or "") for row in people.values()}
    return found + [Named("user", code, name) for code, name in rows.items()]
