"""Open lines, the way out: bodies, texts, files, what the portal answers; each call a recorded one."""

import datetime as dt

import orjson
import pytest
import requests
import responses

from hub.errors import AuthFailed, RateLimited, Refused, Retry, Skip, Uncertain
from hub.model import Action, Event
from hub.testing.build import build
from plugins.bitrix24 import chat_outgoing
from plugins.bitrix24.chat_files import File, read_file
from plugins.bitrix24.connector import Bitrix24

APP = {"client_id": "app.1", "client_secret": "s", "portal": "https://portal.bitrix24.ru"}
REST = "https://portal.bitrix24.ru/rest/"
LINES = {"hub_shop": {"line": "1", "name": "Shop", "channel": "shop", "max_file": "5 MB", "files": ["image", "file"]}}
AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
ANNA = {"name": "Anna K", "first_name": "Anna", "last_name": "K", "handle": "anna", "phone": "+380671234567"}


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def lines():
    return build(
        Bitrix24, {**APP, "openlines": LINES}, tokens={"access_token": "a", "client_endpoint": REST}, name="crm"
    )


def client_wrote(**message):
    record = {"message": {"id": "m1", "text": "hello", "from": "anna", "files": [], **message}}
    return Event("message.received", "message:m1", "k", record, AT, connection="insta")


def operator_wrote(**message):
    told = {
        "id": "86497",
        "chat": "anna",
        "im_chat": "1807",
        "im_message": "86497",
        "line": "7",
        "connector": "hub_shop",
    }
    return Event("message.sent", "message:86497", "k", {"message": {**told, **message}}, AT, connection="crm")


def act(name, event=None, /, **values):
    record, _, verb = name.partition(".")
    return Action(name, record, verb, values, event=event, marker="hub-1", person=dict(ANNA))


def taken(**row):
    return {"result": {"SUCCESS": True, "DATA": {"RESULT": [{"SUCCESS": True} | row]}}}


def sent(web, place=-1):
    return orjson.loads(web.calls[place].request.body)


class TestSending:
    def test_the_whole_message(self, web, lines):
        web.post(REST + "imconnector.send.messages", json=taken(user="585", session={"ID": "323", "CHAT_ID": "1767"}))
        file = {"type": "image", "url": "https://cdn.example.com/p.jpg", "size": 5}
        done = lines.perform(act("openline.send", client_wrote(files=[file])))
        assert done.result == {
            "id": "m1", "chat": "anna", "session": "323", "im_chat": "1767", "user": "585", "left_out": "",
            "connector": "hub_shop", "line": "1",
        }  # fmt: skip
        assert sent(web) == {
            "auth": "a", "CONNECTOR": "hub_shop", "LINE": 1,
            "MESSAGES": [{
                "user": {"id": "anna", "name": "Anna", "last_name": "K", "phone": "+380671234567"},
                "message": {
                    "id": "m1", "date": int(AT.timestamp()), "text": "hello",
                    "files": [{"url": file["url"], "name": "p.jpg"}],
                },
                "chat": {"id": "anna"},
            }],
        }  # fmt: skip

    def test_what_a_route_says_comes_first(self):
        values = {
            "chat": "c", "user": "u", "text": "t", "message": "x", "name": "Ірина Заєць-Коваль", "gender": "female",
            "at": "2026-03-02T11:00:00+02:00", "picture": "https://x/p.png", "chat_name": "#1 !", "disable_crm": "yes",
        }  # fmt: skip
        found = chat_outgoing.entry(
            act("openline.send", client_wrote(files=[{"url": "https://x/f.png"}]), **values), {}
        )
        assert found["user"]["name"] + "|" + found["user"]["last_name"] == "Ірина|Заєць-Коваль"
        assert found["user"]["picture"] == {"url": "https://x/p.png"}
        assert found["message"] == {"id": "x", "date": int(AT.timestamp()), "text": "t", "disable_crm": "Y"}
        assert found["chat"] == {"id": "c", "name": "#1 !"}
        assert found["files"] == []  # a route that gives a text gives all there is to send

    @pytest.mark.parametrize(
        ("values", "told", "person", "chat"),
        [
            ({"chat": "c"}, {"from": "f"}, {"handle": "h"}, "c"),
            ({}, {"from": "f"}, {"handle": "h"}, "f"),
            ({}, {}, {"handle": "@olena", "handles": {"vk": "9", "shop": "17"}}, "17"),
            ({}, {}, {"handle": "@olena", "handles": {"insta": "17"}}, "17"),
            ({}, {}, {"handle": "olena"}, "olena"),
            ({}, {}, {}, ""),
        ],
    )
    def test_whose_chat_it_is(self, values, told, person, chat):
        asked = act("openline.send", Event("message.read", "message:1", "k", {"message": told}), **values)
        asked.person = person
        assert chat_outgoing.chat_of(asked, {"channel": "shop"}) == chat

    def test_without_an_id_our_marker_tells_a_repetition(self):
        event = Event("form.submitted", "form:1", "k", {}, connection="site")
        assert chat_outgoing.message_id(act("openline.send", event, chat="c", text="t")) == "hub-1"

    @pytest.mark.parametrize(
        ("given", "name"),
        [
            ("olena.shop_24", "olena shop"),
            ("Д’Артаньян", "Д'Артаньян"),
            ("अनीता", "अनीता"),
            ("🙂 Ok 🙂", "Ok"),
            ("--", ""),
            (None, ""),
        ],
    )
    def test_names_as_the_portal_takes_them(self, given, name):
        assert chat_outgoing.person_name(given) == name

    def test_a_long_name_is_cut(self):
        found = chat_outgoing.entry(act("openline.send", client_wrote(), first_name="a" * 60, last_name="b" * 60), {})
        assert (len(found["user"]["name"]), len(found["user"]["last_name"])) == (25, 25)

    @pytest.mark.parametrize("text", ["[b]x[/b]", "[url=https://a.b]c[/url]", "[USER=1]Boss[/USER]", "[br]"])
    def test_a_clients_codes_format_nothing(self, text):
        assert chat_outgoing.harmless(text).replace("\u2060", "") == text
        assert "[\u2060" in chat_outgoing.harmless(text)
        assert chat_outgoing.harmless("[1] a [b c]") == "[1] a [b c]"

    def test_nothing_to_send(self, lines):
        with pytest.raises(Refused, match="neither text nor files"):
            lines.perform(act("openline.send", client_wrote(text="")))

    def test_an_answer_never_goes_back_into_its_line(self, lines):
        with pytest.raises(Refused, match="round for ever"):
            lines.perform(act("openline.send", operator_wrote(text="x"), chat="anna"))

    def test_which_connector(self, lines):
        two = build(Bitrix24, {**APP, "openlines": {**LINES, "hub_vk": {"line": "2"}}})
        with pytest.raises(Refused, match=r"which connector\? Give `connector` \(hub_shop, hub_vk\)"):
            two.perform(act("openline.send", client_wrote()))
        with pytest.raises(Refused, match="isn't under `openlines`"):
            lines.perform(act("openline.send", client_wrote(), connector="hub_other"))
        hook = build(Bitrix24, {"webhook_url": REST + "1/secretsecret/"})
        with pytest.raises(Refused, match="open lines need an app"):
            hook.perform(act("openline.send", client_wrote(), connector="c", line="1"))

    @pytest.mark.parametrize(
        ("status", "body", "error", "words"),
        [
            (200, taken(SUCCESS=False, ERRORS=["no user"]), Refused, "no user"),
            (200, {"result": {"SUCCESS": False, "DATA": []}}, Refused, "without a reason"),
            (200, {"result": []}, Uncertain, "doesn't say"),
            (400, {"error": "NOT_ACTIVE_LINE", "error_description": "x"}, Refused, "hub connect"),
            (400, {"error": "IMCONNECTOR_NO_CORRECT_PROVIDER"}, Refused, "hub connect"),
            (403, {"error": "insufficient_scope", "error_description": "x"}, Refused, "imopenlines"),
            (403, {"error": "WRONG_AUTH_TYPE", "error_description": "x"}, Refused, "needs an app"),
            (503, {"error": "QUERY_LIMIT_EXCEEDED"}, RateLimited, "2 calls"),
            (500, {"error": "INTERNAL_SERVER_ERROR"}, Uncertain, "INTERNAL"),
            (401, {"error": "NO_AUTH_FOUND"}, AuthFailed, "webhook or token"),
        ],
    )  # fmt: skip
    def test_what_the_portal_says(self, web, lines, status, body, error, words):
        web.post(REST + "imconnector.send.messages", json=body, status=status)
        with pytest.raises(error, match=words):
            lines.perform(act("openline.send", client_wrote()))

    def test_taken_without_details(self, web, lines):
        web.post(REST + "imconnector.send.messages", json={"result": {"SUCCESS": True, "DATA": []}})
        assert lines.perform(act("openline.send", client_wrote())).id == "m1"


class TestFiles:
    def weigh(self, web, lines, **file):
        web.post(REST + "imconnector.send.messages", json=taken())
        done = lines.perform(
            act("openline.send", client_wrote(files=[{"url": "https://cdn.example.com/a.jpg", **file}]))
        )
        return sent(web)["MESSAGES"][0]["message"], done.result["left_out"]

    def test_a_size_is_asked_for_without_fetching_the_file(self, web, lines):
        asked = web.head("https://cdn.example.com/a.jpg", headers={"Content-Length": "6000000"})
        message, left = self.weigh(web, lines)
        assert asked.call_count == 1
        assert "files" not in message
        assert left == "a.jpg: 6 MB, more than 5 MB (openlines: max_file)"
        assert message["text"].endswith(f"{left}\nhttps://cdn.example.com/a.jpg")

    @pytest.mark.parametrize("status", [200, 301, 403, 405, 500])
    def test_a_size_nobody_tells_is_no_obstacle(self, web, lines, status):
        web.head("https://cdn.example.com/a.jpg", status=status)
        assert self.weigh(web, lines)[0]["files"][0]["name"] == "a.jpg"

    def test_a_lost_connection_is_no_obstacle(self, web, lines):
        web.head("https://cdn.example.com/a.jpg", body=requests.ConnectionError("reset"))
        assert self.weigh(web, lines)[1] == ""

    def test_a_dead_link_is_said_so(self, web, lines):
        web.head("https://cdn.example.com/a.jpg", status=404)
        assert self.weigh(web, lines)[1] == "a.jpg: its link leads nowhere any more"

    def test_a_link_into_our_own_network_is_not_called(self, web, lines):
        web.add_passthru("http://127.0.0.1")
        message, left = self.weigh(web, lines, url="http://127.0.0.1:9/a.jpg")
        assert "files" not in message
        assert "the portal can't fetch it" in left

    @pytest.mark.parametrize(
        ("file", "words"),
        [
            ({"type": "video"}, "kind video aren't carried"),
            ({"url": "ftp://x/y.jpg", "name": "y.jpg"}, "no link"),
            ({"url": "", "name": "y.jpg"}, "no link"),
            ({"size": "6000000"}, "more than 5 MB"),
        ],
    )
    def test_what_cannot_be_carried(self, web, lines, file, words):
        message, left = self.weigh(web, lines, **file)
        assert words in left
        assert words in message["text"]
        assert "files" not in message

    @pytest.mark.parametrize(
        ("row", "kind", "name"),
        [
            ({"type": "image", "url": "https://cdn.example.com/v/123?x=1"}, "image", "123.jpg"),
            ({"url": "https://x.example/a%20b.pdf"}, "file", "a b.pdf"),
            ("https://x.example/film.mp4", "video", "film.mp4"),
            ({"type": "audio/mpeg", "url": "https://x.example/"}, "audio", "audio.m4a"),
            ({"type": "share", "url": "https://x.example/p", "title": "Our post"}, "file", "Our post"),
        ],
    )
    def test_kinds_and_names(self, row, kind, name):
        found = read_file(row)
        assert (found.kind, found.name) == (kind, name)

    def test_no_row_breaks_it(self):
        for row in ({}, {"url": None}, {"name": 5}, 5, {"url": ["x"]}):
            found = read_file(row)
            assert found is None or isinstance(found, File)


class TestStates:
    def test_delivered_takes_its_ids_from_the_operators_message(self, web, lines):
        web.post(REST + "imconnector.send.status.delivery", json={"result": {"SUCCESS": True, "DATA": []}})
        done = lines.perform(act("openline.delivered", operator_wrote(), message="mid-1"))
        message = sent(web)["MESSAGES"][0]
        assert message["im"] == {"chat_id": 1807, "message_id": 86497}
        assert message["message"]["id"] == ["mid-1"]
        assert isinstance(message["message"]["date"], int)
        assert message["chat"] == {"id": "anna"}
        assert sent(web)["LINE"] == 7  # the line it was written in
        assert (done.id, done.result["external"]) == ("86497", "mid-1")

    def test_several_ids_of_one_answer(self, web, lines):
        web.post(REST + "imconnector.send.status.delivery", json={"result": {"SUCCESS": True, "DATA": []}})
        lines.perform(act("openline.delivered", operator_wrote(), message=["a", "b"]))
        assert sent(web)["MESSAGES"][0]["message"]["id"] == ["a", "b"]

    def test_a_lost_answer_is_simply_repeated(self, web, lines):
        web.post(REST + "imconnector.send.status.delivery", json={"error": "INTERNAL_SERVER_ERROR"}, status=500)
        with pytest.raises(Retry):
            lines.perform(act("openline.delivered", operator_wrote(), message="mid-1"))

    def test_what_is_missing_is_told(self, lines):
        with pytest.raises(Refused, match="the channel's id of the sent message"):
            lines.perform(act("openline.delivered", operator_wrote()))
        nobody = act("openline.read", None, message="m")
        nobody.person = {}
        with pytest.raises(Refused, match="the client's id in the channel"):
            lines.perform(nobody)

    def read(self, web, lines, history, dialog=None):
        web.post(
            REST + "imopenlines.dialog.get",
            json=dialog or {"result": {"id": 1777, "entity_data_1": "Y|LEAD|1|N|N|343|0"}},
        )
        web.post(REST + "imopenlines.session.history.get", json={"result": history})
        web.post(REST + "imconnector.send.status.reading", json={"result": {"SUCCESS": True, "DATA": []}})
        event = client_wrote(id="mid-1").with_(type="message.read")
        return lines.perform(act("openline.read", event, message="mid-1"))

    @pytest.mark.parametrize("ids", [{"connectorMid": ["mid-1"]}, {"CONNECTOR_MID": "mid-1"}])
    def test_read_finds_the_message_by_the_channels_id(self, web, lines, ids):
        history = {"chatId": 1777, "message": {"9": {"id": "9", "params": []}, "5": {"id": "5", "params": ids}}}
        assert self.read(web, lines, history).id == "5"
        assert sent(web, 0)["USER_CODE"] == "hub_shop|1|anna|anna"
        assert sent(web, 1)["SESSION_ID"] == "343"
        assert sent(web)["MESSAGES"][0]["im"] == {"chat_id": 1777, "message_id": 5}

    @pytest.mark.parametrize(
        "history", [{}, [], {"message": []}, {"message": {"5": {"params": {"connectorMid": ["x"]}}}}]
    )
    def test_a_message_the_line_does_not_hold_is_left_alone(self, web, lines, history):
        with pytest.raises(Skip):
            self.read(web, lines, history)

    @pytest.mark.parametrize(("status", "code"), [(400, "ACCESS_ERROR"), (400, "NOT_FOUND"), (403, "ACCESS_DENIED")])
    def test_a_chat_the_portal_does_not_show_is_left_alone(self, web, lines, status, code):
        web.post(REST + "imopenlines.dialog.get", json={"error": code, "error_description": ""}, status=status)
        with pytest.raises(Skip):
            lines.perform(act("openline.read", client_wrote(id="mid-1"), message="mid-1"))

    def test_deleting_and_changing_name_the_same_ids(self, web, lines):
        web.post(REST + "imconnector.delete.messages", json=taken())
        web.post(REST + "imconnector.update.messages", json=taken())
        lines.perform(act("openline.delete", client_wrote(), chat="anna"))
        assert sent(web)["MESSAGES"] == [{"user": {"id": "anna"}, "message": {"id": "m1"}, "chat": {"id": "anna"}}]
        lines.perform(act("openline.update", client_wrote(text="new")))
        assert sent(web)["MESSAGES"][0]["message"]["text"] == "new"
