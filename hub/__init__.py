"""The hub: takes vendors' webhooks in, keeps them, decides what they mean, and calls the vendors out."""

__version__ = "0.1.0"
