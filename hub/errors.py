"""What can go wrong, sorted by what to do next. Plugins raise these; the core decides by class alone.

| raise         | when                                              | what the hub then does                        |
| ------------- | ------------------------------------------------- | --------------------------------------------- |
| `Rejected`    | a request from outside isn't genuine or readable  | answers with its status, keeps a masked trace |
| `Retry`       | the vendor is ill: 5xx, time-out, broken answer   | tries again at growing distance, then parks   |
| `RateLimited` | the vendor said "slower"                          | waits; uses up no try                         |
| `Uncertain`   | the call may have taken effect, nobody knows      | settle time, find by marker, then the policy  |
| `AuthFailed`  | token gone, right missing, blocked, unpaid        | holds the connection, one alert               |
| `Refused`     | the vendor said no for good                       | parks, visible; or the step's `refused`       |
| `Gone`        | the record we aimed at is no more                 | drops the link, then the step's `missing`     |
| `Skip`        | there is nothing to do, and that is fine          | an outcome, not an error                      |
| `ConfigError` | `hub.yaml` or a setting is wrong                  | prints all problems, exit 2                   |
| `PluginError` | a plugin broke its contract                       | parks, names plugin and method                |
"""

from __future__ import annotations

from typing import Any


class HubError(Exception):
    """The root of the hub's own errors. `code` and `params` make a reason that reads in any language.

    `begun` is set by an action of several calls that fails after one of them took effect (the record is made, its
    note isn't): the hub then looks for what is there by the marker before it does anything again.
    """

    code = "error"
    begun = False

    def __init__(self, reason: str = "", **params: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


class ConfigError(HubError):
    """`hub.yaml` can't be used. `problems` holds every `Problem` found, not the first alone."""

    code = "config"

    def __init__(self, problems: list[Any]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Rejected(HubError):
    """Answer the sender with `status` and say why; nothing is stored but a masked trace."""

    code = "rejected"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Retry(HubError):
    """Nothing took effect; try again, not before `after` seconds when the vendor named a time."""

    code = "retry"

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class RateLimited(Retry):
    """The vendor wants us slower: wait `after` seconds. `scope` narrows the pause (a method name), empty = all."""

    code = "rate_limited"

    def __init__(self, reason: str, after: float = 1.0, scope: str = "") -> None:
        super().__init__(reason, after)
        self.scope = scope


class Uncertain(HubError):
    """The request went out and no readable answer came: it may or may not have taken effect."""

    code = "uncertain"


class AuthFailed(HubError):
    """The vendor lets none of our calls through; only a person can mend it.

    `remedy` says how: new `credentials`, a `right` they lack, the vendor's `support` (a block), a `payment` that is
    due, this server's `address` let in. The alert tells the person so (`hub.reasons.REMEDIES`).
    """

    code = "auth_failed"

    def __init__(self, reason: str = "", remedy: str = "credentials") -> None:
        super().__init__(reason)
        self.remedy = remedy


class Refused(HubError):
    """The vendor refused this request for good. `fields` names the values it objected to."""

    code = "refused"

    def __init__(self, reason: str, fields: dict[str, str] | None = None, vendor_code: str = "") -> None:
        super().__init__(reason)
        self.fields = fields or {}
        self.vendor_code = vendor_code


class Gone(Refused):
    """The record aimed at doesn't exist any more."""

    code = "gone"


class Skip(HubError):
    """There is nothing to do. `code` names why (see `hub.reasons`), `params` fill its text."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code, **params)
        self.code = code


class PluginError(HubError):
    """A plugin broke its contract; the message names plugin and method."""

    code = "plugin_error"

    def __init__(self, plugin: str, method: str, problem: object) -> None:
        super().__init__(f"plugin {plugin}: {method}: {problem}")
        self.plugin = plugin
        self.method = method


class LeaseLost(HubError):
    """Another worker has taken this work over; stop before the next outward call and record what happened."""

    code = "lease_lost"


class StoreFull(HubError):
    """The disk is below its reserve; the way in answers 503 so that workers can still record."""

    code = "store_full"
