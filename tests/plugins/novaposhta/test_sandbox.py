"""The sandbox over real HTTP: its envelope, oddities, faults and controls."""

import datetime as dt
import itertools
from collections.abc import Callable

import pytest
import requests

from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.envelope import METHODS
from plugins.novaposhta.sandbox.world import API_KEY
from tests.plugins.novaposhta.caller import NOW, Client

# --- the envelope -----------------------------------------------------------------------------


def test_address_content_type_and_general_names_do_not_matter(np: Client) -> None:
    body = f'{{"apiKey": "{API_KEY}", "modelName": "AddressGeneral", "calledMethod": "getAreas"}}'
    for path, kind in itertools.product(("/v2.0/json/", "/v2.0/json"), ("text/plain", "application/json")):
        response = requests.post(np.url + path, data=body, headers={"Content-Type": kind}, timeout=10)
        assert response.status_code == 200
        assert response.json()["data"]
    assert np.state()["calls"] == {"Address.getAreas": 4}


def test_an_unknown_method_and_an_unreadable_body_are_refused_with_http_200(np: Client) -> None:
    answer = np.call("InternetDocument.documentsTracking")
    assert answer["errors"] == ["Method InternetDocumentGeneral_documentsTracking not found"]
    assert answer["errorCodes"] == []
    response = requests.post(f"{np.url}/v2.0/json/", data=b"<xml/>", timeout=10)
    assert (response.status_code, response.json()["success"]) == (200, False)


def test_every_method_of_the_documentation_is_served() -> None:
    models = {name.partition(".")[0] for name in METHODS}
    assert models == {
        "Address",
        "AdditionalService",
        "Common",
        "ContactPerson",
        "Counterparty",
        "InternetDocument",
        "ScanSheet",
        "TrackingDocument",
    }
    assert len(METHODS) >= 60


def test_directories_and_tracking_answer_without_a_key_the_rest_does_not() -> None:
    open_models = {name.partition(".")[0] for name, found in METHODS.items() if found.without_key}
    assert open_models == {"Address", "Common", "TrackingDocument", "InternetDocument"}
    assert not METHODS["InternetDocument.save"].without_key
    assert not METHODS["Address.save"].without_key


# --- oddities, faults, controls -----------------------------------------------------------------


def test_refusals_can_be_bent_into_the_known_shapes(np: Client) -> None:
    np.control("quirks", {"errors_as_objects": True})
    answer = np.call("InternetDocument.delete")
    assert (answer["errors"], answer["errorCodes"]) == ({"0": "Refs is undefined"}, {"0": "20000200307"})
    np.control("quirks", {"errors_as_objects": False, "no_codes": True})
    assert np.codes("InternetDocument.delete") == []
    assert "error" in np.control("quirks", {"nonsense": True})


@pytest.mark.parametrize(
    ("kind", "code"),
    [("rate_limit", "20000401501"), ("key_expired", "20000201204"), ("service_unavailable", "20000100016")],
)
def test_a_fault_hits_the_method_it_names_and_does_nothing(np: Client, kind: str, code: str) -> None:
    form = np.form()
    np.control("fault", {"kind": kind, "match": "InternetDocument.save"})
    assert np.ok("Common.getCargoTypes")
    assert np.codes("InternetDocument.save", **form) == [code]
    assert np.state()["counts"]["waybills"] == 0
    assert np.ok("InternetDocument.save", **form)


def test_empty_data_and_a_gateways_page(np: Client) -> None:
    np.control("fault", {"kind": "empty_data", "match": "getWarehouses"})
    assert np.ok("Address.getWarehouses", Ref=directory.KYIV_BRANCH_1) == []
    assert np.ok("Address.getWarehouses", Ref=directory.KYIV_BRANCH_1)
    np.control("fault", {"kind": "html"})
    response = requests.post(f"{np.url}/v2.0/json/", json={}, timeout=10)
    assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, "text/html")


def test_the_limit_of_calls_goes_by_the_clock(start: Callable[..., Client]) -> None:
    moment = [NOW]
    np = start(clock=lambda: moment[0], calls_per_second=2)
    assert [np.call("Common.getCargoTypes")["success"] for _ in range(3)] == [True, True, False]
    moment[0] += dt.timedelta(seconds=1)
    assert np.call("Common.getCargoTypes")["success"]


def test_print_links_answer_a_pdf_and_keep_the_key_out_of_the_counters(np: Client) -> None:
    one, other = np.save(), np.save()
    base, key = f"{np.url}/orders", np.credentials["api_key"]
    for link in (
        f"{base}/printDocument/orders[]/{one['Ref']}/type/pdf/apiKey/{key}",
        f"{base}/printMarkings/orders[]/{one['Ref']}/type/pdf/apiKey/{key}",
        f"{base}/printMarking100x100/orders/{one['IntDocNumber']},{other['IntDocNumber']}/type/pdf/apiKey/{key}",
    ):
        response = requests.get(link, timeout=10)
        assert response.content.startswith(b"%PDF-"), link
        assert one["IntDocNumber"].encode() in response.content
    assert [row["printed"] for row in np.state()["waybills"]] == [True, True]
    assert not any(key in name for name in np.state()["calls"])
    wrong = requests.get(f"{base}/printDocument/orders[]/{one['Ref']}/type/pdf/apiKey/wrong", timeout=10)
    assert wrong.headers["Content-Type"].startswith("text/html")


def test_reset_starts_the_account_afresh(np: Client) -> None:
    np.save()
    np.control("quirks", {"no_codes": True})
    np.control("reset")
    state = np.state()
    assert (state["counts"]["waybills"], state["quirks"]["no_codes"], state["calls"]) == (0, False, {})
    assert np.save()["IntDocNumber"] == "20450000000001"
