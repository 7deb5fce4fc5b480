"""Calltouch's words: names of fields in their spellings, placeholders, phases, limits and errors.

Pages are those of www.calltouch.ru/support/ unless a repository is named. A name in two spellings is the rule: the
hook says `callerphone`, the journal `callerNumber`, and older receivers know yet other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# --- fields ---------------------------------------------------------------------------------------

#: our name of a field -> how it is spelled in hooks and journals, the usual one first. Hooks: the fields one can tick
#: on the page "otpravka-informatsii-o-zvonkakh-zayavkakh-chatakh...-webhoo", as public receivers name them
#: (IncommingCalltouchWebhookDto, MrLasha/calltouch-webhook). Journals: mg-realcom/calltouch-sdk, entity.go.
NAMES: Mapping[str, tuple[str, ...]] = {
    # what it is
    "leadtype": ("leadtype", "leadType", "lead_type"),
    "callphase": ("callphase", "callPhase"),
    "changedFields": ("changedFields",),
    "siteId": ("siteId",),
    # a call
    "callId": ("callId", "call_id", "id"),
    "callerphone": ("callerphone", "callerNumber"),
    "phonenumber": ("phonenumber", "phoneNumber", "calledphone"),
    "redirectNumber": ("redirectNumber", "operatorphone"),
    "duration": ("duration",),
    "waiting_time": ("waiting_time", "waitingConnect"),
    "calltime": ("calltime", "date"),
    "timestamp": ("timestamp",),
    "status": ("status", "successful"),
    "statusDetails": ("statusDetails",),
    "recordlink": ("recordlink", "record", "recordLink"),
    "callReferenceId": ("callReferenceId", "referenceId"),
    "manager": ("manager",),
    # a request
    "requestId": ("requestId", "request_id", "id"),
    "requestNumber": ("requestNumber",),
    "requestDate": ("requestDate", "dateStr", "date"),
    "subject": ("subject",),
    "fio": ("fio", "name"),
    "email": ("email",),
    "comment": ("comment",),
    "requestUrl": ("requestUrl",),
    "requestType": ("requestType",),
    # a chat
    "chatId": ("chatId",),
    # where it came from
    "source": ("source",),
    "medium": ("medium",),
    "keyword": ("keyword", "keywords"),
    "utm_source": ("utm_source", "utmSource"),
    "utm_medium": ("utm_medium", "utmMedium"),
    "utm_campaign": ("utm_campaign", "utmCampaign"),
    "utm_content": ("utm_content", "utmContent"),
    "utm_term": ("utm_term", "utmTerm"),
    "gclid": ("gclid",),
    "yclid": ("yclid",),
    "fbclid": ("fbclid",),
    "ref": ("ref",),
    "url": ("url",),
    "callUrl": ("callUrl",),
    "attrs": ("attrs",),
    "ip": ("ip",),
    # the visitor
    "sessionId": ("sessionId",),
    "ctClientId": ("ctClientId",),
    "ctCallerId": ("ctCallerId",),
    "ctGlobalId": ("ctGlobalId",),
    "yaClientId": ("yaClientId",),
    "clientId": ("clientId", "guaClientId", "gcid"),
    "city": ("city",),
    "orderId": ("orderId", "order_id"),
    "orderNumber": ("orderNumber",),
}
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    ours: tuple(dict.fromkeys(word.lower() for word in words)) for ours, words in NAMES.items()
}

#: the same the other way round: a spelling in lower case -> (our name, its rank among the spellings of that field)
MEANINGS: Mapping[str, tuple[tuple[str, int], ...]] = {
    word: tuple((ours, words.index(word)) for ours, words in SPELLINGS.items() if word in words)
    for word in {word for words in SPELLINGS.values() for word in words}
}

#: the kinds of hooks, each with fields of its own; what isn't a lead can't be read, its names are nowhere public
KINDS = ("call", "request")
#: fields only a call has, and only a request has: they tell the kind where `leadtype` wasn't ticked
CALL_ONLY = ("callId", "callphase", "calltime", "duration", "waiting_time", "phonenumber", "redirectNumber")
REQUEST_ONLY = ("requestId", "requestNumber", "requestDate", "subject", "fio")
#: fields that are known when a call is over and not before: they tell the phase where `callphase` wasn't ticked
END_ONLY = ("duration", "waiting_time", "status", "statusDetails", "recordlink")

#: what an admin should tick, and what is lost without it
NEEDED: Mapping[str, str] = {
    "leadtype": "whether it is a call or a request",
    "callId": "the call's number: the deal can't be tied to the call without it",
    "requestId": "the request's number: the deal can't be tied to the request without it",
    "requestNumber": "whether the hub has registered the request itself",
    "callphase": "whether the call begins or is over",
    "callerphone": "who called",
    "calltime": "when the call began",
    "timestamp": "when it happened, free of time zones",
    "status": "whether the call was answered",
    "duration": "how long it was",
    "sessionId": "the visit it belongs to",
}
#: what else is worth ticking
USEFUL = (
    "siteId", "requestDate", "subject", "fio", "email", "comment", "phonenumber", "waiting_time",
    "manager", "source", "medium", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "url",
    "ref", "ctClientId", "ctGlobalId", "yaClientId", "changedFields",
)  # fmt: skip

#: what stands in a field that has no value (receivers, warehouse loaders); compared without regard to case
PLACEHOLDERS = frozenset(("", "<не указано>", "<не заполнено>", "(not set)", "(none)", "offline", "null", "none"))

#: a field that was not filled in: the cabinet's test of a hook sends `{callerphone}` (MrLasha/calltouch-webhook)
MACRO = re.compile(r"\{+\s*[\w.]{1,60}\s*\}+")

#: how a requestNumber or referenceId of our own begins: what the hub has registered comes back and is no news
OURS = "hub-"

#: differs between two sendings of one hook
VOLATILE = frozenset(("sendingtimestamp",))

# --- phases and results of a call -----------------------------------------------------------------

STARTED, ANSWERED, ENDED = "started", "answered", "ended"
PHASES = (STARTED, ANSWERED, ENDED)
#: callphase -> phase. Only the start's word is known; whatever else stands there means that the call is over.
PHASE_OF: Mapping[str, str] = {"callconnected": STARTED}
#: the key of the setting `phases` that speaks of hooks without `callphase`
NO_PHASE = "none"
#: the one result that is known (MrLasha/calltouch-webhook); the journal says true
SUCCESSFUL = frozenset(("successful", "true", "1"))

# --- limits ---------------------------------------------------------------------------------------

#: items in one request of lead-service (page "api-metod-sozdaniya-sdelok" and its neighbours)
BATCH = 100
#: records on one page of the journal of calls (page "api-metod-vygruzki-zhurnala-zvonkov")
PAGE = 1000
#: letters in `subject` and `requestNumber` (page "upravlenie-zayavkami-cherez-api"), `referenceId` ("call-import")
SUBJECT, NUMBER, REFERENCE = 256, 256, 100
#: letters after which integrators cut: comments, values of customSources
COMMENT, CUSTOM_SOURCE = 255, 126
#: how far back a contact is looked for, in minutes: half a year, the largest value met in the vendor's examples
SEARCH_DEPTH = 262_800
#: where the vendor's hooks come from (page about webhooks)
SENDERS = ("92.118.66.0/23",)

# --- errors ---------------------------------------------------------------------------------------

#: apiErrorData.errorCode of widget-service -> what it means (notes of integrators; no page lists them)
WIDGET_ERRORS: Mapping[str, str] = {
    "10003": "no active widget has this route key: look at the widget's key in the cabinet, and whether it is on",
    "10007": "a value is not accepted",
    "10013": "the phone is not a number that can be called",
}

#: an update of a deal the vendor doesn't know. The words of that refusal are published nowhere, so both languages are
#: tried; 404 means it without words.
UNKNOWN_DEAL = re.compile(
    r"not\s*found|does\s*n[o']t\s*exist|not\s*exist|unknown\s+order|не\s*найден|не\s*существует|отсутствует", re.I
)
#: a deal that is made a second time, by the same reasoning
KNOWN_DEAL = re.compile(r"already|duplicate|not\s+unique|уже\s|существует|дублик|не\s*уникал", re.I)
#: a call imported a second time: a referenceId is unique for ever (page "call-import")
KNOWN_CALL = KNOWN_DEAL
