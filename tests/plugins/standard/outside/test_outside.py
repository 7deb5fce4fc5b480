"""Libraries nobody here wrote sign for the hub's door and the stand-in, and read what the hub has signed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.model import Action
from hub.testing import build
from plugins.standard.connector import StandardConnector
from plugins.standard.sandbox import SECRET, StandardSandbox
from tests.company import Company
from tests.outside import Drive

pytestmark = pytest.mark.outside

STRANGER = "whsec_c3RyYW5nZXItc2VjcmV0LW9mLXRoZS10ZXN0cw=="
CLIENTS = ["svix", "standardwebhooks", "npm-svix", "npm-standardwebhooks"]
YAML = f"""
hub: {{timezone: Europe/Kyiv, region: UA, unrouted: ignore}}
connections:
  supplier: {{plugin: standard, secrets: ["{SECRET}"], event: lead.received, read: {{contact.name: name}}}}
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Company]:
    stand = StandardSandbox().start()
    made = Company(tmp_path, YAML, [stand])
    made.work()
    yield made
    made.close()


def body(number: int) -> str:
    return json.dumps({"name": "Олена", "n": number, "s": 'a/b \u2028 "c"'}, ensure_ascii=False)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_others_sign_is_let_in(drive: Drive, hub: Company, client: str) -> None:
    door, stand = f"{hub.url}/in/supplier", hub.stands[0]
    send = [[door, "msg_1", body(1)], [door, "msg_1", body(1)], [door, "msg_2", body(2)], [stand.url, "m", body(3)]]
    told = drive(client, {"secret": SECRET, "send": send, "read": []})
    assert told["sent"] == [200] * 4
    hub.settle()
    assert hub.rows("SELECT type FROM event ORDER BY id") == [("lead.received",)] * 2  # msg_1 came twice
    [got] = stand.sandbox.data["received"]
    assert (got["signature"], json.loads(got["body"])["name"]) == ("valid", "Олена")
    told = drive(
        client, {"secret": STRANGER, "send": [[door, "msg_3", body(3)], [stand.url, "m2", body(3)]], "read": []}
    )
    assert told["sent"] == [401, 200]
    assert stand.sandbox.data["received"][1]["signature"] == "No matching signature found"


@pytest.mark.parametrize("client", CLIENTS)
def test_others_take_what_the_hub_signs(drive: Drive, client: str) -> None:
    with StandardSandbox().start() as stand:
        partner = build(StandardConnector, {"secrets": [SECRET, STRANGER], "base_url": stand.url})
        for values in ({"type": "deal.updated", "data": {"name": "Олена", "n": "1"}}, {"type": "x"}):
            partner.perform(Action("event.send", "event", "send", values, marker=f"hub-{values['type']}"))
        seen: list[dict[str, Any]] = stand.sandbox.data["received"]
    sent = [{"headers": one["headers"], "body": base64.b64encode(one["body"].encode()).decode()} for one in seen]
    other = {**sent[0], "body": base64.b64encode(seen[0]["body"].replace("Олена", "Ольга").encode()).decode()}
    first, second, forged = drive(client, {"secret": SECRET, "send": [], "read": [*sent, other]})["read"]
    assert (first["type"], first["data"]) == ("deal.updated", {"name": "Олена", "n": "1"})
    assert second["type"] == "x"
    assert forged.startswith("refused: ")
