"""Drives PyPI novaposhta-api-client 0.2.3 (requests, attrs): models with converted dates and its own exceptions."""

import json
import sys

from novaposhta import models
from novaposhta.exceptions import ApiError, AuthError

settings = json.loads(sys.argv[1])
sender, person = settings["sender"], settings["person"]
api = models.NovaPoshta(api_key=settings["api_key"], endpoint=settings["api_url"])


def refusal(call):
    try:
        call()
    except (AuthError, ApiError) as refused:
        return [type(refused).__name__, dict(refused.errors)]
    return None


out = {}
out["cities"] = [city.Description for city in api.Address.get_cities("Льв")]
out["branches"] = len(api.Address.get_warehouses(settings["lviv"]))
out["streets"] = [street.Description for street in api.Address.get_streets(settings["lviv"])]
out["types"] = len(api.Address.get_warehouse_types())
out["cargo"] = [kind.Ref for kind in api.Common.get_cargo_types()]
out["intervals"] = len(api.Common.get_time_intervals(settings["lviv"], settings["today"]))
out["sender"] = [one.Ref for one in api.Counterparty.get_counterparties("Sender")]
out["people"] = [one.Phones for one in api.Counterparty.get_counterparty_contact_persons(sender["counterparty"])]

saved = api.Counterparty(
    CounterpartyType="PrivatePerson",
    CounterpartyProperty="Recipient",
    FirstName=person["first"],
    LastName=person["last"],
    MiddleName=person["middle"],
    Phone=person["phone"],
).save()
made = api.InternetDocument(
    PayerType="Recipient",
    PaymentMethod="Cash",
    DateTime=settings["today"],
    CargoType="Parcel",
    Weight=0.5,
    VolumeGeneral=0.004,
    ServiceType="WarehouseWarehouse",
    SeatsAmount=1,
    Description="Косметика",
    Cost=500,
    CitySender=sender["city"],
    Sender=sender["counterparty"],
    SenderAddress=sender["address"],
    ContactSender=sender["contact"],
    SendersPhone=sender["phone"],
    CityRecipient=settings["lviv"],
    Recipient=saved.Ref,
    RecipientAddress=settings["lviv_branch"],
    ContactRecipient=saved.ContactPerson.Ref,
    RecipientsPhone=person["phone"],
    InfoRegClientBarcodes="outside-3",
).save()
out["made"] = [made.IntDocNumber, made.CostOnSite, made.EstimatedDeliveryDate.isoformat()]

received, fresh, unknown = api.TrackingDocument.get_status_documents(
    [
        (settings["received"], person["phone"]),
        (made.IntDocNumber, person["phone"]),
        ("20400048799000", ""),
    ]
)
out["received"] = [
    received.StatusCode,
    received.RecipientDateTime.isoformat(),
    received.ScheduledDeliveryDate.isoformat(),
]
out["fresh"] = [fresh.StatusCode, fresh.ClientBarcode, fresh.RecipientDateTime]
out["unknown"] = unknown.StatusCode
out["listed"] = [
    row.IntDocNumber
    for row in api.InternetDocument.get_document_list(
        DateTimeFrom=settings["today"], DateTimeTo=settings["today"], GetFullList=1
    )
]

parcel = settings["parcel"]
address = api.AdditionalService.check_possibility_create_return(parcel)[0]
reason = api.AdditionalService.get_return_reasons()[0]
subtype = api.AdditionalService.get_return_reason_subtypes(reason.Ref)[0]
placed = api.ReturnRequest(
    IntDocNumber=parcel,
    PaymentMethod="Cash",
    Reason=reason.Ref,
    SubtypeReason=subtype.Ref,
    ReturnAddressRef=address.Ref,
).save()
out["order"] = placed.Number
out["orders"] = [row.OrderNumber for row in api.AdditionalService.get_return_orders_list(Number=placed.Number)]

out["no phone"] = refusal(api.InternetDocument(PayerType="Recipient").save)
out["company"] = refusal(api.Counterparty(CounterpartyType="Organization", CounterpartyProperty="Recipient").save)
wrong = models.NovaPoshta(api_key="nonsense", endpoint=settings["api_url"])
out["wrong key"] = refusal(lambda: wrong.Counterparty.get_counterparties())
print(json.dumps(out))
