"""The contract of every plugin, kept by this one: declaration, reading, the door."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hub.testing.contract import WebhookContract
from plugins.bitrix24.connector import Bitrix24

IN_SAMPLES = b"fake_application_token_0000000001"
OURS = b"our-own-application-token"


class TestBitrix24(WebhookContract):
    connector_class = Bitrix24
    settings: ClassVar = {
        "webhook_url": "https://portal.bitrix24.ru/rest/1/s3cretofthewebhook/",
        "application_token": OURS.decode(),
    }
    samples = Path(__file__).parent / "samples"
    expected: ClassVar = {
        "ONAPPINSTALL.webhook.txt": ["connection.changed"],
        "ONAPPUNINSTALL.webhook.txt": ["connection.changed"],
        "ONCRMACTIVITYADD.webhook.txt": ["vendor.oncrmactivityadd"],
        "ONCRMCOMPANYADD.webhook.txt": ["company.created"],
        "ONCRMCONTACTADD-captured.webhook.txt": ["contact.created"],
        "ONCRMCONTACTUPDATE.webhook.txt": ["contact.updated"],
        "ONCRMDEALADD-to-app.webhook.txt": ["deal.created"],
        "ONCRMDEALADD-to-outgoing-webhook.webhook.txt": ["deal.created"],
        "ONCRMDEALMOVETOCATEGORY.webhook.txt": ["deal.updated"],
        "ONCRMDEALUPDATE-outgoing-minimal.webhook.txt": ["deal.updated"],
        "ONCRMDYNAMICITEMUPDATE.webhook.txt": ["item.updated"],
        "ONCRMLEADADD.webhook.txt": ["lead.created"],
        "ONCRMLEADUPDATE.webhook.txt": ["lead.updated"],
        "ONCRMTIMELINECOMMENTADD.webhook.txt": ["note.added"],
        "ONEXTERNALCALLSTART.webhook.txt": ["call.started"],
        "ONIMCONNECTORDIALOGSTART.webhook.txt": ["vendor.onimconnectordialogstart"],
        "ONIMCONNECTORMESSAGEADD.webhook.txt": ["message.sent"],
        "ONIMCONNECTORDIALOGFINISH.webhook.txt": ["vendor.onimconnectordialogfinish"],
        "ONIMCONNECTORLINEDELETE.webhook.txt": ["connection.changed"],
        "ONIMCONNECTORMESSAGEDELETE.webhook.txt": ["message.deleted"],
        "ONIMCONNECTORMESSAGEUPDATE.webhook.txt": ["vendor.onimconnectormessageupdate"],
        "ONIMCONNECTORSTATUSDELETE.webhook.txt": ["connection.changed"],
        "ONSESSIONFINISH.webhook.txt": ["vendor.onsessionfinish"],
        "ONOFFLINEEVENT.webhook.txt": ["vendor.onofflineevent"],
        "ONOPENLINEMESSAGEADD.webhook.txt": ["message.received"],
        "ONSESSIONSTART.webhook.txt": ["vendor.onsessionstart"],
        "ONTASKUPDATE.webhook.txt": ["task.updated"],
        "ONVOXIMPLANTCALLEND.webhook.txt": ["call.finished"],
    }

    def deliver(self, connector, request):
        return replace(request, body=request.body.replace(IN_SAMPLES, OURS))

    def forged(self, connector, request):
        return [
            replace(request, body=request.body.replace(OURS, b"")),
            replace(request, body=request.body.replace(OURS, OURS + b"x")),
            replace(request, body=request.body.replace(b"auth%5Bapplication_token%5D=" + OURS, b"")),
            replace(request, body=b"event=ONCRMDEALADD"),
            replace(request, method="GET"),
        ]
