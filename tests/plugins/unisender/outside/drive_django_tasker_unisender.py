"""Drives PyPI django-tasker-unisender 0.0.1: its address is fixed, so its `requests.request` is turned to ours."""

import json
import sys

import requests
from django.conf import settings as django_settings

given = json.loads(sys.argv[1])
django_settings.configure(UNISENDER_API_KEY=given["api_key"])
real = requests.request


def turned(method, url, **options):
    return real(method, url.replace("https://api.unisender.com", given["url"]), **options)


requests.request = turned
from django_tasker_unisender.unisender import Unisender  # noqa: E402

out = {}
api = Unisender()
out["list"] = api.create_list("Outside")
api.update_list(out["list"], "Outside too")
out["titles"] = [row["title"] for row in api.get_lists()]
out["field"] = api.create_field("Breed", "string", "Порода")
api.update_field(out["field"], "Breed2")
out["fields"] = [row["name"] for row in api.get_fields()]
out["person"] = api.subscribe([out["list"]], {"fields[email]": "anna@example.com", "fields[Name]": "Anna"})
api.exclude("email", "anna@example.com", [out["list"]])
api.delete_field(out["field"])
api.delete_list(out["list"])
out["left"] = [row["title"] for row in api.get_lists()]
try:
    Unisender("wrong").get_lists()
except requests.HTTPError as error:
    out["wrong key"] = str(error)
print(json.dumps(out))
