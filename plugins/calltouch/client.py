"""HTTP only: one method per vendor call; the vendor's refusals become the hub's errors, by what to do next.

calls-service: GET with `clientApiId` in the query (masked wherever an address is shown). lead-service and
widget-service: POST of JSON with the headers `Access-Token` and `SiteId`. Registering a request: no token at all.
How errors look is published for widget-service and, in part, lead-service: `{"data": {"apiErrorData":
{"errorCode", "errorMessage"}}}` and `{"data": {"validationErrorData": {"violations": [{"message"}]}}}`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from hub.errors import AuthFailed, Gone, RateLimited, Refused
from hub.session import Answer, Session
from plugins.calltouch import codes, dates

Row = dict[str, Any]
#: how long to wait after a 429 that names no time
RATE_PAUSE = 2.0
#: pages of one reading; more than a million calls is no answer but a loop
_MOST_PAGES = 1_000
LEAD, WIDGET = "lead-service", "widget-service"


class Client:
    """The calls of one cabinet."""

    def __init__(self, http: Session, settings: Mapping[str, Any]) -> None:
        self._http, self._settings = http, settings
        self._base = str(settings["base_url"]).rstrip("/")

    # --- journals ---------------------------------------------------------------------------------

    def calls(self, first: dt.date, last: dt.date) -> Iterator[Row]:
        """Yield the calls of these days of the cabinet, page by page.

        Without paging the vendor gives a bare list and one day at most; an older node may answer so to a question
        with pages too, then each day is asked for by itself.
        """
        page = 1
        while page <= _MOST_PAGES:
            answer = self._calls(first, last, page=str(page), limit=str(codes.PAGE))
            if isinstance(answer, list):
                yield from _rows(answer) if first == last else self._day_by_day(first, last)
                return
            if not isinstance(answer.get("records"), list):
                raise Refused(f"journal of calls: neither a list nor pages: {str(answer)[:200]}")
            rows = _rows(answer["records"])
            yield from rows
            if not rows or page >= _number(answer.get("pageTotal")):
                return
            page += 1
        raise Refused(f"journal of calls: more than {_MOST_PAGES} pages")

    def _day_by_day(self, first: dt.date, last: dt.date) -> Iterator[Row]:
        for number in range((last - first).days + 1):
            day = first + dt.timedelta(days=number)
            answer = self._calls(day, day)
            yield from _rows(answer if isinstance(answer, list) else answer.get("records"))

    def _calls(self, first: dt.date, last: dt.date, **more: str) -> Any:
        days = {"dateFrom": dates.for_calls(first), "dateTo": dates.for_calls(last)}
        path = f"calls-service/RestAPI/{self._settings['site_id']}/calls-diary/calls"
        return self._journal(path, {**days, "withCallTags": "true", **more}, "calls-diary")

    def requests(self, first: dt.date, last: dt.date) -> list[Row]:
        """Return the requests of these days of the cabinet; there are no pages. Month first here, day first above."""
        days = {"dateFrom": dates.for_requests(first), "dateTo": dates.for_requests(last)}
        query = {"siteId": self._settings["site_id"], **days, "withRequestTags": "true"}
        return _rows(self._journal("calls-service/RestAPI/requests", query, "requests"))

    def deals(self, first: dt.date, last: dt.date) -> list[Row]:
        """Return the deals made on these days; only cabinets with a CRM's integration have this journal.

        Page "api-metod-vygruzki-zhurnala-sdelok": day first, and dateFrom must be before dateTo. How the answer looks
        isn't published: a list, or an object that holds one.
        """
        days = {"dateFrom": dates.for_calls(first), "dateTo": dates.for_calls(max(last, first + dt.timedelta(days=1)))}
        path = f"calls-service/RestAPI/{self._settings['site_id']}/orders-diary/orders"
        found = self._journal(path, days, "orders-diary")
        if isinstance(found, dict):
            found = next((value for value in found.values() if isinstance(value, list)), [])
        return _rows(found)

    def _journal(self, path: str, query: Mapping[str, str], scope: str) -> Any:
        if not self._settings["client_api_id"]:
            raise Refused("the journals can't be read without client_api_id: take it from the cabinet's page API")
        query = {"clientApiId": self._settings["client_api_id"], **query}
        answer = self._http.get(f"{self._base}/{path}", params=query, scope=scope)
        self._judge(answer, "client_api_id")
        found = answer.json()
        if isinstance(found, dict) and (said := _api_error(found, words=True)):
            raise Refused(f"{scope}: {said[1]}", vendor_code=said[0])
        if not isinstance(found, (list, dict)):
            raise Refused(f"{scope}: neither a list nor an object came: {answer.text[:120]!r}")
        return found

    # --- requests without a token -----------------------------------------------------------------

    def register(self, form: Mapping[str, str]) -> Row:
        """Register one request -> whatever the vendor says of it (its shape isn't published). Twice makes two."""
        url = f"{self._base}/calls-service/RestAPI/requests/{self._settings['site_id']}/register/"
        answer = self._http.post(url, data=dict(form), scope="register")
        self._judge(answer, "site_id")
        return self._said(answer, "register", words=True)

    # --- lead-service, widget-service ---------------------------------------------------------------

    def lead(self, path: str, body: Mapping[str, Any], changes: bool = True) -> Row:
        """POST to lead-service (`client-order/create`) -> the answer's `data`, {} where it is empty."""
        return self._post(LEAD, path, body, changes)

    def widget(self, path: str, body: Mapping[str, Any]) -> Row:
        """POST to widget-service -> the answer's `data`."""
        return self._post(WIDGET, path, body, True)

    def _post(self, service: str, path: str, body: Mapping[str, Any], changes: bool) -> Row:
        if not self._settings["access_token"]:
            raise Refused(f"{path} needs access_token: make an API key in the cabinet and put it into hub.yaml")
        headers = {"Access-Token": str(self._settings["access_token"]), "SiteId": str(self._settings["site_id"])}
        url = f"{self._base}/{service}/v1/api/{path.strip('/')}"
        answer = self._http.post(url, json=dict(body), headers=headers, changes=changes, scope=path)
        self._judge(answer, "access_token")
        found = self._said(answer, path)
        data = found.get("data", found)
        return data if isinstance(data, dict) else {"items": data} if isinstance(data, list) else {}

    # --- answers ------------------------------------------------------------------------------------

    @staticmethod
    def _said(answer: Answer, what: str, words: bool = False) -> Row:
        """Return a good answer as an object; nothing at all counts as accepted, a page of HTML doesn't.

        words: a bare `message` is an error, as it is with registering.
        """
        if not answer.body.strip():
            return {}
        found = answer.json()
        if not isinstance(found, dict):
            return {"data": found}
        if said := _api_error(found, words):
            raise Refused(f"{what}: {said[1]}", said[2], said[0])
        return found

    @staticmethod
    def _judge(answer: Answer, setting: str) -> None:
        """Raise what a status other than 2xx means. 401 is a token refused, 403 one without a right for the cabinet."""
        if answer.status < 300:
            return
        words = _words(answer)
        if answer.status == 401:
            raise AuthFailed(
                f"Calltouch does not accept {setting} (HTTP 401{words}). Take a new one from the cabinet: Integrations "
                "- sending data to external systems - API."
            )
        if answer.status == 403:
            raise AuthFailed(
                f"Calltouch lets {setting} not into this cabinet (HTTP 403{words}). Compare site_id with the "
                "cabinet's ID, and give the login access to it."
            )
        if answer.status == 429:
            raise RateLimited(f"Calltouch wants fewer calls (HTTP 429{words})", answer.retry_after() or RATE_PAUSE)
        if answer.status >= 500 or answer.status < 400 or answer.status in (407, 408, 425):
            answer.raise_for_status()
        said = _body_error(answer)
        kind = Gone if answer.status == 410 else Refused
        code, text, fields = said or (str(answer.status), words.lstrip(": ") or "no words came with it", {})
        code = "404" if answer.status == 404 else code  # `acting` goes by it: that record isn't there
        raise kind(f"Calltouch refused it (HTTP {answer.status}): {text}", fields, code)


def _words(answer: Answer) -> str:
    said = _body_error(answer)
    return f": {said[1]}" if said else ""


def _body_error(answer: Answer) -> tuple[str, str, dict[str, str]] | None:
    """Read the error in a body that may as well be a page of HTML, or nothing."""
    try:
        found = orjson.loads(answer.body if answer.json_fits else b"")
    except orjson.JSONDecodeError:
        text = " ".join(answer.mask(answer.text[:4000]).split())[:200]
        return (str(answer.status), text, {}) if text and not text.startswith("<") else None
    if isinstance(found, dict) and (said := _api_error(found, words=True)):
        return said[0], answer.mask(said[1]), said[2]
    return (str(answer.status), answer.mask(str(found))[:300], {}) if found else None


def _api_error(found: Mapping[str, Any], words: bool) -> tuple[str, str, dict[str, str]] | None:
    """Return (code, words, fields) of the error in an answer, None if it holds none."""
    data = found.get("data")
    for holder in (data if isinstance(data, Mapping) else {}, found):
        api, validation = holder.get("apiErrorData"), holder.get("validationErrorData")
        if isinstance(api, Mapping) and api:
            code = str(api.get("errorCode") or "")
            text = str(api.get("errorMessage") or "") or "refused without words"
            hint = codes.WIDGET_ERRORS.get(code, "")
            return code, text + (f" ({hint})" if hint else ""), {}
        if validation:
            fields = dict(_violations(validation))
            told = [f"{name}: {why}" if name else why for name, why in _violations(validation)]
            return "validation", "; ".join(told)[:500] or str(validation)[:500], fields
    bare = found.get("errorMessage") or found.get("error") or found.get("message")
    if found.get("errorCode") or (words and bare and "records" not in found):
        return str(found.get("errorCode") or ""), str(bare or found["errorCode"])[:500], {}
    return None


def _violations(validation: Any) -> Iterator[tuple[str, str]]:
    """Yield (field, words) of a `validationErrorData`, whose inner shape is only half known."""
    rows = validation.get("violations", validation) if isinstance(validation, Mapping) else validation
    if isinstance(rows, Mapping):
        yield from ((str(name), str(words)) for name, words in rows.items())
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping):
            name = next((str(row[key]) for key in ("field", "propertyPath", "property", "path") if row.get(key)), "")
            yield name, str(row.get("message") or row)
        else:
            yield "", str(row)


def _rows(value: Any) -> list[Row]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) else int(value) if str(value).isdecimal() else 1
