"""What can be asked of this plugin: the declared actions, and which function does each.

`cost` is the most vendor calls one takes. Only a waybill can be searched for by a marker (its
InfoRegClientBarcodes); the vendor's own saves of people and addresses are harmless to repeat.
"""

from __future__ import annotations

from hub.connector import ActionKind
from plugins.novaposhta import outgoing, people, services, waybills
from plugins.novaposhta.services import Handler

_DAYS = ("since", "until", "phone", "number", "marker")

_TABLE: tuple[tuple[ActionKind, Handler], ...] = (
    (
        ActionKind(
            "parcel.create",
            required=("city", "phone", "cost"),
            marker=outgoing.MARKER,
            cost=6,
            fields=outgoing.WAYBILL_WORDS,
            note="a waybill from city, branch (or street, house), name, phone, cost; cod with cod_kind money | control",
        ),
        waybills.create,
    ),
    (
        ActionKind(
            "parcel.update",
            required=("city", "phone", "cost"),
            idempotent=True,
            cost=7,
            latest=True,
            fields=outgoing.WAYBILL_WORDS,
            note="all values again; only until the parcel is accepted",
        ),
        waybills.update,
    ),
    (ActionKind("parcel.delete", idempotent=True, cost=2, fields=("number", "ref")), waybills.delete),
    (
        ActionKind("parcel.price", idempotent=True, cost=3, fields=("city", "cost", "weight", "seats", "cod")),
        waybills.price,
    ),
    (ActionKind("parcel.date", idempotent=True, cost=3, fields=("city",)), waybills.date),
    (ActionKind("parcel.find", idempotent=True, cost=10, fields=_DAYS), waybills.search),
    (ActionKind("parcel.list", idempotent=True, cost=10, fields=_DAYS), waybills.search),
    (
        ActionKind("parcel.print", idempotent=True, fields=("number", "ref", "kind", "format")),
        waybills.print_form,
    ),
    (
        ActionKind("parcel.track", idempotent=True, fields=("number", "phone"), note="watches a waybill made by hand"),
        waybills.track,
    ),
    (
        ActionKind("return.create", cost=4, fields=("number", "reason", "subtype", "note", "address", "payment")),
        services.return_create,
    ),
    (ActionKind("return.list", idempotent=True), services.orders_list("return")),
    (ActionKind("return.delete", uncertain="repeat", fields=("ref",)), services.order_delete),
    (
        ActionKind(
            "redirect.create",
            cost=3,
            fields=("number", "city", "branch", "name", "phone", "note", "payer", "payment"),
        ),
        services.redirect_create,
    ),
    (ActionKind("redirect.list", idempotent=True), services.orders_list("redirect")),
    (ActionKind("redirect.delete", uncertain="repeat", fields=("ref",)), services.order_delete),
    (ActionKind("change.create", fields=("number", "name", "phone")), services.change_create),
    (ActionKind("change.list", idempotent=True), services.orders_list("change")),
    (ActionKind("register.create", fields=("refs", "ref", "date")), services.register_create),
    (ActionKind("register.add", uncertain="repeat", fields=("register", "refs", "ref")), services.register_add),
    (ActionKind("register.list", idempotent=True), services.register_list),
    (ActionKind("register.read", idempotent=True, linked=False, fields=("register",)), services.register_read),
    (ActionKind("register.remove", uncertain="repeat", fields=("register", "refs", "ref")), services.register_remove),
    (ActionKind("register.delete", uncertain="repeat", fields=("register",)), services.register_delete),
    (
        ActionKind("counterparty.create", idempotent=True, fields=(*people.WORDS, "edrpou")),
        people.counterparty_create,
    ),
    (ActionKind("counterparty.list", idempotent=True), people.counterparty_list),
    (
        ActionKind("counterparty.update", idempotent=True, cost=2, fields=("ref", "city"), note="companies alone"),
        people.counterparty_update,
    ),
    (ActionKind("counterparty.delete", uncertain="repeat", fields=("ref",)), people.counterparty_delete),
    (
        ActionKind("contact.create", idempotent=True, fields=("counterparty", *people.WORDS)),
        people.contact_create,
    ),
    (
        ActionKind("contact.list", idempotent=True, cost=6, linked=False, fields=("counterparty", "phone", "name")),
        people.contact_list,
    ),
    (
        ActionKind("contact.update", idempotent=True, fields=("ref", "counterparty", *people.WORDS)),
        people.contact_update,
    ),
    (ActionKind("contact.delete", uncertain="repeat", fields=("ref",)), people.contact_delete),
    (
        ActionKind(
            "address.create",
            required=("counterparty", "street", "house"),
            idempotent=True,
            cost=3,
            fields=("counterparty", "city", "street", "house", "flat", "note"),
        ),
        people.address_create,
    ),
    (ActionKind("address.list", idempotent=True, linked=False, fields=("counterparty",)), people.address_list),
    (ActionKind("address.delete", uncertain="repeat", fields=("ref",)), people.address_delete),
    (ActionKind("settlement.find", idempotent=True, linked=False, fields=("name",)), services.settlement_find),
    (ActionKind("city.list", idempotent=True, fields=("name",)), services.city_list),
    (
        ActionKind("warehouse.find", idempotent=True, linked=False, cost=2, fields=("city", "number", "text")),
        services.warehouse_list,
    ),
    (ActionKind("warehouse.list", idempotent=True, cost=2, fields=("city", "number", "text")), services.warehouse_list),
    (
        ActionKind("street.find", idempotent=True, linked=False, cost=2, fields=("city", "settlement", "name")),
        services.street_find,
    ),
    (ActionKind("api", note="any method: `method: Model.method`, values verbatim"), services.api),
)

ACTIONS = tuple(kind for kind, _ in _TABLE)
HANDLERS = {kind.name: handler for kind, handler in _TABLE}
