"""Open lines, the way in: settings, operators' messages, dialogs, lines that go. Pure."""

from pathlib import Path
from urllib.parse import urlencode

import marshmallow as ma
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.model import Receipt, Request
from hub.testing.build import build
from hub.testing.mutate import mutated
from hub.testing.wellformed import problems
from plugins.bitrix24 import chat_incoming, chat_outgoing, incoming
from plugins.bitrix24.connector import Bitrix24

SAMPLES = Path(__file__).parent / "samples"
APP = {"client_id": "app.1", "client_secret": "s", "portal": "https://portal.bitrix24.ru"}
REST = "https://portal.bitrix24.ru/rest/"
LINES = {"hub_shop": {"line": "1", "name": "Shop", "channel": "shop", "max_file": "5 MB", "files": ["image", "file"]}}


def parse(body, given=None):
    asked = Request("POST", "/in/crm", headers={"content-type": "application/x-www-form-urlencoded"}, body=body)
    connectors = build(Bitrix24, {**APP, "openlines": given}).settings["openlines"] if given else {}
    return incoming.parse(Receipt(1, "crm", "key", asked, asked.at), "UA", connectors)


class TestSettings:
    def load(self, **line):
        return build(Bitrix24, {**APP, "openlines": {"hub_shop": {"line": "1", **line}}}).settings["openlines"][
            "hub_shop"
        ]

    def test_what_is_left_out(self):
        line = self.load()
        assert (line["files"], line["max_file"], line["signature"]) == (
            ("image", "video", "audio", "file"),
            10**8,
            True,
        )
        assert (line["edits"], line["mailings"], line["system_messages"]) == (False, False, True)

    def test_sizes_and_kinds_as_people_write_them(self):
        assert self.load(max_file="1.5 mb", files="image, video")["max_file"] == 1_500_000
        assert self.load(files=["image", "Video"])["files"] == ("image", "video")

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"hub.shop": {"line": "1"}}, "lower-case letters"),
            ({"Hub": {"line": "1"}}, "lower-case letters"),
            ({"hub_shop": {}}, "Missing data"),
            ({"hub_shop": {"line": "first"}}, "is a number"),
            ({"hub_shop": {"line": "1", "max_file": "big"}}, "20 MB"),
            ({"hub_shop": {"line": "1", "files": "gif"}}, "there are image, video, audio, file"),
            ({"hub_shop": {"line": "1", "colour": "red"}}, "colour"),
            ({"hub_shop": {"line": "1", "color": "red"}}, "#e1306c"),
            (["hub_shop"], "name each connector"),
        ],
    )
    def test_what_is_wrong_is_told(self, given, words):
        with pytest.raises(ma.ValidationError) as caught:
            build(Bitrix24, {**APP, "openlines": given})
        assert "openlines" in caught.value.messages
        assert words in str(caught.value.messages)

    def test_a_webhook_cannot(self):
        with pytest.raises(ma.ValidationError, match="open lines need an app"):
            build(Bitrix24, {"webhook_url": REST + "1/secretsecret/", "openlines": LINES})


class TestComingIn:
    def test_an_operators_message(self):
        body = (SAMPLES / "ONIMCONNECTORMESSAGEADD.webhook.txt").read_bytes()
        (event,) = parse(body)
        message = event.record["message"]
        assert (event.text, message["author"], event.by) == ("Добрый день!", "Тест Тестов", "27")
        told = [message[name] for name in ("chat", "im_chat", "im_message", "line", "connector")]
        assert told == ["channel-123", "1807", "86497", "107", "myconnector"]
        assert event.record["contact"] == {"handle": "channel-123", "handles": {"myconnector": "channel-123"}}
        (event,) = parse(body, {"myconnector": {"line": "107", "channel": "instagram"}})
        assert event.record["contact"]["handles"] == {"instagram": "channel-123"}

    def test_without_signatures_bold_words_are_the_operators_own(self):
        body = (SAMPLES / "ONIMCONNECTORMESSAGEADD.webhook.txt").read_bytes()
        (event,) = parse(body, {"myconnector": {"line": "107", "signature": "no"}})
        assert event.text == "Тест Тестов: \nДобрый день!"

    def test_a_message_of_the_line_itself_has_no_author(self):
        pairs = {"event": "ONIMCONNECTORMESSAGEADD", "data[CONNECTOR]": "c", "data[MESSAGES][0][im][message_id]": "5"}
        (event,) = parse(urlencode({**pairs, "data[MESSAGES][0][message][user_id]": "0"}).encode())
        assert event.by == ""
        assert "from" not in event.record["message"]

    @pytest.mark.parametrize("name", ["link", "url", "downloadLink"])
    def test_files_are_links(self, name):
        at = "data[MESSAGES][0]"
        pairs = {
            "event": "ONIMCONNECTORMESSAGEADD", "data[CONNECTOR]": "c", f"{at}[im][message_id]": "5",
            f"{at}[message][files][0][type]": "image", f"{at}[message][files][0][{name}]": "https://x/y.png",
            f"{at}[message][files][0][size]": "120", f"{at}[message][files][1][name]": "no link",
        }  # fmt: skip
        (event,) = parse(urlencode(pairs).encode())
        assert event.record["message"]["files"] == [{"type": "image", "url": "https://x/y.png", "size": 120}]

    def test_a_change_and_a_deletion_name_the_channels_id(self):
        (event,) = parse((SAMPLES / "ONIMCONNECTORMESSAGEUPDATE.webhook.txt").read_bytes())
        assert (event.record["message"]["external"], event.text) == ("ext-msg-005", "Какие у вас вопросы?")
        (event,) = parse((SAMPLES / "ONIMCONNECTORMESSAGEDELETE.webhook.txt").read_bytes())
        assert (event.type, event.record["message"]["external"]) == ("message.deleted", "ext-msg-005")

    def test_long_ids_of_a_channel_stay_whole(self):
        mid, chat = "m" * 180, "c" * 300
        body = (SAMPLES / "ONIMCONNECTORMESSAGEUPDATE.webhook.txt").read_bytes()
        (event,) = parse(body.replace(b"ext-msg-005", mid.encode()).replace(b"channel-123", chat.encode()))
        assert (event.record["message"]["external"], event.record["message"]["chat"]) == (mid, chat)

    def test_a_dialog_that_ends(self):
        (event,) = parse((SAMPLES / "ONIMCONNECTORDIALOGFINISH.webhook.txt").read_bytes())
        assert (event.subject, event.channel) == ("dialog:3282", "newcustomconnector")
        assert event.record["message"]["im_chat"] == "8"
        assert "contact" not in event.record

    def test_one_message_told_by_two_handlers_is_one(self):
        body = (SAMPLES / "ONIMCONNECTORMESSAGEADD.webhook.txt").read_bytes()
        other = body.replace(b"event_handler_id=555", b"event_handler_id=556").replace(b"1773759161", b"1773759162")
        assert parse(body)[0].key == parse(other)[0].key == "chat:sent:86497"

    def test_what_the_line_repeats_of_our_own_chats_is_no_news(self):
        body = (SAMPLES / "ONOPENLINEMESSAGEADD.webhook.txt").read_bytes()
        assert [event.type for event in parse(body)] == ["message.received"]
        (event,) = parse(body, {"livechat": {"line": "128"}})
        assert event.type == "vendor.onopenlinemessageadd"
        assert "message" not in event.record

    @pytest.mark.parametrize(
        ("given", "plain"),
        [
            ("a[br]b[BR /]c", "a\nb\nc"),
            ("[b]x[/b] [i]y[/i]", "x y"),
            ("[url=https://a.b/c]here[/url]!", "here (https://a.b/c)!"),
            ("[url=https://a.b/c]https://a.b/c[/url]", "https://a.b/c"),
            ("[url]https://a.b/c[/url]", "https://a.b/c"),
            ("[USER=27]Olena[/USER], [size]", "Olena,"),
            ("[list of things] [1] [/url]", "[list of things] [1]"),
            ("[url=https://a.b/c]open", "open"),
        ],
    )
    def test_texts_as_a_client_reads_them(self, given, plain):
        assert chat_incoming.plain(given) == plain

    @pytest.mark.parametrize("piece", ["[url=a]", "[url=", "[a=", "[a ", "[url=a][/url]", "[b]"])
    def test_a_bomb_of_tags_is_read_in_one_go(self, piece):
        text = piece * 100_000 + "[a=" + " " * 100_000
        assert len(chat_incoming.plain(text)) <= len(text)
        assert chat_outgoing.harmless(text).replace("\u2060", "") == text

    @pytest.mark.parametrize("path", sorted(SAMPLES.glob("ON[IOS]*.webhook.txt")), ids=lambda path: path.name)
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_no_broken_message_of_our_own_chats_breaks_it(self, path, data):
        given = {"myconnector": {"line": "107"}, "newcustomconnector": {"line": "105", "signature": "no"}}
        connector = build(Bitrix24, {**APP, "openlines": given})
        kind = {"content-type": "application/x-www-form-urlencoded"}
        asked = data.draw(mutated(Request("POST", "/in/crm", headers=kind, body=path.read_bytes())))
        try:
            events = connector.parse(Receipt(1, "crm", "key", asked, asked.at))
        except ValueError:
            return
        assert problems(connector, events) == []
