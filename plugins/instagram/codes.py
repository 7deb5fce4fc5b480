"""Instagram's words, limits and permissions, each with the page it came from.

Pages are under https://developers.facebook.com/docs/instagram-platform/ ; the error codes, which all of Meta's products
share, are in `plugins.meta.codes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: the newest version when this was written; one lives about two years (/docs/graph-api/changelog/versions)
VERSION = "v26.0"

# --- the two logins (overview) ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Login:
    """What differs between the two ways an account is connected; they can't be mixed within one app."""

    name: str
    host: str
    authorize: str
    permissions: Mapping[str, str]
    fields: tuple[str, ...]
    #: the fields without which nothing of use arrives
    least: tuple[str, ...]
    #: whether a late answer by a person names its messaging_type beside the tag
    tagged: bool


#: permission -> what for (overview#permissions); field names to subscribe (webhooks, messenger-platform/webhooks)
LOGINS: Mapping[str, Login] = {
    "instagram": Login(
        name="Instagram Login",
        host="https://graph.instagram.com",
        authorize="https://www.instagram.com/oauth/authorize",
        permissions={
            "instagram_business_basic": "reading the account",
            "instagram_business_manage_messages": "direct messages",
            "instagram_business_manage_comments": "comments and mentions",
        },
        fields=(
            "comments", "live_comments", "messages", "message_echoes", "message_edit", "message_reactions",
            "messaging_handover", "messaging_postbacks", "messaging_referral", "messaging_seen", "standby",
        ),
        least=("comments", "messages"),
        tagged=False,
    ),
    "facebook": Login(
        name="Facebook Login",
        host="https://graph.facebook.com",
        authorize="https://www.facebook.com/{version}/dialog/oauth",
        permissions={
            "instagram_basic": "reading the account",
            "instagram_manage_messages": "direct messages",
            "instagram_manage_comments": "comments and mentions",
            "pages_show_list": "finding the Page",
            "pages_read_engagement": "reading the Page",
            "pages_manage_metadata": "subscribing to webhooks",
        },
        # the Page is subscribed with names of its own; comments and mentions follow from the app's own choice
        fields=(
            "feed", "messages", "message_edits", "message_reactions", "message_reads", "messaging_handovers",
            "messaging_postbacks", "messaging_referrals", "standby",
        ),
        least=("feed", "messages"),
        tagged=True,
    ),
}  # fmt: skip

#: where Instagram's codes become tokens (instagram-api-with-instagram-login/business-login)
TOKEN_HOST = "https://api.instagram.com"  # noqa: S105 (an address)

# --- time (instagram-api-with-instagram-login/messaging-api, private-replies) ----------------------------------------

HOUR, DAY = 3600.0, 86_400.0
#: since the client's last message: anything; with the Human Agent feature a person may answer until `HUMAN_WINDOW`
WINDOW, HUMAN_WINDOW = DAY, 7 * DAY
#: a comment may be answered in private once, for so long
PRIVATE_REPLY = 7 * DAY
#: a long-lived token lives 60 days and may be refreshed once it is a day old (business-login)
TOKEN_LIFE, TOKEN_MIN_AGE = 60 * DAY, DAY
#: it is refreshed when half of its life is left, so that a month of trouble does no harm
REFRESH_BEFORE = 30 * DAY

# --- sizes (messaging-api) -------------------------------------------------------------------------------------------

TEXT_BYTES = 1000
QUICK_REPLIES, QUICK_REPLY_TITLE = 13, 20
#: kinds of file one can send
MEDIA = ("image", "video", "audio", "file")
#: what a reaction may be; `love` alone is documented
REACTION = "love"

# --- what arrives ----------------------------------------------------------------------------------------------------

#: webhook field -> how its value is laid out (webhooks, webhooks/examples)
COMMENT_FIELDS = frozenset({"comments", "live_comments"})
#: the part of a messaging element that says what it is -> the field's own name, for what has no neutral one
ELEMENTS: Mapping[str, str] = {
    "message": "messages", "reaction": "message_reactions", "postback": "messaging_postbacks",
    "referral": "messaging_referral", "read": "messaging_seen", "message_edit": "message_edit",
    "optin": "messaging_optins", "pass_thread_control": "messaging_handover",
    "take_thread_control": "messaging_handover", "request_thread_control": "messaging_handover",
    "policy-enforcement": "messaging_policy_enforcement", "policy_enforcement": "messaging_policy_enforcement",
    "response_feedback": "response_feedback", "delivery": "message_deliveries",
}  # fmt: skip

#: attachment type -> words for people (webhooks/examples; ig_story and the rest as seen by integrators)
ATTACHMENTS: Mapping[str, str] = {
    "image": "image", "video": "video", "audio": "voice message", "file": "file", "media": "media",
    "share": "shared post", "ig_post": "shared post", "ig_reel": "shared reel", "reel": "shared reel",
    "story_mention": "mentioned you in a story", "story": "shared story", "ig_story": "shared story",
    "template": "template", "like_heart": "heart", "sticker": "sticker", "animated_image": "animated image",
    "unsupported_type": "something Instagram doesn't hand over",
}  # fmt: skip

#: fields asked of a client's profile (messaging-api/user-profile)
PROFILE = "name,username,profile_pic,follower_count,is_verified_user,is_user_follow_business,is_business_follow_user"
#: fields asked of a comment (/docs/instagram-api/reference/ig-comment)
COMMENT = "from,hidden,id,like_count,media,parent_id,replies,text,timestamp,username"
#: fields asked of a message in a conversation (messaging-api/conversations-api)
MESSAGE = "id,created_time,from,to,message"
