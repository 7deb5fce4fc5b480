"""Drive a portal as an application whose access token has expired; read events with the SDK's own parser.

Arguments: base url, client id, client secret, access token, refresh token, captured events as JSON.
"""

import json
import sys
from urllib.parse import urlsplit

from b24pysdk import BitrixApp, BitrixToken, Client
from b24pysdk.api.requesters.bitrix_oauth_requester import BitrixOAuthRequester
from b24pysdk.credentials import OAuthEventData

base, client_id, client_secret, access, refresh, events = sys.argv[1:]
BitrixOAuthRequester._OAUTH_TOKEN_URL = f"{base}/oauth/token/"

token = BitrixToken(
    domain=urlsplit(base).netloc,
    auth_token=access,
    refresh_token=refresh,
    bitrix_app=BitrixApp(client_id=client_id, client_secret=client_secret),
)
profile = Client(token).profile().result
parsed = [OAuthEventData.from_dict(event) for event in json.loads(events)]
print(
    json.dumps(
        {
            "user": profile["ID"],
            "rotated": token.refresh_token != refresh,
            "renewed": token.auth_token != access,
            "events": [
                {"event": each.event, "data": each.data, "system": each.is_system, "member": each.auth.member_id}
                for each in parsed
            ],
        }
    )
)
