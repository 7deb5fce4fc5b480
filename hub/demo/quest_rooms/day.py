"""The day, moment by moment. An act is a function of the Rooms; what must stand at its end is said before it."""

from __future__ import annotations

from typing import Any

from hub.demo.quest_rooms import cast
from hub.demo.quest_rooms.cast import Follower, Guest, elementor, page
from hub.demo.quest_rooms.world import ADMIN_1, ADMIN_2, NAMES, Rooms
from hub.demo.story import Act, Moment, passes, sends

# --- people -----------------------------------------------------------------------------------------------------------

ANNA, BORIS, VERA = Guest("Анна Белова", "11"), Guest("Борис Чехов", "12"), Guest("Вера Лисина", "13")
GLEB, DINA, IVAN = Guest("Глеб Орлов", "14"), Guest("Дина Ветрова", "15"), Guest("Иван Сомов", "16")
KIRA, LEV, MILA = Guest("Кира Жукова", "17"), Guest("Лев Соколов", "18"), Guest("Мила Дятлова", "19")
NINA = Guest("Нина Зайцева", "20")
EGOR, ZHANNA, ZOYA = Follower("Егор", "31"), Follower("Жанна", "32"), Follower("Зоя", "33")

GUESTS = (ANNA, BORIS, VERA, GLEB, DINA, IVAN, KIRA, LEV, MILA, NINA)
FOLLOWERS = (EGOR, ZHANNA, ZOYA)
PEOPLE = (*GUESTS, *FOLLOWERS)
#: where each deal must stand in the evening (our words for the stages), and its sum
ENDS = {
    ANNA: ("won", 3900),      # called in the morning, and paid
    BORIS: ("lost", 0),       # nobody took his call; then he filled in a form
    VERA: ("won", 5200),      # the booking page sent her form three times
    GLEB: ("played", 0),      # the letter to him bounced
    DINA: ("in_work", 0),     # a form of Calltouch's
    IVAN: ("won", 4500),      # wrote while the account was away; left the list afterwards
    KIRA: ("new", 0),         # called meanwhile
    LEV: ("played", 0),       # the answer to his deal got lost, and the one to his letter
    MILA: ("booked", 0),      # the hook of her call got lost
    NINA: ("new", 0),         # came when the account said: too many requests
    EGOR: ("booked", 0),      # wrote on Instagram
    ZHANNA: ("new", 0),       # commented
    ZOYA: ("in_work", 0),     # came from an advertisement
}  # fmt: skip
#: what must stand on the deal of where its guest came from
SOURCES: dict[Guest | Follower, dict[str, str]] = {
    ANNA: {"channel": "phone", "utm_source": "yandex", "utm_campaign": "spring"},
    BORIS: {"channel": "phone", "utm_source": "google", "utm_campaign": "brand"},
    VERA: {"channel": "form", "utm_source": "vk", "utm_campaign": "may", "ct_session": "400000777", "quest": "Замок"},
    GLEB: {"channel": "form", "utm_source": "yandex", "utm_campaign": "gift"},
    DINA: {"channel": "form", "utm_source": "yandex", "utm_campaign": "spring"},
    KIRA: {"channel": "phone"},
    MILA: {"channel": "phone", "utm_source": "yandex", "utm_campaign": "night"},
    EGOR: {"channel": "instagram"},
    ZHANNA: {"channel": "instagram"},
    ZOYA: {"channel": "instagram"},
}
#: whose call or request at Calltouch the deal must name, and at Calltouch be matched with
BY_CALL, BY_REQUEST = (ANNA, BORIS, KIRA, MILA), (DINA,)
#: asked again within the time in which it is one matter: one note each
ASKED_AGAIN = {BORIS: "Перезвоните", VERA: "+7", EGOR: "А на выходных?"}
#: who is responsible for a deal without a colleague having said so in the account: who took the call or answered first
RESPONSIBLE = {ANNA: ADMIN_1, EGOR: ADMIN_1, ZOYA: ADMIN_2}
#: what was said to whom on Instagram
ANSWERS = {EGOR: ["Здравствуйте! От 3900 за команду.", "На выходных свободно в 18:30."], ZOYA: ["5200 за шестерых."]}
#: what clients wrote there
WROTE = {EGOR: ["Сколько стоит «Побег»?", "А на выходных?"], ZOYA: ["How much is it?"]}
#: one letter each, and what it says of their quest
LETTERS = {VERA: "https://maps.example/zamok", GLEB: "", IVAN: "https://maps.example/pobeg", LEV: ""}
#: marks that come back to the contact
MARKS = {GLEB: "bounced", IVAN: "unsubscribed"}
#: came in while the account was away
IN_THE_OUTAGE = (IVAN, KIRA)


# --- acts -------------------------------------------------------------------------------------------------------------


def calls(person: Guest, by: int = 0, **more: Any) -> Act:
    """Somebody calls; `by` takes the call."""
    return lambda world: world.call(person, manager=NAMES.get(by), **more)


def asks(person: Guest, time: int, quest: str, words: str, **more: Any) -> Act:
    """Somebody fills in the booking page."""
    return lambda world: world.send(page(person, time, quest, words, **more))


def again_and_again(person: Guest, quest: str, words: str, **more: Any) -> Act:
    """The page's script sends the same three times, since it missed our answer twice."""

    def act(world: Rooms) -> None:
        letter = page(person, 0, quest, words, **more)
        for kind in ("new", "same again", "same again"):
            world.send(letter, kind=kind)

    return act


def writes(person: Follower, number: int = 0) -> Act:
    """Somebody writes on Instagram."""
    return lambda world: world.write(person, WROTE[person][number])


def answers(person: Follower, number: int = 0, user: int = ADMIN_1) -> Act:
    """A colleague answers in amoCRM's chat."""
    return lambda world: world.answer(person, ANSWERS[person][number], user)


def moves(stage: str, *people: Guest | Follower, **more: Any) -> Act:
    """A colleague moves deals on the board."""

    def act(world: Rooms) -> None:
        for person in people:
            world.move(person, stage, **more)

    return act


def breaks(vendor: str, kind: str, times: int, match: str = "") -> Act:
    """A vendor fails for its next so many calls."""
    return lambda world: world.trouble(world.stands[vendor], kind, times, match)


def insta_repeats_itself(world: Rooms) -> None:
    """Meta sends the next webhook twice."""
    world.trouble(world.insta, "duplicate_webhook", 1)
    world.told["copies"] += 1


def account_goes_away(world: Rooms) -> None:
    """An outage: connections are closed without an answer, then a gateway says 504."""
    world.notes["before the outage"] = len(world.rows("leads"))
    world.trouble(world.crm, "outage", 4)
    world.trouble(world.crm, "gateway", 500)


def account_is_back(world: Rooms) -> None:
    """The outage is over; the calls that waited go out at their next try."""
    world.notes["in the outage"] = len(world.rows("leads"))
    world.mend(world.crm)
    world.let_pass(10)


def an_unknown_event(world: Rooms) -> None:
    """Unisender tells of something nobody has described."""
    world.send(cast.Letter("letters", "an unknown event", cast.unisender(None), "application/json"))


def an_edited_message(world: Rooms) -> None:
    """Somebody edits what they wrote: genuine, kept, no route's business."""
    world.send(cast.edited(EGOR, world.app_secret))


# --- the day ----------------------------------------------------------------------------------------------------------

DAY: tuple[Moment, ...] = (
    Moment("09:00", "Anna calls; administrator 1 takes it",
           calls(ANNA, ADMIN_1, utm_source="yandex", utm_campaign="spring")),
    Moment("09:02", "Boris calls, nobody takes it",
           calls(BORIS, duration=0, utm_source="google", utm_campaign="brand")),
    Moment("09:03", "Vera books on the site; the page sends it three times",
           again_and_again(VERA, "Замок", "В субботу", utm=("vk", "may"), session="400000777")),
    Moment("09:04", "Gleb asks for a gift card through an Elementor form",
           lambda world: world.send(elementor(GLEB, 0, "Подарок другу"))),
    Moment("09:05", "Dina fills in a form of Calltouch's",
           lambda world: world.fill(DINA, utm_source="yandex", utm_campaign="spring")),
    Moment("09:06", "Meta sends the next webhook twice", insta_repeats_itself),
    Moment("09:06", "Egor writes on Instagram", writes(EGOR)),
    Moment("09:08", "Zhanna comments a post", lambda world: world.comment(ZHANNA, "А детям можно?")),
    Moment("09:09", "Zoya writes from an advertisement", lambda world: world.from_an_ad(ZOYA), then_rest=True),
    Moment("09:10", "a scanner tries a WordPress address", sends(cast.NO_SUCH_DOOR, 404)),
    Moment("09:11", "somebody guesses at the site's secret", sends(cast.WRONG_SECRET, 401)),
    Moment("09:11", "and at the word of amoCRM's webhook", sends(cast.FORGED_DEAL, 403)),
    Moment("09:12", "and at Calltouch's", sends(cast.FORGED_CALL, 401)),
    Moment("09:12", "a message with a forged signature of Instagram's",
           lambda world: world.send(cast.edited(EGOR, "somebody_elses_secret"), 401)),
    Moment("09:13", "a bounce that Unisender never signed", sends(cast.FORGED_BOUNCE, 401)),
    Moment("09:13", "somebody opens the form's address in a browser", sends(cast.BY_GET, 405)),
    Moment("09:14", "broken JSON arrives through the right door", sends(cast.BROKEN_JSON)),
    Moment("09:14", "100 kB of brackets arrive", sends(cast.BRACKETS)),
    Moment("09:15", "1.2 MB of text arrive", sends(cast.TOO_LARGE, 413)),
    Moment("09:16", "Egor's message was edited, says Instagram", an_edited_message),
    Moment("09:16", "Unisender tells of something nobody has described", an_unknown_event),
    Moment("09:17", "amoCRM tells of a deal that is gone", sends(cast.GONE_DEAL), then_rest=True),
    Moment("09:30", "Boris fills in the form, his phone in another spelling",
           asks(BORIS, 1, "Побег", "Перезвоните, не дозвонился"), then_rest=True),
    Moment("09:35", "Vera calls about her booking", calls(VERA, ADMIN_2), then_rest=True),
    Moment("10:00", "administrator 1 answers Egor in amoCRM's chat", answers(EGOR), then_rest=True),
    Moment("10:02", "Egor asks back", writes(EGOR, 1), then_rest=True),
    Moment("10:05", "Instagram takes the next answer and its reply is lost",
           breaks("insta", "lost_reply", 1, "messages")),
    Moment("10:05", "administrator 1 answers again", answers(EGOR, 1), then_rest=True),
    Moment("10:10", "the hub waits, looks for its message and finds it", passes(3)),
    Moment("10:15", "amoCRM sends some webhooks twice", breaks("crm", "duplicate_event", 3, "lead")),
    Moment("10:16", "administrator 2 answers Zoya", answers(ZOYA, 0, ADMIN_2), then_rest=True),
    Moment("10:30", "amoCRM is away", account_goes_away),
    Moment("10:31", "Ivan books on the site", asks(IVAN, 0, "Побег", "На пятницу")),
    Moment("10:32", "Kira calls", calls(KIRA, ADMIN_2), then_rest=True),
    Moment("10:45", "another try, amoCRM still says 504", passes(10)),
    Moment("11:10", "amoCRM is back", account_is_back),
    Moment("11:20", "amoCRM makes the next deal and its answer is lost", breaks("crm", "lost_reply", 1, "POST leads")),
    Moment("11:20", "Lev books on the site", asks(LEV, 0, "", "Хотим хоррор"), then_rest=True),
    Moment("11:25", "the hub waits, looks for the deal by its mark and finds it", passes(3)),
    Moment("11:30", "amoCRM says: too many requests", breaks("crm", "rate_limit", 3, "leads")),
    Moment("11:30", "Nina books on the site", asks(NINA, 0, "Замок", "Двое"), then_rest=True),
    Moment("12:00", "Mila calls, and Calltouch's hook gets lost",
           calls(MILA, ADMIN_1, lost=True, utm_source="yandex", utm_campaign="night")),
    Moment("12:05", "the journal tells of her call", lambda world: world.poll("calls"), then_rest=True),
    Moment("12:30", "deals are booked", moves("booked", VERA, GLEB, IVAN, LEV, MILA, EGOR), then_rest=True),
    Moment("12:35", "Calltouch takes the next deal's news and its answer is lost",
           breaks("calls", "lost_reply", 1, "client-order")),
    Moment("12:36", "Dina's deal is taken up", moves("in_work", DINA)),
    Moment("12:36", "and Boris's is closed", moves("lost", BORIS), then_rest=True),
    Moment("15:00", "Unisender takes the next letter and its answer is lost",
           breaks("letters", "lost_reply", 1, "sendEmail")),
    Moment("15:00", "Lev has played", moves("played", LEV), then_rest=True),
    Moment("15:01", "and so have Vera, Gleb and Ivan", moves("played", VERA, GLEB, IVAN), then_rest=True),
    Moment("15:10", "the hub sends Lev's letter under the same key", passes(3)),
    Moment("16:00", "Vera has read hers", lambda world: world.letter_status(VERA, "ok_read")),
    Moment("16:05", "Gleb's has bounced; Unisender tells it three times", lambda world: world.repeated_bounce(GLEB, 2)),
    Moment("16:10", "Ivan leaves the list", lambda world: world.leaves(IVAN), then_rest=True),
    Moment("17:00", "Anna has paid", moves("won", ANNA, price=3900)),
    Moment("17:01", "so has Vera", moves("won", VERA, price=5200)),
    Moment("17:02", "and Ivan", moves("won", IVAN, price=4500), then_rest=True),
    Moment("18:30", "evening: nothing may be left undone", Rooms.finish),
)  # fmt: skip
