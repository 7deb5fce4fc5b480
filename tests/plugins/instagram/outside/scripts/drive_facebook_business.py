"""Drives PyPI facebook-business, Meta's own SDK: messages, comments, subscriptions of an Instagram account."""

import json
import sys

from facebook_business.adobjects.igcomment import IGComment
from facebook_business.adobjects.igmedia import IGMedia
from facebook_business.adobjects.iguser import IGUser
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

settings = json.loads(sys.argv[1])
FacebookSession.GRAPH = settings["url"]
FacebookAdsApi.init(app_secret=settings["app_secret"], access_token=settings["token"], crash_log=False)
user = IGUser(settings["account"])
client = {"id": settings["person"]}
out = {}


def refused(call):
    try:
        call()
    except FacebookRequestError as error:
        return [error.http_status(), error.api_error_code(), error.api_error_subcode()]
    return None


out["me"] = user.api_get(fields=["username"]).export_all_data()
out["sent"] = user.create_message(params={"recipient": client, "message": {"text": "Вітаємо!"}}).export_all_data()
out["too_long"] = refused(lambda: user.create_message(params={"recipient": client, "message": {"text": "ї" * 501}}))
out["stranger"] = refused(
    lambda: user.create_message(params={"recipient": {"id": settings["stranger"]}, "message": {"text": "Hi"}})
)
out["private"] = user.create_message(
    params={"recipient": {"comment_id": settings["comment"]}, "message": {"text": "500"}}
).export_all_data()
out["twice"] = refused(
    lambda: user.create_message(params={"recipient": {"comment_id": settings["comment"]}, "message": {"text": "5"}})
)
out["conversations"] = len(list(user.get_conversations(params={"platform": "instagram"})))
out["subscribed"] = user.create_subscribed_app(params={"subscribed_fields": ["messages", "comments"]}).export_all_data()
out["media"] = [row["id"] for row in user.get_media(fields=["id"])]
media = IGMedia(out["media"][0])
out["comments"] = [row["text"] for row in media.get_comments(fields=["text"])]
comment = IGComment(settings["comment"])
out["reply"] = bool(comment.create_reply(params={"message": "We wrote to you"})["id"])
out["replies"] = [row["text"] for row in comment.get_replies(fields=["text"])]
comment.api_update(params={"hide": True})
out["hidden"] = comment.api_get(fields=["hidden"])["hidden"]
comment.api_delete()
out["gone"] = refused(lambda: comment.api_get(fields=["text"]))
print(json.dumps(out))
