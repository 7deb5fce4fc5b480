"""An app's tokens: consent, installation, refresh; and who is turned away."""

from dataclasses import replace
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
import responses

from hub.errors import AuthFailed, Rejected, Retry
from hub.model import Request
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from tests.plugins.bitrix24.conftest import APP, SAMPLES

REST = "https://portal.bitrix24.ru/rest/"
TOKEN = "https://oauth.bitrix.info/oauth/token/"
INFO = "https://oauth.bitrix24.tech/rest/app.info"


@pytest.fixture
def web():
    with responses.RequestsMock() as mock:
        yield mock


def install(**changes):
    pairs = {**dict(Request("POST", "/", body=(SAMPLES / "ONAPPINSTALL.webhook.txt").read_bytes()).form()), **changes}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Request("POST", "/oauth/crm", headers=headers, body=urlencode(pairs).encode())


def info(**install):
    return {
        "result": {
            "client_id": APP["client_id"],
            "install": {"member_id": "0000000000000000000000000000fake", **install},
        }
    }


def expired(web, recorded, method="profile"):
    web.post(REST + method, json=recorded("rest-expired_token.error.json"), status=401)


class TestRefresh:
    def test_an_expired_token_is_refreshed_and_the_call_repeated(self, web, by_app, recorded):
        expired(web, recorded)
        web.get(TOKEN, json=recorded("oauth-token-refresh.response.json"))
        web.post(REST + "profile", json=recorded("profile.response.json"))
        assert by_app._client.call("profile")["ID"] == "1"
        asked = parse_qs(urlsplit(web.calls[1].request.url).query)
        assert asked["grant_type"] == ["refresh_token"]
        assert asked["refresh_token"] == ["old-refresh"]
        assert orjson.loads(web.calls[2].request.body) == {"auth": "fake_access_token_00000000000002"}
        kept = by_app.tokens.read()
        assert kept["refresh_token"] == "fake_refresh_token_0000000000002"
        assert kept["application_token"] == "learned-token"
        assert by_app.tokens.refreshes == 1

    def test_it_is_repeated_once_only(self, web, by_app, recorded):
        expired(web, recorded)
        web.get(TOKEN, json=recorded("oauth-token-refresh.response.json"))
        expired(web, recorded)
        with pytest.raises(Retry):
            by_app._client.call("profile")
        assert by_app.tokens.refreshes == 1

    @pytest.mark.parametrize(
        ("status", "name"),
        [(400, "oauth-invalid_grant"), (402, "oauth-PAYMENT_REQUIRED"), (200, "oauth-invalid_grant")],
    )
    def test_a_refused_refresh_holds_the_connection(self, web, by_app, recorded, status, name):
        expired(web, recorded)
        web.get(TOKEN, json=recorded(f"{name}.error.json"), status=status)
        with pytest.raises(AuthFailed) as caught:
            by_app._client.call("profile")
        assert "old-refresh" not in str(caught.value)
        assert by_app.tokens.read()["access_token"] == "old-access"

    def test_a_sick_authorization_server_is_waited_for(self, web, by_app, recorded):
        expired(web, recorded)
        web.get(TOKEN, body="<html>", status=502)
        with pytest.raises(Retry):
            by_app._client.call("profile")

    def test_tokens_go_to_the_official_servers_alone(self, web, by_app, recorded):
        held = by_app.tokens.read()
        by_app.tokens.store({**held, "server_endpoint": "https://oauth.evil.example/rest/"})
        expired(web, recorded)
        web.get("https://oauth.bitrix24.tech/oauth/token/", json=recorded("oauth-token-refresh.response.json"))
        web.post(REST + "profile", json=recorded("profile.response.json"))
        assert by_app._client.call("profile")

    def test_without_an_installation(self):
        connector = build(Bitrix24, APP)
        with pytest.raises(AuthFailed, match="installed"):
            connector.get("deal", "1")

    def test_a_webhook_is_preferred_where_it_may(self, web, recorded):
        hook = REST + "1/secretsecret/"
        connector = build(Bitrix24, {**APP, "webhook_url": hook}, tokens={"access_token": "a", "client_endpoint": REST})
        web.post(hook + "profile", json=recorded("profile.response.json"))
        web.post(REST + "event.get", json=recorded("event.get.response.json"))
        connector._client.call("profile")
        connector._client.call("event.get")
        assert orjson.loads(web.calls[1].request.body) == {"auth": "a"}


class TestConsent:
    def test_the_page_of_consent(self):
        url = build(Bitrix24, APP).authorize_url("st&te", "https://hub.example.com/oauth/crm")
        assert url == "https://portal.bitrix24.ru/oauth/authorize/?client_id=app.000000000000.00000000&state=st%26te"
        assert build(Bitrix24, {"webhook_url": REST + "1/secretsecret/"}).authorize_url("s", "") is None

    def test_a_code_becomes_tokens(self, web, recorded):
        connector = build(Bitrix24, APP)
        web.get("https://oauth.bitrix24.tech/oauth/token/", json=recorded("oauth-token-refresh.response.json"))
        line = (SAMPLES / "oauth-authorize-callback.txt").read_text().split()[1]
        query = tuple((key, values[0]) for key, values in parse_qs(urlsplit(line).query).items())
        reply = connector.consent(Request("GET", "/oauth/crm", query))
        assert reply.status == 200
        asked = parse_qs(urlsplit(web.calls[0].request.url).query)
        assert asked["code"] == ["fake_code_00000000000000000000000"]
        assert connector.tokens.read()["client_endpoint"] == REST
        assert "domain" not in connector.tokens.read()

    def test_another_portals_consent_is_turned_away(self, web, recorded):
        connector = build(Bitrix24, {**APP, "portal": "https://other.bitrix24.ru"})
        web.get("https://oauth.bitrix24.tech/oauth/token/", json=recorded("oauth-token-refresh.response.json"))
        with pytest.raises(Rejected, match="not from the portal"):
            connector.consent(Request("GET", "/oauth/crm", (("code", "c"),)))
        assert connector.tokens.read() is None

    def test_nothing_useful(self):
        with pytest.raises(Rejected) as caught:
            build(Bitrix24, APP).consent(Request("GET", "/oauth/crm"))
        assert caught.value.status == 400
        with pytest.raises(Rejected):
            build(Bitrix24, {"webhook_url": REST + "1/secretsecret/"}).consent(install())


class TestInstallation:
    WHERE: ClassVar = {"portal": "https://some-domain.bitrix24.ru"}

    def test_the_authorization_server_is_asked(self, web):
        connector = build(Bitrix24, {**APP, **self.WHERE})
        web.post(INFO, json=info(client_endpoint="https://some-domain.bitrix24.ru/rest/"))
        assert connector.consent(install()).status == 200
        kept = connector.tokens.read()
        assert kept["refresh_token"] == "fake_refresh_token_0000000000001"
        connector.verify(replace(install(event="ONCRMDEALADD"), path="/in/crm"))

    def test_the_portals_address_is_learned(self, web):
        connector = build(Bitrix24, {key: value for key, value in APP.items() if key != "portal"})
        web.post(INFO, json=info(client_endpoint="https://some-domain.bitrix24.ru/rest/"))
        connector.consent(install(**{"auth[client_endpoint]": "https://evil.example/rest/"}))
        assert connector.portal == "https://some-domain.bitrix24.ru"

    def test_an_address_nobody_vouches_for(self, web):
        connector = build(Bitrix24, {key: value for key, value in APP.items() if key != "portal"})
        web.post(INFO, json={"result": {"ID": 5}})
        with pytest.raises(Rejected, match="portal"):
            connector.consent(install())

    def test_a_forged_token(self, web, recorded):
        connector = build(Bitrix24, {**APP, **self.WHERE})
        web.post(INFO, json=recorded("rest-NO_AUTH_FOUND.error.json"), status=401)
        with pytest.raises(Rejected):
            connector.consent(install())
        assert connector.tokens.read() is None

    @pytest.mark.parametrize("answer", [{"client_id": "another"}, {"install": {"member_id": "another"}}])
    def test_tokens_of_another_app_or_portal(self, web, answer):
        connector = build(Bitrix24, {**APP, **self.WHERE})
        web.post(INFO, json={"result": answer})
        with pytest.raises(Rejected, match="another app or portal"):
            connector.consent(install())

    def test_a_pinned_application_token(self):
        connector = build(Bitrix24, {**APP, **self.WHERE, "application_token": "ours"})
        with pytest.raises(Rejected, match="application_token"):
            connector.consent(install())

    def test_a_pinned_portal(self, web):
        connector = build(Bitrix24, {**APP, **self.WHERE, "member_id": "another"})
        web.post(INFO, json=info())
        with pytest.raises(Rejected, match="member_id"):
            connector.consent(install())

    def test_opened_in_the_portal(self, web):
        connector = build(Bitrix24, {**APP, **self.WHERE})
        web.post(INFO, json=info(client_endpoint="https://some-domain.bitrix24.ru/rest/"))
        pairs = {
            "AUTH_ID": "a",
            "REFRESH_ID": "r",
            "member_id": "0000000000000000000000000000fake",
            "APPLICATION_TOKEN": "t",
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        query = (("DOMAIN", "evil.example"),)
        reply = connector.consent(Request("POST", "/oauth/crm", query, headers, urlencode(pairs).encode()))
        assert "installFinish" in str(reply.body)
        assert connector.tokens.read()["client_endpoint"] == "https://some-domain.bitrix24.ru/rest/"
