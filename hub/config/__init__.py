"""`hub.yaml`: read, checked, and turned into what the hub works with."""

from hub.config.load import load, plugins_dir
from hub.config.problems import Problem
from hub.config.shapes import (
    Attach,
    Config,
    ConnectionConfig,
    Do,
    Find,
    HubSettings,
    People,
    Route,
    StageRule,
    Step,
    Trigger,
)
from hub.config.syncs import Sync, SyncField
from hub.tables import LookUp, Table

__all__ = [
    "Attach",
    "Config",
    "ConnectionConfig",
    "Do",
    "Find",
    "HubSettings",
    "LookUp",
    "People",
    "Problem",
    "Route",
    "StageRule",
    "Step",
    "Sync",
    "SyncField",
    "Table",
    "Trigger",
    "load",
    "plugins_dir",
]
