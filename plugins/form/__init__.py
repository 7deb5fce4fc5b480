"""Site forms: Tilda, Elementor, Contact Form 7, Google Forms, and any page or script that can POST its fields.

There is no vendor behind it, so nothing is asked or sent: the plugin only takes what forms send.
"""

from __future__ import annotations

from hub.connector import Connector
from hub.hookspecs import hookimpl
from plugins.form.connector import FormConnector


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Hand over the connector class."""
    return [FormConnector]
