"""Bitrix24: a cloud or on-premise portal reached by REST (classic v2 API)."""
