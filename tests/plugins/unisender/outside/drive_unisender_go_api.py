"""Drives PyPI unisender-go-api 0.3.0."""

import json
import sys

from unisender_go_api import HTTPStatusError, SendRequest, SyncClient

given = json.loads(sys.argv[1])
out = {}


def request(*emails, **more):
    return SendRequest.parse_obj(
        {
            "message": {
                "recipients": [{"email": email, "substitutions": {"to_name": "Anna"}} for email in emails],
                "subject": "Hi",
                "from_email": "club@dogclub.example",
                "from_name": "Dog club",
                "body": {"html": "<b>Hi {{to_name}}</b>", "plaintext": "Hi"},
                "global_language": "ru",
                "template_engine": "simple",
                **more,
            }
        }
    )


with SyncClient.setup(given["api_key"], unisender_go_api_root_url=given["root_url"]):
    answer = request("anna@example.com", "left@example.com").send()
    out["sent"] = [answer.status, answer.job_id, answer.emails, answer.failed_emails]
with SyncClient.setup("wrong", unisender_go_api_root_url=given["root_url"]):
    try:
        request("anna@example.com").send()
    except HTTPStatusError as error:
        out["wrong key"] = [error.response.status_code, error.response.json()["status"]]
print(json.dumps(out))
