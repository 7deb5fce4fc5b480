"""May this person be written to now? Instagram's rule, said in words before anything is sent. Pure.

24 hours from the client's last message anything goes. For 7 days a person (not a machine) may still answer, if the app
has the Human Agent feature. After that only the client can begin again.
https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

from __future__ import annotations

import datetime as dt

from hub.errors import Refused
from plugins.instagram import codes

#: refusals of this module, for `vendor_code`
CODE = "window"


def tag(last: dt.datetime | None, now: dt.datetime, human: bool, feature: bool) -> bool:
    """Return whether the message needs the human agent's tag; raise `Refused` if it may not be sent.

    last: when the client last wrote as far as the hub knows; None leaves it to Instagram to say. human: the route says
    that a person wrote this. feature: the app may use the tag.
    """
    if last is None:
        return False
    passed = max(0.0, (now - last).total_seconds())
    if passed <= codes.WINDOW:
        return False
    ago = f"the client last wrote {_words(passed)} ago"
    if passed > codes.HUMAN_WINDOW:
        raise Refused(
            f"{ago}: Instagram takes nothing after 7 days until they write again; use another channel", vendor_code=CODE
        )
    if not human:
        raise Refused(
            f"{ago}: after 24 hours only a person may answer, for 7 days in all. If a person wrote this, set"
            " `human_agent: yes` in the route; else use another channel",
            vendor_code=CODE,
        )
    if not feature:
        raise Refused(
            f"{ago}: an answer after 24 hours needs the app's Human Agent feature (App Review); once it is granted, set"
            " `human_agent: yes` in the connection",
            vendor_code=CODE,
        )
    return True


def private_reply(commented: dt.datetime | None, now: dt.datetime) -> None:
    """Raise `Refused` if a comment is too old to be answered in private.

    https://developers.facebook.com/docs/instagram-platform/private-replies
    """
    if commented is None:
        return
    passed = (now - commented).total_seconds()
    if passed > codes.PRIVATE_REPLY:
        raise Refused(f"the comment is {_words(passed)} old: a private reply is possible for 7 days", vendor_code=CODE)


def _words(seconds: float) -> str:
    if seconds < 2 * codes.DAY:
        return f"{seconds / codes.HOUR:.0f} hours"
    return f"{seconds / codes.DAY:.0f} days"
