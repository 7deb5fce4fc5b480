"""A caller of a running sandbox, and the moment and the phone its tests agree on."""

import datetime as dt
from typing import Any

import requests

from plugins.novaposhta.sandbox import NovaPoshtaSandbox, directory
from plugins.novaposhta.sandbox.world import API_KEY

NOW = dt.datetime(2026, 5, 4, 9, 0, tzinfo=dt.UTC)
PHONE = "380500000004"


class Client:
    """Calls a running sandbox the way the vendor documents it."""

    def __init__(self, sandbox: NovaPoshtaSandbox) -> None:
        self.running = sandbox.start()
        self.url = self.running.url
        self.credentials = sandbox.credentials()

    def call(self, name: str, key: str = API_KEY, **props: Any) -> dict[str, Any]:
        model, method = name.split(".")
        body = {"apiKey": key, "modelName": model, "calledMethod": method, "methodProperties": props}
        return requests.post(self.credentials["api_url"], json=body, timeout=10).json()

    def ok(self, name: str, **props: Any) -> list[Any]:
        answer = self.call(name, **props)
        assert answer["success"], answer["errors"]
        return answer["data"]

    def codes(self, name: str, **props: Any) -> Any:
        answer = self.call(name, **props)
        assert not answer["success"]
        assert answer["data"] == []
        return answer["errorCodes"]

    def control(self, path: str, body: Any = None) -> Any:
        return requests.post(f"{self.url}/_sandbox/{path}", json=body or {}, timeout=10).json()

    def state(self) -> dict[str, Any]:
        return requests.get(f"{self.url}/_sandbox/state", timeout=10).json()

    def move(self, number: str, code: str, at: str = "2026-05-06 10:00:00") -> dict[str, Any]:
        return self.control(f"parcels/{number}/status", {"code": code, "at": at})

    def track(self, number: str, phone: str = PHONE, **more: Any) -> dict[str, Any]:
        documents = [{"DocumentNumber": number, "Phone": phone}]
        return self.ok("TrackingDocument.getStatusDocuments", Documents=documents, **more)[0]

    def person(self) -> dict[str, str]:
        row = self.ok(
            "Counterparty.save",
            CounterpartyType="PrivatePerson",
            CounterpartyProperty="Recipient",
            FirstName="Тест",
            LastName="Тестенко",
            MiddleName="Тестович",
            Phone=PHONE,
        )[0]
        return {"Recipient": row["Ref"], "ContactRecipient": row["ContactPerson"]["data"][0]["Ref"]}

    def form(self, **changes: Any) -> dict[str, Any]:
        """Return the properties of a plain parcel from Kyiv to Lviv, changed; None takes one away."""
        sender = self.credentials["sender"]
        props = {
            "PayerType": "Recipient",
            "PaymentMethod": "Cash",
            "DateTime": "04.05.2026",
            "CargoType": "Parcel",
            "Weight": "0.5",
            "VolumeGeneral": "0.004",
            "ServiceType": "WarehouseWarehouse",
            "SeatsAmount": "1",
            "Description": "Косметика",
            "Cost": "500",
            "CitySender": sender["city"],
            "Sender": sender["counterparty"],
            "SenderAddress": sender["address"],
            "ContactSender": sender["contact"],
            "SendersPhone": sender["phone"],
            "CityRecipient": directory.LVIV,
            "RecipientAddress": directory.LVIV_BRANCH_1,
            "RecipientsPhone": PHONE,
            **self.person(),
        }
        return {name: value for name, value in (props | changes).items() if value is not None}

    def save(self, **changes: Any) -> dict[str, Any]:
        return self.ok("InternetDocument.save", **self.form(**changes))[0]

    def save_codes(self, **changes: Any) -> Any:
        return self.codes("InternetDocument.save", **self.form(**changes))
