"""Meta's error codes: what each means and what to do next; `(code, subcode)` before `(code, None)`.

Pages: [G] https://developers.facebook.com/docs/graph-api/guides/error-handling
[M] https://developers.facebook.com/docs/messenger-platform/error-codes
[I] https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes/
[R] https://developers.facebook.com/docs/graph-api/overview/rate-limiting
[O] seen by integrators, on no page of Meta's
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: again: may have had an effect. before: surely had none, try again. slower: a limit. token, stop: a person must act,
#: everything waits. permission, window, person, refused: this act can't be done. gone: the record isn't there.
Treatment = Literal["again", "before", "slower", "token", "stop", "permission", "window", "person", "refused", "gone"]


@dataclass(frozen=True)
class Meaning:
    """What to do about an error, and what an administrator should know. `wait`: seconds, where no header tells."""

    treatment: Treatment
    words: str
    wait: float = 0.0


_HOUR_LIMIT = 300.0
_RECONNECT = "connect the account again: `hub connect` prints the link, or put a new token into hub.yaml"
_WINDOW = "the time in which the client may be written to is over: they must write first, or use another channel"

ERRORS: Mapping[tuple[int, int | None], Meaning] = {
    (0, None): Meaning("token", _RECONNECT),  # [O] cannot authenticate
    (1, 1357046): Meaning("again", "Meta says it was sent although it answers with an error"),  # [M]
    (1, None): Meaning("again", "a passing fault of Meta's"),  # [G]
    (2, None): Meaning("before", "Meta is out of order for the moment"),  # [G]
    (3, None): Meaning("permission", "the app lacks a capability: App Dashboard, App Review"),  # [G]
    (4, 2207051): Meaning("stop", "Instagram takes this for spam and blocks it"),  # [I]
    (4, None): Meaning("slower", "the app has used up its calls of this hour", _HOUR_LIMIT),  # [R]
    (9, 2207042): Meaning("slower", "100 posts within 24 hours are published", 3600.0),  # [I]
    (10, 2534022): Meaning("window", _WINDOW),  # [M] Instagram
    (10, 2018278): Meaning("window", _WINDOW),  # [M] Messenger
    (10, 2018065): Meaning("window", _WINDOW),  # [M] Messenger
    (10, 2018108): Meaning("person", "this person doesn't receive messages now"),  # [M]
    (10, 1893063): Meaning("stop", "Meta has restricted the account's messages: look into its Support Inbox"),  # [M]
    (10, None): Meaning("permission", "a permission is missing, was withdrawn, or was not used for 90 days"),  # [G]
    (17, None): Meaning("slower", "the account's user has used up the calls of this hour", _HOUR_LIMIT),  # [R]
    (32, None): Meaning("slower", "the Page has used up its calls of this hour", _HOUR_LIMIT),  # [R]
    (100, 33): Meaning("gone", "there is no such object, or it isn't this account's"),  # [G]
    (100, 2534014): Meaning("person", "there is no such person for this account: an id holds for one account alone"),
    (100, 2018001): Meaning("person", "there is no such person for this account: an id holds for one account alone"),
    (100, 2534029): Meaning("stop", "the account is blocked from messaging: look into its Support Inbox"),  # [M]
    (100, None): Meaning("refused", "a value isn't what Meta expects"),  # [G]
    (102, None): Meaning("token", _RECONNECT),  # [G]
    (190, 458): Meaning("token", "the app was removed from the account: connect it again"),  # [G]
    (190, 459): Meaning("token", "the account must pass a check first: log in to it in a browser"),  # [G]
    (190, 460): Meaning("token", "the password was changed: connect the account again"),  # [G]
    (190, 463): Meaning("token", "the token has expired: connect the account again"),  # [G]
    (190, 464): Meaning("token", "the user isn't confirmed: log in to the account in a browser"),  # [G]
    (190, 467): Meaning("token", "the token isn't valid any more: connect the account again"),  # [G]
    (190, 492): Meaning("token", "the user lost their role on the Page: give it back and connect again"),  # [G]
    (190, None): Meaning("token", _RECONNECT),  # [G]
    (200, 1545041): Meaning("person", "this person doesn't receive messages now"),  # [M]
    (200, 2534041): Meaning(
        "stop", "the owner has switched access to messages off: Settings > Messages and story replies > Connected tools"
    ),  # [M]
    (341, None): Meaning("slower", "the app has reached a limit for a while", _HOUR_LIMIT),  # [G]
    (368, None): Meaning("stop", "Meta blocks this account as abusive: look into its Support Inbox"),  # [G]
    (551, None): Meaning("person", "this person doesn't receive messages now"),  # [M]
    (613, None): Meaning("slower", "too many calls of this kind", 60.0),  # [R]
    (1200, None): Meaning("before", "Meta could not send for the moment"),  # [M]
    (2500, None): Meaning("refused", "Meta doesn't know this path: is `version` too old?"),  # [O] IGApiException
    (80001, None): Meaning("slower", "the Page's share of calls is used up", _HOUR_LIMIT),  # [R]
    (80002, None): Meaning("slower", "the Instagram account's share of calls is used up", _HOUR_LIMIT),  # [R]
    (80006, None): Meaning("slower", "the account's share of messaging calls is used up", _HOUR_LIMIT),  # [R]
    (36000, 2207004): Meaning("refused", "the image is too large"),  # [I]
}  # fmt: skip

#: a comment gets one private reply
REPLIED_ALREADY = 2534025
#: subcodes and codes that stand in lists of third parties alone; treated as refusals, whatever code they come with
UNCONFIRMED: Mapping[int, Meaning] = {
    REPLIED_ALREADY: Meaning("refused", "this comment has had its private reply already: Meta takes one per comment"),
    2534013: Meaning("refused", "Meta doesn't take this message"),
    2534001: Meaning("refused", "the thread is archived or was deleted"),
}

#: names of the permissions, 200 to 299: one code per missing permission [G]
PERMISSIONS = range(200, 300)


def meaning(code: int, subcode: int | None) -> Meaning | None:
    """Return what an error means; None for one that stands in no table."""
    found = ERRORS.get((code, subcode)) if subcode is not None else None
    if found is None:
        found = UNCONFIRMED.get(subcode or code)
    if found is None:
        found = ERRORS.get((code, None))
    if found is None and code in PERMISSIONS:
        found = ERRORS[(10, None)]
    return found
