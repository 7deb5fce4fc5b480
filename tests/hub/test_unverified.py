"""What anybody can write changes nothing about whom it names, in the CRM either."""

from __future__ import annotations

from pathlib import Path

from tests.hub.fakes import PLUGINS, WORLDS, Box
from tests.hub.mergers import Mergers
from tests.hub.test_people_routes import YAML, by_mail


def test_what_an_unverified_form_says_stands_on_no_card(tmp_path: Path) -> None:
    """The request hangs on the card of the phone's owner; the card stays as it is."""
    box = Box(tmp_path, YAML.replace("people:\n", "people:\n  unverified: [site]\n"), plugins=(*PLUGINS, Mergers))
    box.start()
    try:
        crm = WORLDS["crm"]
        crm.records["contact", "90"] = {"id": "90", "phone": "+380671112233", "name": "Anna"}
        box.send(by_mail("mallory@i.ua", "+380671112233"))
        box.settle()
        assert [lead["contact"] for lead in crm.of("lead")] == ["90"]
        assert not [act for act in crm.acts if act[:2] == ("update", "contact")]
        box.send(by_mail("other@i.ua", "+380671112233"))
        box.settle()
        assert [lead["contact"] for lead in crm.of("lead")] == ["90", "90"]
        assert crm.of("contact") == [{"id": "90", "phone": "+380671112233", "name": "Anna"}]
    finally:
        box.close()
