"""The way out: a secret is masked in every error and exchange, however it is spelled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.errors import HubError, Retry, Uncertain
from hub.masking import Masker
from hub.session import Session
from tests.hub.vendor import Talk, Vendor, close, free_port, half, reply, stall

SPELLINGS = ("s3cr/et key", "s3cr%2Fet%20key", "s3cr%2fet%20key", "s3cr/et%20key", "s3cr%2Fet+key", "s3cr\\/et key")


def hides(text: str) -> bool:
    return not any(spelling in text for spelling in SPELLINGS) and "s3cr" not in text


@pytest.mark.parametrize("written", SPELLINGS)
def test_what_a_vendor_repeats_of_a_secret_is_masked_in_every_error(
    vendors: Callable[..., Vendor], http: Session, written: str
) -> None:
    vendor = vendors(reply(f"{'.' * 195}The requested URL /rest/{written}/x was not found".encode(), "404 Not Found"))
    answer = http.get(vendor.url)
    for ask in (answer.raise_for_status, answer.json):
        with pytest.raises(HubError) as caught:
            ask()
        assert hides(str(caught.value))


@pytest.mark.parametrize("talk", [close, stall, half])
def test_a_secret_in_the_url_is_masked_in_errors_and_exchanges(
    vendors: Callable[..., Vendor], http: Session, talk: Talk
) -> None:
    vendor = vendors(talk)
    with http.work(lambda: None, 1) as context, pytest.raises(Uncertain) as caught:
        http.post(f"{vendor.url}/s3cr%2Fet%20key/lead.add?auth=fresh-token&x=1", timeout=0.3)
    [exchange] = context.exchanges
    assert exchange.url == f"{vendor.url}/***/lead.add?auth=***&x=1"
    assert exchange.status is None and exchange.note
    assert hides(str(caught.value)) and hides(exchange.note)


def test_a_webhooks_address_is_hidden_by_its_path_too(vendors: Callable[..., Vendor]) -> None:
    hook = f"https://127.0.0.1:{free_port()}/rest/1/abcdefgh1234/"
    http = Session("crm", hosts=["127.0.0.1"], masker=Masker([hook]))
    vendor = vendors(tls=True)
    for url in (f"{vendor.url}/1/abcdefgh1234/crm.lead.add", f"{hook}crm.lead.add"):
        with http.work(lambda: None, 1) as context, pytest.raises(Retry) as caught:
            http.post(url, json={})
        assert "abcdefgh1234" not in str(caught.value) + repr(context.exchanges)
    http.close()
