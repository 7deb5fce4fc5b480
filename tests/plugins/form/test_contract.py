"""The contract, kept by the form connector."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hub.testing.contract import WebhookContract
from plugins.form.connector import FormConnector

SECRET = "page-key-page-key"


class TestForm(WebhookContract):
    connector_class = FormConnector
    settings: ClassVar = {"secret": SECRET, "secrets": ["an-older-secret"], "honeypot": "website2"}
    samples = Path(__file__).parent / "samples"
    expected: ClassVar = {
        "tilda-form.webhook.txt": ["form.submitted"],
        "tilda-cart.webhook.txt": ["form.submitted"],
        "elementor-advanced.webhook.txt": ["form.submitted"],
        "elementor-plain.webhook.txt": ["form.submitted"],
        "cf7-to-webhook.webhook.json": ["form.submitted"],
        "google-response.webhook.json": ["form.submitted"],
        "google-named-values.webhook.json": ["form.submitted"],
        "page-json.webhook.json": ["form.submitted"],
        "page-serialize-array.webhook.json": ["form.submitted"],
        "page-multipart.http": ["form.submitted"],
        "page-windows-1251.webhook.txt": ["form.submitted"],
        "form-opened.http": ["form.opened"],
    }

    def request(self, connector, sample):
        return replace(super().request(connector, sample), path="/in/form", tail=self._tail(sample, ""))

    def deliver(self, connector, request):
        return replace(request, tail=self._tail(request.tail, SECRET))

    def forged(self, connector, request):
        wrong = self._tail(request.tail, "page-key-page-kez")
        return [
            replace(request, tail=wrong),
            replace(request, tail=self._tail(request.tail, "page-key-page-ke")),
            replace(request, tail="", headers={**request.headers, "x-api-key": "nope"}),
            replace(request, tail="", headers={**request.headers, "authorization": f"Basic {SECRET}"}),
        ]

    @staticmethod
    def _tail(where, secret):
        return f"{secret}/opened" if "opened" in where else secret
