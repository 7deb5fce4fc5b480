"""The contract of a plugin as test classes. A plugin's test inherits one of them and supplies what is its own.

ConnectorContract    declaration, settings, README, quality claims: every plugin
ReceiptContract      + reading stored requests: pure, deterministic, well-formed, unbreakable (a polled vendor)
WebhookContract      + the door: genuine or not, one key per message (a vendor that posts to the hub)

class TestForm(WebhookContract):
    connector_class = FormConnector
    settings = {"secret": "s3cret-s3cret-s3cret"}
    samples = Path(__file__).parent / "samples"
    expected = {"tilda-form.webhook.txt": ["form.submitted"]}

    def deliver(self, connector, request):
        return replace(request, tail="s3cret-s3cret-s3cret")
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import marshmallow as ma
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from hub.connector import API_VERSION, Connector
from hub.errors import Rejected, Skip
from hub.events import KNOWN_EVENTS
from hub.model import Event, Receipt, Request
from hub.quality import HEADINGS, RULES, Report, judge_connector, to_paste
from hub.records import FIELDS
from hub.testing.build import build, secret_values
from hub.testing.files import request_from_file
from hub.testing.mutate import mutated, with_body
from hub.testing.wellformed import problems

#: rule -> what it claims; the whole of each stands in docs/quality.md
QUALITY_RULES: Mapping[str, str] = {name: rule.words for name, rule in RULES.items()}

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DELICATE = re.compile(r"secret|token|password|api_key|salt|signature")
_MANY = profile(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@contextmanager
def no_network() -> Iterator[None]:
    """Make every attempt to reach the network an error, so that what should be pure shows it."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("reading a message may not touch the network")

    with (
        mock.patch.object(socket.socket, "connect", refuse),
        mock.patch.object(socket, "create_connection", refuse),
        mock.patch.object(socket, "getaddrinfo", refuse),
    ):
        yield


#: (file, plugin) -> its report: made once, since nothing of a plugin changes while its tests run
_REPORTS: dict[tuple[str, str], Report] = {}


class ConnectorContract:
    """What holds for every connector, whether it takes messages or not."""

    connector_class: ClassVar[type[Connector]]
    #: settings as in hub.yaml that load
    settings: ClassVar[Mapping[str, Any]]
    region: ClassVar[str] = "UA"
    timezone: ClassVar[str] = "UTC"

    def connector(self, **changes: Any) -> Connector:
        """Return the connector under test."""
        return build(self.connector_class, {**self.settings, **changes}, region=self.region, timezone=self.timezone)

    def folder(self) -> Path:
        """Return the plugin's folder."""
        return Path(inspect.getfile(self.connector_class)).parent

    def test_declares_itself(self) -> None:
        cls = self.connector_class
        assert _NAME.fullmatch(cls.name), cls.name
        assert cls.title
        assert cls.docs_url.startswith("https://")
        assert cls.api_version == API_VERSION
        assert 0 < cls.max_body <= 20_000_000
        re.compile(cls.vendor_field)
        limits = self.connector().limits()
        assert limits.per_second > 0
        assert limits.burst >= 1
        assert limits.parallel >= 1
        assert 0 < limits.timeout <= 600
        assert all(host == host.lower() and "/" not in host for host in self.connector().hosts())

    def test_declares_known_events(self) -> None:
        names = [kind.name for kind in self.connector().events]
        assert len(names) == len(set(names))
        for kind in self.connector().events:
            assert kind.name in KNOWN_EVENTS or kind.name.startswith("vendor."), kind.name
            assert not kind.record or kind.record in FIELDS, kind.record

    def test_declares_actions(self) -> None:
        names = [kind.name for kind in self.connector().actions]
        assert len(names) == len(set(names))
        for kind in self.connector().actions:
            assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", kind.name), kind.name
            assert kind.uncertain in ("repeat", "park", "assume_done"), kind.name
            assert kind.cost >= 1
            assert kind.fields is None or set(kind.required) <= set(kind.fields), kind.name

    def test_settings_have_words_and_marked_secrets(self) -> None:
        for name, field in self.connector_class.Settings().fields.items():
            assert field.metadata.get("help"), f"setting {name} has no help"
            if _DELICATE.search(name):
                assert "secret" in field.metadata, f"setting {name} sounds secret: mark it, secret: True or False"

    def test_unknown_and_missing_settings_are_told(self) -> None:
        with pytest.raises(ma.ValidationError, match="no_such_setting"):
            build(self.connector_class, {**self.settings, "no_such_setting": "x"})
        for name, field in self.connector_class.Settings().fields.items():
            if field.required:
                with pytest.raises(ma.ValidationError, match=name):
                    build(self.connector_class, {key: value for key, value in self.settings.items() if key != name})

    def test_secrets_do_not_show(self) -> None:
        connector = self.connector()
        shown = f"{connector!r} {connector} {connector.connection!r}"
        assert not [secret for secret in self.secrets() if secret in shown]

    def test_readme_has_its_headings(self) -> None:
        text = (self.folder() / "README.md").read_text()
        headings = re.findall(r"^##+ (.+?)\s*$", text, re.M)
        assert [heading for heading in HEADINGS if heading not in headings] == []

    def quality(self) -> Report:
        """Return what quality.yaml says of the plugin, and what came of trying it."""
        here = Path(inspect.getfile(type(self))).parent
        bundled = (self.folder().parent / "__init__.py").is_file()
        key = (inspect.getfile(self.connector_class), self.connector_class.name)
        if key not in _REPORTS:
            _REPORTS[key] = judge_connector(self.connector_class, None if bundled else here)
        return _REPORTS[key]

    def test_quality_list_is_complete(self) -> None:
        report = self.quality()
        assert not report.problems, "\n".join(report.problems)
        assert not report.unanswered, (
            f"quality.yaml does not answer {len(report.unanswered)} rules (docs/quality.md tells each). "
            f"What a machine would say, to be corrected by looking:\n{to_paste(report.unanswered)}"
        )

    def test_quality_claims_hold(self) -> None:
        wrong = [f"{one.rule.name}: {'; '.join(one.found)}" for one in self.quality().disproven]
        assert not wrong, "quality.yaml claims what does not hold:\n" + "\n".join(wrong)

    def secrets(self) -> list[str]:
        """Return the secret texts in the settings under test, long enough to be told from ordinary words."""
        loaded = self.connector_class.Settings().load(dict(self.settings))
        return [secret for secret in secret_values(self.connector_class, loaded) if len(secret) >= 6]


class ReceiptContract(ConnectorContract):
    """What holds for a connector that reads stored requests, pushed or polled."""

    samples: ClassVar[Path]
    #: sample file -> the event types it brings
    expected: ClassVar[Mapping[str, Sequence[str]]]
    at: ClassVar[dt.datetime] = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run each test that takes a `sample` once for every expected file."""
        if "sample" in metafunc.fixturenames:
            metafunc.parametrize("sample", list(self.expected))

    def request(self, connector: Connector, sample: str) -> Request:
        """Return the request in a sample file, as it would be stored."""
        path = self.samples / sample
        return request_from_file(path, connector.connection.name, at=self.at, content_types=connector.content_types)

    def receipt(self, connector: Connector, request: Request) -> Receipt:
        """Return the request as the store hands it out."""
        return Receipt(1, connector.connection.name, self.key(connector, request), request, request.at)

    def key(self, connector: Connector, request: Request) -> str:
        """Return the receipt's key; what is polled gets it from `poll`."""
        return "test"

    def parse(self, connector: Connector, request: Request) -> list[Event]:
        """Read the request with the network shut."""
        receipt = self.receipt(connector, request)
        with no_network():
            return connector.parse(receipt)

    def test_every_sample_is_expected(self) -> None:
        there = {path.name for path in self.samples.iterdir() if ".webhook." in path.name or path.suffix == ".http"}
        assert there - set(self.expected) == set()
        declared = {kind.sample for kind in self.connector_class.events if kind.sample}
        assert declared - {path.name for path in self.samples.iterdir()} == set()

    def test_brings_the_expected_events(self, sample: str) -> None:
        connector = self.connector()
        events = self.parse(connector, self.request(connector, sample))
        assert [event.type for event in events] == list(self.expected[sample])
        declared = {kind.name for kind in connector.events}
        assert {event.type for event in events if not event.type.startswith("vendor.")} <= declared

    def test_events_are_well_formed(self, sample: str) -> None:
        connector = self.connector()
        assert problems(connector, self.parse(connector, self.request(connector, sample))) == []

    def test_reading_is_pure(self, sample: str) -> None:
        one, other = self.connector(), self.connector()
        request = self.request(one, sample)
        first = self.parse(one, request)
        assert self.parse(one, request) == first
        assert self.parse(other, request) == first

    @_MANY
    @given(data=st.data())
    def test_broken_messages_end_in_a_reason(self, sample: str, data: st.DataObject) -> None:
        connector = self.connector()
        request = data.draw(mutated(self.request(connector, sample)))
        try:
            events = self.parse(connector, request)
        except (Rejected, Skip, ValueError) as error:
            assert not [secret for secret in self.secrets() if secret in str(error)]
        else:
            assert problems(connector, events) == []


class WebhookContract(ReceiptContract):
    """What holds for a connector whose vendor posts to the hub."""

    #: the signature covers the body, so that one changed byte must be noticed
    signed_body: ClassVar[bool] = False

    def deliver(self, connector: Connector, request: Request) -> Request:
        """Return the request made genuine: signed, or with the secret where the vendor puts it."""
        raise NotImplementedError

    def again(self, connector: Connector, request: Request) -> Request:
        """Return the genuine request as the vendor's retry sends it."""
        return replace(request, at=request.at + dt.timedelta(seconds=60))

    def forged(self, connector: Connector, request: Request) -> list[Request]:
        """Return more requests that must be turned away: a wrong secret, an old signature."""
        return []

    def key(self, connector: Connector, request: Request) -> str:
        """Return the key that the connector finds."""
        with no_network():
            return connector.receipt_key(request)

    def genuine(self, connector: Connector, sample: str) -> Request:
        """Return a sample as a genuine request."""
        return self.deliver(connector, self.request(connector, sample))

    def receipt(self, connector: Connector, request: Request) -> Receipt:
        """Return the request, made genuine, as the store hands it out."""
        return super().receipt(connector, self.deliver(connector, request))

    def test_genuine_is_let_in(self, sample: str) -> None:
        connector = self.connector()
        request = self.genuine(connector, sample)
        with no_network():
            assert connector.handshake(request) is None
            connector.verify(request)
            assert 200 <= connector.acknowledge(request).status < 400

    def test_forged_is_turned_away(self, sample: str) -> None:
        connector = self.connector()
        genuine = self.genuine(connector, sample)
        forged = [self.request(connector, sample), *self.forged(connector, genuine)]
        if self.signed_body:
            forged += [with_body(genuine, genuine.body + b" "), with_body(genuine, b"{}")]
        for request in forged:
            with no_network(), pytest.raises(Rejected) as caught:
                connector.verify(request)
            assert 400 <= caught.value.status < 500
            assert caught.value.reason
            assert not [secret for secret in self.secrets() if secret in str(caught.value)]

    def test_the_key_outlives_a_retry(self, sample: str) -> None:
        """A retry has the receipt's key, or at least its events' keys: either alone is enough to be known."""
        connector = self.connector()
        genuine = self.genuine(connector, sample)
        again = self.again(connector, genuine)
        if self.key(connector, again) != self.key(connector, genuine):
            name = connector.connection.name
            first, second = (
                [event.key for event in connector.parse(Receipt(1, name, "", request, request.at))]
                for request in (genuine, again)
            )
            assert first == second

    def test_different_messages_have_different_keys(self) -> None:
        connector = self.connector()
        keys = {sample: self.key(connector, self.genuine(connector, sample)) for sample in self.expected}
        assert all(key and len(key) <= 255 for key in keys.values())
        assert len(set(keys.values())) == len(keys), keys

    @_MANY
    @given(data=st.data())
    def test_the_door_stands_broken_messages(self, sample: str, data: st.DataObject) -> None:
        connector = self.connector()
        broken = data.draw(mutated(self.request(connector, sample)))
        for request in (broken, self.deliver(connector, broken)):
            try:
                with no_network():
                    if connector.handshake(request) is not None:
                        continue
                    connector.verify(request)
                    assert 0 < len(connector.receipt_key(request)) <= 255
                    connector.acknowledge(request)
            except Rejected as error:
                assert not [secret for secret in self.secrets() if secret in str(error)]
