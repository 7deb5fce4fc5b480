"""Drives PyPI novaposhta-python-client 0.1.14 (httpx), its sync and its async half; it sends every scalar as text."""

import asyncio
import json
import sys

from novaposhta.client import APIRequestError, InvalidAPIKeyError, NovaPoshtaApi

settings = json.loads(sys.argv[1])
sender, person, today = settings["sender"], settings["person"], settings["today"]


def connect(key=settings["api_key"], **options):
    return NovaPoshtaApi(key, api_endpoint=settings["api_url"], raise_for_errors=True, **options)


def refusal(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except (InvalidAPIKeyError, APIRequestError) as refused:
        return [type(refused).__name__, str(refused)]
    return None


out = {}
with connect() as api:
    address = api.address
    city = address.search_settlements("Львів", limit=5)["data"][0]["Addresses"][0]["DeliveryCity"]
    branch = address.get_warehouses(city_ref=city, warehouse_id="1")["data"][0]["Ref"]
    out["places"] = [city, branch]
    out["areas"] = len(address.get_areas()["data"])
    out["cities"] = address.get_cities(find_by_string="Киї")["info"]
    out["settlements"] = len(address.get_settlements(find_by_string="Миколаївка")["data"])
    street = address.get_street(city, "Городоцька")["data"][0]["Ref"]

    saved = api.counterparty.save(
        first_name=person["first"],
        middle_name=person["middle"],
        last_name=person["last"],
        phone=person["phone"],
        email="",
        counterparty_type="PrivatePerson",
        edrpou="",
        counterparty_property="Recipient",
        city_ref="",
    )["data"][0]
    contact = saved["ContactPerson"]["data"][0]["Ref"]
    door = address.save(saved["Ref"], street, "7", "2", "код 12")["data"][0]
    out["door"] = door["Description"]
    out["doors"] = len(api.counterparty.get_counterparty_addresses(saved["Ref"])["data"])

    route = {"city_sender": sender["city"], "city_recipient": city, "service_type": "WarehouseWarehouse"}
    documents = api.internet_document
    out["price"] = documents.get_document_price(
        **route,
        weight=0.5,
        cost=500,
        cargo_type="Parcel",
        seats_amount=1,
        redelivery_calculate={"CargoType": "Money", "Amount": 500},
    )["data"][0]["CostRedelivery"]
    out["date"] = documents.get_document_delivery_date(**route)["data"][0]["timezone"]
    form = {
        **route,
        "payer_type": "Recipient",
        "payment_method": "Cash",
        "date_time": today,
        "cargo_type": "Parcel",
        "weight": 0.5,
        "seats_amount": 1,
        "description": "Косметика",
        "cost": 500,
        "sender": sender["counterparty"],
        "sender_address": sender["address"],
        "contact_sender": sender["contact"],
        "senders_phone": sender["phone"],
        "recipients_phone": person["phone"],
        "recipient": saved["Ref"],
        "recipient_address": branch,
        "contact_recipient": contact,
    }
    money = [{"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": "500"}]
    made = documents.save(
        **form, volume_general=0.004, backward_delivery_data=money, info_reg_client_barcodes="outside-2"
    )["data"][0]
    out["made"] = made
    out["updated"] = documents.update(**(form | {"ref": made["Ref"], "cost": 900, "volume_general": 0.004}))["data"][0][
        "IntDocNumber"
    ]
    out["tracked"] = api.tracking_document.get_status_documents(
        [{"DocumentNumber": made["IntDocNumber"], "Phone": person["phone"]}]
    )["data"][0]
    out["listed"] = [row["ClientBarcode"] for row in documents.get_document_list(today, today)["data"]]

    locker = form | {"service_type": "WarehousePostomat", "recipient_address": settings["lviv_postomat"]}
    seat = {"weight": "1", "volumetricWidth": "20", "volumetricLength": "30", "volumetricHeight": "10"}
    out["locker"] = documents.save(**locker, options_seat=[seat])["success"]
    out["heavy"] = refusal(documents.save, **locker, options_seat=[seat | {"weight": "25"}])
    out["papers"] = refusal(documents.save, **(form | {"cargo_type": "Documents"}), volume_general=0.004)
    out["deleted"] = documents.delete(made["Ref"])["data"]
    out["deleted again"] = refusal(documents.delete, made["Ref"])
    out["company"] = refusal(api.counterparty.save, "", "", "", "", "", "Organization", "", "Recipient", "")
    out["redirecting"] = api.additional_service.check_possibility_for_redirecting(settings["parcel"])["data"][0][
        "Number"
    ]
    sheet = api.scan_sheet.insert_documents([made["Ref"]], "", today)["data"][0]
    out["sheet"] = sheet["Errors"]

with connect("nonsense") as wrong:
    out["wrong key"] = refusal(wrong.counterparty.get_counterparties, "Sender")


async def at_once():
    async with connect(async_mode=True) as api:
        asked = [{"DocumentNumber": made["IntDocNumber"], "Phone": person["phone"]}]
        answers = await asyncio.gather(*(api.tracking_document.get_status_documents(asked) for _ in range(5)))
        return [answer["data"][0]["StatusCode"] for answer in answers]


out["async"] = asyncio.run(at_once())
print(json.dumps(out))
