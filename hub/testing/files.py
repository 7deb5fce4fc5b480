"""Samples as requests, for plugins' tests: the rules are those of `hub try FILE`."""

from hub.request_file import request_from_bytes, request_from_file

__all__ = ["request_from_bytes", "request_from_file"]
