"""What a plugin's author tests with: a connector ready to use, requests out of files, and the contract as tests.

`build`, `MemoryVault` and `request_from_file` are here. The contract's test classes need pytest and hypothesis and
stand in `hub.testing.contract`.
"""

from hub.testing.build import MemoryVault, build, secret_values
from hub.testing.files import request_from_bytes, request_from_file

__all__ = ["MemoryVault", "build", "request_from_bytes", "request_from_file", "secret_values"]
