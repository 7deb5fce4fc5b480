"""What a moment of the quest company's day can do: calls, Instagram, the account, letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub import normal
from hub.demo import clock
from hub.demo.letters import Letter, Person
from hub.demo.quest_rooms import cast
from hub.demo.quest_rooms.cast import Follower
from hub.demo.world import World

if TYPE_CHECKING:
    from plugins.amocrm.sandbox import AmoCrmSandbox
    from plugins.calltouch.sandbox import CalltouchSandbox
    from plugins.instagram.sandbox import InstagramSandbox
    from plugins.unisender.sandbox import UnisenderSandbox

#: colleagues by their number at amoCRM, and as Calltouch calls them
BOSS, ADMIN_1, ADMIN_2 = 3000001, 3000002, 3000003
NAMES = {ADMIN_1: "Администратор 1", ADMIN_2: "Администратор 2"}
#: fields of the recipe
FIELDS = {
    "quest": 601002, "channel": 601004, "utm_source": 601005, "utm_campaign": 601006, "ct_call": 601007,
    "ct_request": 601008, "ct_session": 601009, "bounced": 602001, "unsubscribed": 602002,
}  # fmt: skip
LIST = "19000001"
EMAIL, PHONE = "EMAIL", "PHONE"


def field(row: Mapping[str, Any], wanted: int | str) -> Any:
    """Return the first value of a custom field, by its number or code; "" where it has none."""
    for one in row["custom_fields_values"] or []:
        if wanted in (one["field_id"], one.get("field_code")):
            return one["values"][0]["value"]
    return ""


class Rooms(World):
    """An account, a cabinet of calls, an Instagram account, a mailing service."""

    crm: AmoCrmSandbox
    calls: CalltouchSandbox
    insta: InstagramSandbox
    letters: UnisenderSandbox

    def __post_init__(self) -> None:
        super().__post_init__()
        self.crm, self.calls, self.insta, self.letters = (
            self.stands[name] for name in ("crm", "calls", "insta", "letters")
        )
        #: webhooks that were sent beside those the stand-ins count
        self.told = {"answers": 0, "copies": 0}

    def listen(self) -> None:
        """Register at the vendors as `hub connect` does; where that takes a page of theirs, do what a person does."""
        for name in ("crm", "insta", "letters"):
            self.connect(name)
        self.control(self.crm, "chat/channel", url=f"{self.url}/in/crm/scope")
        self.control(self.insta, "handler", url=f"{self.url}/in/insta")
        self.control(self.calls, "hooks", url=f"{self.url}/in/calls/{self.secrets['calls']}")

    def on_its_way(self) -> bool:
        """Return whether the account or Instagram has webhooks under way; the others send theirs before they answer."""
        with self.insta.lock:
            queued = any(one["status"] == "queued" for one in self.insta.webhooks)
        return queued or not self.crm.wait_hooks(0)

    # --- who calls and writes -------------------------------------------------------------------

    def call(self, person: Person, **more: Any) -> None:
        """Somebody calls."""
        record = self.calls.call(person.phone.lstrip("+"), **more)
        self.notes.setdefault("calls", {})[person.name] = record

    def fill(self, person: Person, **more: Any) -> None:
        """Somebody fills in a form of Calltouch's."""
        record = self.calls.fill(person.phone.lstrip("+"), name=person.name, email=person.email, **more)
        self.notes.setdefault("requests", {})[person.name] = record

    def write(self, person: Follower, text: str) -> None:
        """Somebody writes on Instagram."""
        self._known(person)
        self.insta.write(person.id, text)

    def comment(self, person: Follower, text: str) -> None:
        """Somebody comments one of our posts."""
        self._known(person)
        self.insta.comment(person.id, text)

    def from_an_ad(self, person: Follower) -> None:
        """Somebody writes from an advertisement, as recorded."""
        self._known(person)
        self.insta.write(person.id, **cast.from_an_ad())

    def _known(self, person: Follower) -> None:
        self.insta.world.people[person.id] = {"name": person.name, "username": person.handle}

    @property
    def app_secret(self) -> str:
        """The secret by which Instagram signs."""
        return self.insta.credentials()["app_secret"]

    # --- the account ----------------------------------------------------------------------------

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return the account's records of a kind."""
        with self.crm.lock:
            return [dict(row) for row in self.crm.world.records[kind].values()]

    def is_of(self, contact: Mapping[str, Any], person: Person) -> bool:
        """Return whether a contact is this person's: by phone, on Instagram by the name."""
        if isinstance(person, Follower):
            return contact["name"] in person.names
        return normal.phone(str(field(contact, PHONE)), "RU") == person.phone

    def deal_of(self, person: Person) -> dict[str, Any]:
        """Return the person's deal."""
        mine = {row["id"] for row in self.rows("contacts") if self.is_of(row, person)}
        for row in self.rows("leads"):
            with self.crm.lock:
                linked = {one["id"] for one in self.crm.world.linked("leads", row["id"], "contacts")}
            if linked & mine:
                return row
        raise clock.NotQuiet(f"{person.name} has no deal yet")

    def move(self, person: Person, stage: str, **more: Any) -> None:
        """A colleague moves a deal, and changes what else is named."""
        code = next(code for code, word in self.stages.items() if word == stage)
        pipeline, _, status = code.partition("/")
        body = {"pipeline_id": int(pipeline), "status_id": int(status), **more}
        self.crm.act("PATCH", f"leads/{self.deal_of(person)['id']}", body, ADMIN_2)

    def answer(self, person: Follower, text: str, user: int = ADMIN_1) -> None:
        """A colleague answers in the account's chat: the channel is told, and so are the account's webhooks."""
        deal = self.deal_of(person)
        self.control(self.crm, "chat/answer", conversation=person.id, text=text, user=user)
        self.told["answers"] += 1
        with self.crm.lock:
            said = self.crm.amojo.messages[-1]
            author = next(one for one in self.crm.world.users if one["id"] == user)
            contacts = self.crm.world.linked("leads", deal["id"], "contacts")
        message = {
            "id": said["id"], "chat_id": said["chat"], "text": text, "created_at": self.crm.world.now(),
            "contact_id": contacts[0]["id"], "entity_type": "lead", "entity_id": deal["id"], "element_type": 2,
            "element_id": deal["id"], "author": {"id": author["amojo_id"], "type": "internal", "name": author["name"]},
        }  # fmt: skip
        self.crm.hooks.tell("outgoing_message", "add", [message])

    # --- letters --------------------------------------------------------------------------------

    def letter_status(self, person: Person, status: str) -> None:
        """A letter gets on: delivered, opened, bounced."""
        number = next(id for id, one in self.letters.world.letters.items() if one["email"] == person.email)
        self.control(self.letters, f"letters/{number}/status", status=status)

    def leaves(self, person: Person) -> None:
        """Somebody unsubscribes."""
        self.control(self.letters, "leave", email=person.email)

    def repeated_bounce(self, person: Person, times: int) -> None:
        """Unisender missed our answer to a bounce: it tells it again, with another count and another signature."""
        number = next(int(id) for id, one in self.letters.world.letters.items() if one["email"] == person.email)
        data = {"email": person.email, "status": "err_user_unknown", "email_id": number}
        event = {"event_name": "email_status", "event_time": self.letters.world.now(), "event_data": data}
        for retry in range(times + 1):
            body = cast.unisender(event, retry)
            letter = Letter("letters", "a bounce", body, "application/json")
            self.send(letter, kind="same again" if retry else "new")
