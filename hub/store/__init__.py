"""All SQL of the hub: opening and transactions in `engine`, one module per concern beside it."""

from hub.store.engine import Db, Store

__all__ = ["Db", "Store"]
