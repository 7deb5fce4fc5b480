"""HTTP with the account: what is sent, what an answer means, and what may go wrong."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
import requests
import responses

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from hub.testing import build
from plugins.amocrm.client import Pace, flat
from plugins.amocrm.connector import AmoCrm
from plugins.amocrm.refusals import fields_of
from tests.plugins.amocrm.conftest import API, BASE, SAMPLES, WORD


def said(web: responses.RequestsMock, place: int = -1) -> Any:
    return orjson.loads(web.calls[place].request.body)


class TestOneCall:
    def test_the_token_goes_along(self, web, by_token, recorded):
        web.get(API + "account", json=recorded("account.response.json"))
        assert by_token._client.get("account")["id"] == 1231414
        assert web.calls[0].request.headers["Authorization"] == "Bearer FAKE_LONG_LIVED_TOKEN"

    def test_an_empty_list_and_a_missing_record_are_none(self, web, by_token):
        web.get(API + "leads", status=204)
        web.get(API + "leads/5", status=204)
        assert by_token._client.rows("leads") == []
        with pytest.raises(Gone, match="merged"):
            by_token.get("deal", "5")

    def test_pages_are_followed_by_number_never_by_address(self, web, by_token):
        """The address in an answer isn't followed: it may lead anywhere."""
        evil = {"next": {"href": "https://evil.example/api/v4/leads?page=2"}}
        first = {"_links": evil, "_embedded": {"leads": [{"id": 1}]}}
        web.get(API + "leads", json=first, match=[responses.matchers.query_param_matcher({"page": 1, "limit": 250})])
        last = {"_links": {}, "_embedded": {"leads": [{"id": 2}]}}
        web.get(API + "leads", json=last, match=[responses.matchers.query_param_matcher({"page": 2, "limit": 250})])
        assert [row["id"] for row in by_token._client.rows("leads")] == [1, 2]

    def test_pages_end_with_204(self, web, by_token, recorded):
        web.get(API + "contacts", json=recorded("contacts-list.response.json"))
        web.get(API + "contacts", status=204)
        assert len(by_token._client.rows("contacts")) == 2

    def test_parameters_in_phps_brackets(self):
        given = {"filter": {"statuses": [{"pipeline_id": 1, "status_id": 142}], "id": [5, 6]}, "with": "contacts"}
        assert list(flat(given)) == [
            ("filter[statuses][0][pipeline_id]", "1"),
            ("filter[statuses][0][status_id]", "142"),
            ("filter[id][0]", "5"),
            ("filter[id][1]", "6"),
            ("with", "contacts"),
        ]

    @pytest.mark.parametrize("path", ["../oauth2/access_token", "leads?x=1", "//evil.example/x", "leads/я", ""])
    def test_a_path_that_is_none(self, by_token, path):
        with pytest.raises(Refused, match="no path"):
            by_token._client.get(path)

    def test_the_credentials_go_to_the_account_alone(self, by_token):
        assert by_token.hosts() == ["example.amocrm.ru"]


#: status, body -> error, words
REFUSALS: list[tuple[int, Any, type[HubError], str]] = [
    (400, "validation.error.json", Refused, "NotSupportedChoice"),
    (401, "unauthorized.error.json", AuthFailed, "put a new long-lived token"),
    (401, {"response": {"error_code": "112", "error": "off"}}, AuthFailed, "switched off"),
    (402, {"title": "Payment Required", "status": 402}, AuthFailed, "isn't paid"),
    (403, {"title": "Forbidden", "status": 403}, Refused, "lacks the right"),
    (403, {"response": {"error_code": 113}}, AuthFailed, "add this server's"),
    (404, {"title": "Not Found"}, Gone, "no such record"),
    (405, {"title": "Method Not Allowed"}, Refused, "no such call"),
    (422, {"title": "Unprocessable"}, Refused, "can't do it"),
    (429, {"title": "Too many"}, RateLimited, "too many calls"),
    (301, b"moved", Refused, "another address"),
]


class TestRefusals:
    @pytest.mark.parametrize(("status", "body", "error", "words"), REFUSALS)
    def test_each_refusal_has_its_error(self, web, by_token, recorded, status, body, error, words):
        body = recorded(body) if isinstance(body, str) else body
        web.patch(API + "leads/5", body=body if isinstance(body, bytes) else orjson.dumps(body), status=status)
        with pytest.raises(error) as caught:
            by_token._client.patch("leads/5", {"name": "x"})
        assert words in str(caught.value)
        assert "FAKE_LONG_LIVED_TOKEN" not in str(caught.value)

    def test_the_block_in_html_says_what_only_support_can_do(self, web, by_token):
        page = (SAMPLES / "blocked-403.error.txt").read_text().split("\n\n", 1)[1]
        web.get(API + "account", body=page, status=403, content_type="text/html")
        with pytest.raises(AuthFailed, match="amoCRM's support alone") as caught:
            by_token._client.get("account")
        assert caught.value.remedy == "support"

    @pytest.mark.parametrize(
        ("status", "body", "remedy"),
        [
            (401, {"status": 401}, "credentials"),
            (401, {"response": {"error_code": "111"}}, "credentials"),
            (401, {"response": {"error_code": "112"}}, "right"),
            (402, {"status": 402}, "payment"),
            (403, {"response": {"error_code": 113}}, "address"),
        ],
    )
    def test_what_a_person_must_do_is_named(self, web, by_token, status, body, remedy):
        web.get(API + "account", body=orjson.dumps(body), status=status)
        with pytest.raises(AuthFailed) as caught:
            by_token._client.get("account")
        assert caught.value.remedy == remedy

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_sick_account(self, web, by_token, status):
        web.get(API + "leads", body="<html>", status=status)
        web.post(API + "leads", body="<html>", status=status)
        with pytest.raises(Retry):
            by_token._client.get("leads")
        with pytest.raises(Uncertain):
            by_token._client.post("leads", [{}])

    def test_a_lost_answer(self, web, by_token):
        web.post(API + "leads", body=requests.ConnectionError("reset"))
        with pytest.raises(Uncertain):
            by_token._client.post("leads", [{}])

    def test_html_instead_of_json(self, web, by_token):
        web.get(API + "leads", body="<html>hello</html>")
        with pytest.raises(Retry, match="not JSON"):
            by_token._client.get("leads")

    def test_too_many_calls_wait_longer_each_time(self, web, by_token):
        clock = [1000.0]
        by_token._client._clock = lambda: clock[0]
        web.get(API + "leads", body="<html>429</html>", status=429)
        waits = []
        for _ in range(4):
            with pytest.raises(RateLimited) as caught:
                by_token._client.get("leads")
            waits.append(caught.value.after)
            clock[0] += caught.value.after
        assert waits == [1.0, 2.0, 4.0, 8.0]

    def test_parallel_refusals_are_one(self, web, by_token):
        by_token._client._clock = lambda: 1000.0
        web.get(API + "leads", status=429)
        for _ in range(5):
            with pytest.raises(RateLimited) as caught:
                by_token._client.get("leads")
            assert caught.value.after == 1.0

    def test_after_429_no_other_call_goes_out(self, web, by_token):
        clock = [1000.0]
        by_token._client._clock = lambda: clock[0]
        web.get(API + "leads", status=429, headers={"Retry-After": "17"})
        web.get(API + "contacts", status=204)
        for path in ("leads", "contacts", "contacts"):
            with pytest.raises(RateLimited) as caught:
                by_token._client.get(path)
            assert caught.value.after == 17.0
        assert len(web.calls) == 1
        clock[0] += 17
        assert by_token._client.get("contacts") is None

    def test_retry_after_is_obeyed(self, web, by_token):
        web.get(API + "leads", status=429, headers={"Retry-After": "17"})
        with pytest.raises(RateLimited) as caught:
            by_token._client.get("leads")
        assert caught.value.after == 17.0

    def test_the_field_that_is_objected_to_is_named(self, recorded):
        """The vendor names a place in the list; people know the field by its id."""
        body = recorded("validation.error.json")
        sent = [{"request_id": "0", "custom_fields_values": [{"field_id": 601002, "values": []}]}]
        assert list(fields_of(body, sent)) == ["601002"]
        assert list(fields_of(body, sent[0])) == ["601002"]
        for strange in (None, [], [1], {}, [{"custom_fields_values": 5}]):
            assert list(fields_of(body, strange)) == ["custom_fields_values"]


class TestOAuth:
    def expired(self, web, method="account"):
        web.get(API + method, json={"title": "Unauthorized", "status": 401}, status=401)

    def test_an_expired_token_is_refreshed_and_the_call_repeated(self, web, by_app, recorded):
        self.expired(web)
        web.post(f"{BASE}/oauth2/access_token", json=recorded("oauth-token.response.json"))
        web.get(API + "account", json=recorded("account.response.json"))
        assert by_app._client.get("account")["id"] == 1231414
        asked = said(web, 1)
        assert asked == {
            "client_id": "00000000-0000-4000-8000-0000000000c1",
            "client_secret": "FAKE_CLIENT_SECRET",
            "redirect_uri": "https://hub.example.com/oauth/amocrm",
            "grant_type": "refresh_token",
            "refresh_token": "old-refresh",
        }
        assert "Authorization" not in web.calls[1].request.headers
        assert web.calls[2].request.headers["Authorization"] == "Bearer eyJ0eXAiFAKE.ACCESS.TOKEN"
        assert by_app.tokens.read()["refresh_token"] == "def50200FAKENEWREFRESH"
        assert by_app.tokens.refreshes == 1

    def test_it_is_repeated_once_only(self, web, by_app, recorded):
        self.expired(web)
        web.post(f"{BASE}/oauth2/access_token", json=recorded("oauth-token.response.json"))
        self.expired(web)
        with pytest.raises(AuthFailed, match="fresh token isn't accepted"):
            by_app._client.get("account")
        assert by_app.tokens.refreshes == 1

    def test_one_whose_time_is_over_isnt_even_tried(self, web, by_app, recorded):
        by_app.tokens.store({**by_app.tokens.read(), "expires_at": 1.0})
        web.post(f"{BASE}/oauth2/access_token", json=recorded("oauth-token.response.json"))
        web.get(API + "account", json=recorded("account.response.json"))
        by_app._client.get("account")
        assert [urlsplit(call.request.url).path for call in web.calls] == ["/oauth2/access_token", "/api/v4/account"]

    def test_a_spent_refresh_token_needs_a_person(self, web, by_app, recorded):
        self.expired(web)
        web.post(f"{BASE}/oauth2/access_token", json=recorded("oauth-refresh-revoked.error.json"), status=401)
        with pytest.raises(AuthFailed, match="Give consent once more") as caught:
            by_app._client.get("account")
        assert "Token has been revoked" in str(caught.value)
        assert "old-refresh" not in str(caught.value)
        assert by_app.tokens.read()["access_token"] == "old-access"

    def test_a_lost_answer_to_a_refresh_is_asked_again(self, web, by_app):
        self.expired(web)
        web.post(f"{BASE}/oauth2/access_token", body=requests.ConnectionError("reset"))
        with pytest.raises(Retry, match="the answer to a refresh was lost"):
            by_app._client.get("account")

    def test_the_block_holds_the_token_endpoint_too(self, web, by_app):
        self.expired(web)
        web.post(f"{BASE}/oauth2/access_token", body="<html>403 Forbidden</html>", status=403)
        with pytest.raises(AuthFailed, match="amoCRM's support alone"):
            by_app._client.get("account")

    def test_an_account_that_was_renamed(self, web, by_app):
        """The token's own server knows the new name; it is asked only where the token names one of amoCRM's."""
        for api, found in (("api-b.amocrm.ru", True), ("api.evil.example", False)):
            claims = base64.urlsafe_b64encode(orjson.dumps({"api_domain": api})).decode().rstrip("=")
            by_app.tokens.store({"access_token": f"x.{claims}.y", "refresh_token": "r"})
            self.expired(web)
            web.post(f"{BASE}/oauth2/access_token", json={"hint": "Invalid account"}, status=404)
            if found:
                web.get(f"https://{api}/oauth2/account/current/subdomain", json={"subdomain": "renamed"})
            words = r"base_url: https://renamed\.amocrm\.ru" if found else "Give consent once more"
            with pytest.raises(AuthFailed, match=words):
                by_app._client.get("account")
        assert not [call for call in web.calls if "evil" in call.request.url]

    def test_without_consent(self):
        connector = build(AmoCrm, {"base_url": BASE, "client_id": "c", "client_secret": "s"})
        with pytest.raises(AuthFailed, match="no consent"):
            connector.get("deal", "1")

    @pytest.mark.parametrize(
        ("base_url", "page"),
        [
            (BASE, "https://www.amocrm.ru/oauth"),
            ("https://x.kommo.com", "https://www.kommo.com/oauth"),
            ("http://127.0.0.1:9", "http://127.0.0.1:9/oauth"),
        ],
    )
    def test_the_page_of_consent(self, base_url, page):
        connector = build(AmoCrm, {"base_url": base_url, "client_id": "c&d", "client_secret": "s"})
        url = urlsplit(connector.authorize_url("st&te", ""))
        assert f"{url.scheme}://{url.netloc}{url.path}" == page
        assert dict(parse_qsl(url.query)) == {"client_id": "c&d", "state": "st&te", "mode": "popup"}

    def test_a_long_lived_token_needs_none(self, by_token):
        assert by_token.authorize_url("s", "") is None


class TestLimits:
    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"base_url": BASE}, "amocrm:example.amocrm.ru:"),
            ({"base_url": BASE, "limit_key": "account"}, "amocrm:example.amocrm.ru"),
            ({"base_url": BASE, "limit_key": "ip"}, "amocrm:amocrm.ru"),
            ({"base_url": "https://a.kommo.com"}, "amocrm:kommo.com"),
            ({"base_url": "https://b.kommo.com", "limit_key": "integration"}, "amocrm:b.kommo.com:"),
        ],
    )
    def test_whose_calls_are_counted_together(self, settings, key):
        limits = build(AmoCrm, {**settings, "token": "secret-token-1"}).limits()
        assert limits.key.startswith(key)
        assert limits.key.endswith(":") is False
        assert "secret-token-1" not in limits.key
        assert limits.per_second == 7

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"base_url": "https://www.amocrm.ru", "token": "t"}, "no account's address"),
            ({"base_url": "https://amocrm.ru.evil.example", "token": "t"}, "no account's address"),
            ({"base_url": "http://x.amocrm.ru", "token": "t"}, "https only"),
            ({"base_url": BASE}, "give token"),
            ({"base_url": BASE, "client_id": "x"}, "client_secret"),
            ({"base_url": BASE, "token": "t", "hook_secret": "short"}, "16 letters"),
            ({"base_url": BASE, "token": "t", "chats": {"channel_id": "x"}}, "secret"),
            ({"base_url": BASE, "token": "t", "poll": "soon"}, "not a duration"),
        ],
    )
    def test_settings_that_cant_be(self, settings, words):
        with pytest.raises(Exception, match=words):
            build(AmoCrm, settings)

    def test_an_address_is_tidied(self):
        assert (
            build(AmoCrm, {"base_url": f"{BASE}/leads/", "token": "t", "hook_secret": WORD}).settings["base_url"]
            == BASE
        )


class TestPace:
    def test_no_second_has_more_calls_than_allowed(self):
        clock = [100.0]
        slept = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock[0] += seconds

        pace = Pace(7, lambda: clock[0], sleep)
        times = []
        for _ in range(21):
            pace.wait()
            times.append(clock[0])
        assert all(late - early >= 1.0 for early, late in zip(times, times[7:], strict=False))
        assert slept == pytest.approx([1.05, 1.05])

    def test_slower_than_one_a_second(self):
        clock = [100.0]
        pace = Pace(0.5, lambda: clock[0], lambda seconds: clock.__setitem__(0, clock[0] + seconds))
        for _ in range(3):
            pace.wait()
        assert clock[0] == pytest.approx(104.2)

    def test_threads_get_their_turns_one_after_the_other(self):
        turns = []
        pace = Pace(2, lambda: 100.0, turns.append)
        for _ in range(6):
            pace.wait()
        assert turns == pytest.approx([1.05, 1.05, 2.1, 2.1])

    def test_a_person_at_the_command_line_is_served_after_429(self, web, by_token):
        slept = []
        by_token._client._patience, by_token._client._pace.sleep = 4, slept.append
        web.get(API + "account", status=429)
        web.get(API + "account", status=429)
        web.get(API + "account", json={"id": 5})
        assert by_token._client.get("account") == {"id": 5}
        assert len(slept) == 2
