"""Drive open lines with the official SDK, as an application: a connector, a client's message, what became of an answer.

Arguments: base url, access token, "answer" chat_id message_id (the second call reports an operator's answer).
"""

import json
import sys
from urllib.parse import urlsplit

from b24pysdk import BitrixApp, BitrixToken, Client

base, access, *answer = sys.argv[1:]
app = BitrixApp(client_id="unused", client_secret="unused")
token = BitrixToken(domain=urlsplit(base).netloc, auth_token=access, refresh_token="unused", bitrix_app=app)
client = Client(token)
connector, line = "sdk_channel", 107

if not answer:
    icon = {"DATA_IMAGE": "data:image/svg+xml,%3Csvg/%3E"}
    registered = client.imconnector.register("SDK_Channel", "SDK", icon, "https://example.com/settings").result
    set_up = [
        client.imconnector.activate(connector, line, True).result,
        client.imconnector.connector.data.set(connector, line, {"ID": "sdk", "NAME": "SDK"}).result,
    ]
    status = client.imconnector.status(connector, line=line).result
    entry = {"user": {"id": "u1", "name": "Olena"}, "message": {"id": "m1", "text": "hello"}, "chat": {"id": "u1"}}
    taken = client.imconnector.send.messages(connector, line, [entry]).result["DATA"]["RESULT"][0]
    print(
        json.dumps(
            {
                "registered": registered,
                "set_up": set_up,
                "listed": client.imconnector.list().result[connector],
                "status": [status["STATUS"], status["CONFIGURED"], status["ERROR"]],
                "taken": taken["SUCCESS"],
                "session": sorted(taken["session"]),
            }
        )
    )
else:
    chat_id, message_id = answer
    report = {
        "im": {"chat_id": int(chat_id), "message_id": int(message_id)},
        "message": {"id": ["x1"]},
        "chat": {"id": "u1"},
    }
    delivered = client.imconnector.send.status.delivery(connector, line, [report]).result
    read = client.imconnector.send.status.reading(connector, line, [report]).result
    dialog = client.imopenlines.dialog.get(user_code=f"{connector}|{line}|u1|u1").result
    history = client.imopenlines.session.history.get(chat_id=dialog["id"]).result
    ids = [row["params"]["connectorMid"] for row in history["message"].values()]
    gone = {"user": {"id": "u1"}, "message": {"id": "m1"}, "chat": {"id": "u1"}}
    dropped = client.imconnector.delete.messages(connector, line, [gone]).result["SUCCESS"]
    print(json.dumps({"delivered": delivered, "read": read, "ids": ids, "dropped": dropped}))
