"""Drives PyPI python-facebook-api: reads, form-encoded posts, tokens of both kinds of login, usage headers."""

import json
import sys

from pyfacebook import BasicDisplayAPI, FacebookError, GraphAPI

settings = json.loads(sys.argv[1])
url = settings["url"] + "/"
secret = settings["app_secret"]
api = GraphAPI(
    app_id=settings["app_id"], app_secret=secret, access_token=settings["token"], base_url=url, version="v24.0"
)
out = {"me": api.get_object("me", fields="user_id,username")}
out["profile"] = api.get_object(settings["person"], fields="name,username,follower_count")
out["conversations"] = api.get_connection("me", "conversations", platform="instagram")["data"]
out["messages"] = [
    row.get("message")
    for row in api.get_object(out["conversations"][0]["id"], fields="messages{id,created_time,from,to,message}")[
        "messages"
    ]["data"]
]
out["sent"] = api.post_object(
    "me",
    "messages",
    data={"recipient": json.dumps({"id": settings["person"]}), "message": json.dumps({"text": "Form-encoded"})},
)
out["subscribed"] = api.post_object("me", "subscribed_apps", params={"subscribed_fields": "messages,comments"}, data={})
try:
    api.get_object("17999999999999999", fields="id")
except FacebookError as error:
    out["unknown"] = [error.code, error.error_subcode]
out["usage"] = api.rate_limit.get_sleep_seconds() >= 0

basic = BasicDisplayAPI(
    app_id=settings["app_id"], app_secret=secret, access_token=settings["short"], base_url=url, version="v24.0"
)
out["long"] = basic.exchange_long_lived_user_access_token()
out["refreshed"] = basic.refresh_access_token(settings["old"])
try:
    basic.refresh_access_token(out["long"]["access_token"])
except FacebookError as error:
    out["too_young"] = bool(error.message)
print(json.dumps(out))
