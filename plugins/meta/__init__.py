"""What the products of Meta's platform share: signature, envelope, Graph calls, error table, kept tokens, stand-in.

A library for plugins: it has no connector and no entry point of its own, and imports from `hub` alone.
"""
