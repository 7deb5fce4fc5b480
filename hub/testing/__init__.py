"""What a plugin's author tests with: a connector ready to use, requests out of files, and the contract as tests.

`build`, `MemoryVault`, `load_plugin` and `request_from_file` are here. The contract's test classes need pytest and
hypothesis and stand in `hub.testing.contract`.
"""

from hub.testing.build import MemoryVault, build, secret_values
from hub.testing.files import request_from_bytes, request_from_file
from hub.testing.loading import load_plugin

__all__ = ["MemoryVault", "build", "load_plugin", "request_from_bytes", "request_from_file", "secret_values"]
