"""The day, moment by moment. An act is a function of the Shop; what ends well is said in `ENDS` and `PEOPLE`."""

from __future__ import annotations

from hub.demo.beauty import cast
from hub.demo.beauty.cast import Client, Shape, cart, contact_form_7, elementor, plain, tilda
from hub.demo.beauty.world import CITY, Shop
from hub.demo.story import Act, Moment, passes, sends

# --- people -----------------------------------------------------------------------------------------------------------

ANNA, BOHDAN, VIRA = Client("Анна Коваль", "11"), Client("Богдан Лис", "12"), Client("Віра Мороз", "13")
HALYNA, DARYNA, YEVA = Client("Галина Гай", "14"), Client("Дарина Сад", "15"), Client("Єва Поле", "16")
ZOYA, IRYNA, KATIA = Client("Зоя Верба", "17"), Client("Ірина Дуб", "18"), Client("Катя Липа", "19")
LARYSA, MARIA, NADIA = Client("Лариса Клен", "20"), Client("Марія Сосна", "21"), Client("Надія Калина", "22")
OLENA, POLINA, RUTA = Client("Олена Явір", "23"), Client("Поліна Ясень", "24"), Client("Рута Бук", "25")
SOFIA = Client("Софія Тополя", "26")

PEOPLE = (
    ANNA, BOHDAN, VIRA, HALYNA, DARYNA, YEVA, ZOYA, IRYNA, KATIA, LARYSA, MARIA, NADIA, OLENA, POLINA, RUTA, SOFIA,
)  # fmt: skip
#: where each shipped deal must stand in the evening (our words for the stages)
ENDS = {
    ANNA: "received",      # asked in the morning, bought at noon
    DARYNA: "at_branch",   # later scans arrive out of order
    YEVA: "received",
    ZOYA: "shop_won",      # cash on delivery, paid out
    IRYNA: "refused",      # wouldn't take the parcel; it is back
    KATIA: "received",
    LARYSA: "at_branch",   # her city was wrong at first
    MARIA: "shipped",      # the answer to her waybill got lost
    NADIA: "at_branch",    # her waybill was due while Nova Poshta was away
    OLENA: "shipped",      # the same
    POLINA: "shop_won",    # a colleague closed the deal by hand: the hub keeps its hands off
    RUTA: "shipped",
}  # fmt: skip
#: those whose parcels came to a branch: one reminder each
ARRIVED = (ANNA, DARYNA, YEVA, ZOYA, IRYNA, KATIA, LARYSA, NADIA)
#: asked for something twice within the time in which it is one matter
ASKED_TWICE = (BOHDAN, VIRA, HALYNA, DARYNA, OLENA)
#: people who only ask: one lead each
LEADS = (ANNA, BOHDAN, VIRA, HALYNA, DARYNA, SOFIA)


# --- acts -------------------------------------------------------------------------------------------------------------


def asks(person: Client, shape: Shape, words: str, time: int = 0) -> Act:
    """Somebody fills in a form on the site."""
    return lambda world: world.send(shape(person, time, words))


def asks_twice_at_once(person: Client, one: Shape, other: Shape, words: str) -> Act:
    """The same person, two forms, the same second."""
    return lambda world: world.send_at_once(one(person, 0, words), other(person, 1, words))


def again_and_again(person: Client, words: str) -> Act:
    """Tilda sends the same submission three times, since it missed our answer twice."""

    def act(world: Shop) -> None:
        letter = tilda(person, 0, words)
        world.send(letter)
        world.send(letter, kind="same again")
        world.send(letter, kind="same again")

    return act


def buys(person: Client, city: str, branch: str, amount: str) -> Act:
    """Somebody pays a cart; it becomes a deal of the shop."""
    return lambda world: world.send(cart(person, 1, city, branch, amount))


def deal(person: Client, city: str, branch: str, amount: str, cod: str = "") -> Act:
    """A colleague takes an order by phone and makes the deal by hand."""
    return lambda world: world.new_deal(person, city, branch, amount, cod)


def to_ship(*people: Client) -> Act:
    """A colleague moves deals to "to ship"."""

    def act(world: Shop) -> None:
        for person in people:
            world.change_deal(person, STAGE_ID="C5:PREPARATION")

    return act


def closes_by_hand(person: Client) -> Act:
    """A colleague closes a deal whose parcel is still under way."""
    return lambda world: world.change_deal(person, STAGE_ID="C5:WON")


def scans(code: str, *people: Client, minutes_ago: int = 0) -> Act:
    """Nova Poshta scans parcels; the hub's next look at them comes right after."""

    def act(world: Shop) -> None:
        for person in people:
            world.scan(code, person, minutes_ago)
        world.look()

    return act


def return_comes_home(person: Client) -> Act:
    """The parcel nobody wanted is back: its way home has a waybill of its own."""

    def act(world: Shop) -> None:
        number = world.number_of(person)
        back = next(row["number"] for row in world.carrier.state()["waybills"] if row["owner_number"] == number)
        world.scan_number("9", back)
        world.look()

    return act


def corrects_city(person: Client, city: str) -> Act:
    """A colleague does what the to-do asks for: the city with its oblast, and the deal a step back."""
    return lambda world: world.change_deal(person, STAGE_ID="C5:NEW", **{CITY: city})


def carrier_breaks(kind: str, times: int, match: str = "") -> Act:
    """Nova Poshta fails for its next so many calls."""
    return lambda world: world.trouble(world.carrier, kind, times, match)


def carrier_goes_away(world: Shop) -> None:
    """An outage: connections are closed without an answer, then a gateway says 503."""
    world.notes["before the outage"] = made(world)
    world.trouble(world.carrier, "outage", 4)
    world.trouble(world.carrier, "503", 500)


def carrier_is_back(world: Shop) -> None:
    """The outage is over; the calls that waited go out at their next try."""
    world.notes["in the outage"] = made(world)
    world.mend(world.carrier)
    world.let_pass(10)


def made(world: Shop) -> dict[str, int]:
    """Return how many leads and waybills there are now."""
    return {"leads": len(world.portal.state()["leads"]), "waybills": len(world.carrier.state()["waybills"])}


def portal_slows_down(world: Shop) -> None:
    """Bitrix24 refuses the next calls: too many requests."""
    world.trouble(world.portal, "rate_limit", 4)


def portal_repeats_itself(world: Shop) -> None:
    """Bitrix24 sends some events twice."""
    world.trouble(world.portal, "duplicate_event", 3, "ONCRMDEALUPDATE")


# --- the day ----------------------------------------------------------------------------------------------------------

DAY: tuple[Moment, ...] = (
    Moment("09:00", "Tilda tests the address it was given", sends(cast.TILDA_PING, kind="ping")),
    Moment("09:02", "Anna asks on the Tilda page; Tilda sends it three times",
           again_and_again(ANNA, "Чи є курс візажу?")),
    Moment("09:04", "Bohdan asks through Contact Form 7", asks(BOHDAN, contact_form_7, "Подарунок дружині")),
    Moment("09:05", "Vira asks through an Elementor form", asks(VIRA, elementor, "Коли відкриваєтесь?")),
    Moment("09:06", "Halyna asks through a plain form", asks(HALYNA, plain, "Скільки коштує манікюр?")),
    Moment("09:07", "Daryna sends two forms in the same second",
           asks_twice_at_once(DARYNA, tilda, elementor, "Доставка?")),
    Moment("09:10", "a scanner tries a WordPress address", sends(cast.NO_SUCH_DOOR, 404)),
    Moment("09:11", "somebody guesses at the secret", sends(cast.WRONG_SECRET, 401)),
    Moment("09:11", "and tries without", sends(cast.NO_SECRET, 401)),
    Moment("09:12", "somebody opens the address in a browser", sends(cast.BY_GET, 405)),
    Moment("09:13", "broken JSON arrives through the right door", sends(cast.BROKEN_JSON)),
    Moment("09:13", "100 kB of brackets arrive", sends(cast.BRACKETS)),
    Moment("09:14", "1.2 MB of text arrive", sends(cast.TOO_LARGE, 413)),
    Moment("09:15", "an event of a stranger's portal", sends(cast.WRONG_TOKEN, 403)),
    Moment("09:16", "Bitrix24 tells of something nobody has described", sends(cast.UNKNOWN_EVENT)),
    Moment("09:17", "Bitrix24 tells of a deal that is gone", sends(cast.GONE_DEAL), then_rest=True),
    Moment("09:30", "Yeva buys: a cart with city and branch", buys(YEVA, "Київ", "1", "1250")),
    Moment("09:31", "Anna buys too: the same person as at 09:02", buys(ANNA, "Львів", "2", "899.50")),
    Moment("09:32", "a colleague takes Zoya's order, cash on delivery", deal(ZOYA, "Одеса", "2", "1500", cod="1500")),
    Moment("09:34", "and Iryna's", deal(IRYNA, "м. Львів", "Відділення №1", "640")),
    Moment("09:35", "and Larysa's: there are two villages of that name", deal(LARYSA, "Миколаївка", "1", "720")),
    Moment("09:36", "and Maria's", deal(MARIA, "Київ", "3", "980")),
    Moment("09:37", "and Polina's", deal(POLINA, "Одеса", "1", "310")),
    Moment("09:38", "and Ruta's", deal(RUTA, "Київець", "1", "455")),
    Moment("09:40", "Katia buys", buys(KATIA, "Київ", "2", "2100")),
    Moment("09:41", "Bohdan asks again, his phone in another spelling",
           asks(BOHDAN, plain, "І листівку, будь ласка", 1)),
    Moment("09:42", "Vira asks again on the Tilda page", asks(VIRA, tilda, "А в неділю?", 2), then_rest=True),
    Moment("10:00", "Daryna buys what she asked about", buys(DARYNA, "Одеса", "1", "530"), then_rest=True),
    Moment("10:05", "six deals go to \"to ship\"", to_ship(ANNA, DARYNA, YEVA, ZOYA, IRYNA, KATIA), then_rest=True),
    Moment("10:06", "Larysa's too: which village?", to_ship(LARYSA), then_rest=True),
    Moment("10:10", "Polina's and Ruta's", to_ship(POLINA, RUTA), then_rest=True),
    Moment("10:15", "Nova Poshta makes Maria's waybill and its answer is lost",
           carrier_breaks("lost_reply", 1, "InternetDocument.save")),
    Moment("10:15", "Maria's deal goes to \"to ship\"", to_ship(MARIA), then_rest=True),
    Moment("10:20", "the hub waits, looks for the waybill and finds it", passes(3)),
    Moment("10:30", "Nova Poshta is away", carrier_goes_away),
    Moment("10:31", "Nadia orders by phone", deal(NADIA, "Львів", "1", "415")),
    Moment("10:32", "Olena orders by phone", deal(OLENA, "Київ", "1", "760"), then_rest=True),
    Moment("10:33", "both deals go to \"to ship\": no waybill yet", to_ship(NADIA, OLENA), then_rest=True),
    Moment("10:35", "the look at the parcels under way fails too", Shop.look),
    Moment("10:40", "meanwhile Sofia asks: the CRM doesn't wait for Nova Poshta",
           asks(SOFIA, plain, "Є вакансії?"), then_rest=True),
    Moment("10:45", "another try, Nova Poshta still says 503", passes(10)),
    Moment("11:20", "Nova Poshta is back", carrier_is_back),
    Moment("11:40", "a colleague reads the to-do and corrects Larysa's city",
           corrects_city(LARYSA, "Миколаївка, Одеська обл."), then_rest=True),
    Moment("11:42", "and moves her deal to \"to ship\" once more", to_ship(LARYSA), then_rest=True),
    Moment("12:00", "Bitrix24 says: too many requests", portal_slows_down),
    Moment("12:01", "Halyna asks again through Contact Form 7", asks(HALYNA, contact_form_7, "А педикюр?", 3)),
    Moment("12:02", "Olena asks about her order: it joins her open deal",
           asks(OLENA, elementor, "Коли приїде?", 4), then_rest=True),
    Moment("12:10", "Bitrix24 sends some events twice", portal_repeats_itself),
    Moment("12:30", "all parcels were handed over", scans("4", *ENDS)),
    Moment("13:30", "and are under way", scans("5", *ENDS)),
    Moment("14:00", "a colleague closes Polina's deal by hand", closes_by_hand(POLINA), then_rest=True),
    Moment("14:30", "eight parcels and Polina's arrive at their branches", scans("7", *ARRIVED, POLINA)),
    Moment("15:00", "an old scan of Daryna's parcel comes late", scans("5", DARYNA, minutes_ago=120)),
    Moment("15:05", "and one that would lead back", scans("6", DARYNA)),
    Moment("16:00", "three parcels are picked up", scans("9", ANNA, YEVA, KATIA)),
    Moment("16:01", "Zoya pays for hers at the branch", scans("10", ZOYA)),
    Moment("16:05", "Iryna won't take hers: it goes back", scans("102", IRYNA)),
    Moment("17:30", "Zoya's money is paid out", scans("11", ZOYA)),
    Moment("18:00", "Iryna's parcel is home again", return_comes_home(IRYNA)),
    Moment("18:30", "evening: nothing may be left undone", Shop.finish),
)  # fmt: skip
