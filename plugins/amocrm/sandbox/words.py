"""How the stand-in answers: envelopes, errors, parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request

from hub import phpform

BLOCK_PAGE = (
    "<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<center><h1>403 Forbidden</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>\n"
)


class ApiError(Exception):
    """An answer that is no success: status, the problem's detail, and what of the body was wrong."""

    def __init__(
        self, status: int, detail: str = "", errors: list[dict[str, Any]] | None = None, hint: str = ""
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.hint = status, detail, errors, hint


_TITLES = {
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 422: "Unprocessable Entity", 429: "Too Many Requests",
}  # fmt: skip


def problem(error: ApiError) -> Response:
    """Return the answer for an error: problem+json; 429 and the block come from the web server in front."""
    if error.status == 429:
        return Response("<html><body>429 Too Many Requests</body></html>", 429, mimetype="text/html")
    body: dict[str, Any] = {}
    if error.errors is not None:
        body["validation-errors"] = error.errors
    if error.hint:
        body["hint"] = error.hint
    kind = (
        "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"
        if error.hint
        else f"https://httpstatus.es/{error.status}"
    )
    body |= {"title": _TITLES.get(error.status, "Error"), "type": kind, "status": error.status, "detail": error.detail}
    return Response(json.dumps(body, ensure_ascii=False), error.status, content_type="application/problem+json")


def blocked() -> Response:
    """Return the page of the web server that blocks an address."""
    return Response(BLOCK_PAGE, 403, mimetype="text/html")


def hal(body: Any, status: int = 200) -> Response:
    """Return a success."""
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/hal+json")


def nothing() -> Response:
    """Return 204: an empty list, a record that isn't there, an unlink."""
    return Response(status=204)


def params() -> dict[str, Any]:
    """Return the query's parameters, PHP's brackets unfolded."""
    return phpform.decode(list(request.args.items(multi=True)))


def body() -> Any:
    """Return the JSON body; raises 400 for anything else."""
    try:
        return json.loads(request.get_data() or b"null")
    except ValueError:
        raise ApiError(400, "Request body is not valid JSON") from None


def items(given: Any) -> list[dict[str, Any]]:
    """Return the array that every POST takes; raises 400 where it is none."""
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given) or not given:
        raise ApiError(
            400, "Request validation failed", [objection("0", "InvalidType", "", "This value should be of type array.")]
        )
    if len(given) > 250:
        raise ApiError(400, "Request validation failed", [objection("0", "TooMany", "", "At most 250 entities.")])
    return given


def objection(request_id: Any, code: str, path: str, detail: str) -> dict[str, Any]:
    """Return one entry of validation-errors."""
    return {"request_id": str(request_id), "errors": [{"code": code, "path": path, "detail": detail}]}


def many(value: Any) -> list[str]:
    """Return a parameter that may be one, a list, a PHP map of indices, or a list with commas."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [str(one) for one in value]
    return [part for part in str(value if value is not None else "").split(",") if part]


def page(rows: list[dict[str, Any]], inside: str, base: str, total: bool = False, most: int = 250) -> Response:
    """Return one page of a list; an empty one is 204."""
    asked = params()
    number = max(1, _int(asked.get("page"), 1))
    limit = min(max(1, _int(asked.get("limit"), 50)), most)
    part = rows[(number - 1) * limit : number * limit]
    if not part:
        return nothing()
    here = f"{base}{request.path}"
    out: dict[str, Any] = {"_total_items": len(rows)} if total else {}
    out |= {"_page": number, "_links": {"self": {"href": f"{here}?page={number}&limit={limit}"}}}
    if number * limit < len(rows):
        out["_links"]["next"] = {"href": f"{here}?page={number + 1}&limit={limit}"}
    return hal({**out, "_embedded": {inside: part}})


def ordered(
    rows: list[dict[str, Any]], allowed: tuple[str, ...] = ("id", "created_at", "updated_at")
) -> list[dict[str, Any]]:
    """Return the rows by `order[field]=asc|desc`; by id without it."""
    order = params().get("order")
    name, way = next(iter(order.items())) if isinstance(order, dict) and order else ("id", "asc")
    if name not in allowed:
        raise ApiError(400, f"order by {name} is not supported")
    return sorted(rows, key=lambda row: (row.get(name) or 0, row.get("id") or 0), reverse=way == "desc")


def _int(value: Any, default: int) -> int:
    try:
        return int(str(value))
    except ValueError:
        return default
