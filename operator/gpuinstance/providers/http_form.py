"""The edge of an API with one address: every request, also a read, is a form that is POSTed, key included.

Called by adapters; everything but the looks of a request is in `http`. A read may be sent again as any
other read: that its method is POST says nothing about its effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

import httpx

from gpuinstance.providers.answers import Call
from gpuinstance.providers.dialects import Dialect
from gpuinstance.providers.http import HttpEdge, Wiring, clean_key

Fields = Mapping[str, str | Sequence[str]]
"""A form: a field with several values is repeated."""


class FormEdge(HttpEdge):
    """One account at such an API. `url` is the full address, `key_field` names the field of the key.

    Connections leave over IPv4 alone: a key may be bound to the addresses that it is used from, and such
    lists are lists of IPv4 addresses. Raises Unauthorized with reason CredentialsUnavailable if
    `api_key` cannot be a key.
    """

    def __init__(self, url: str, api_key: str, dialect: Dialect, *, key_field: str, **wiring: Unpack[Wiring]) -> None:
        key = clean_key(api_key)
        super().__init__("", key, dialect, headers={}, only_ipv4=True, **wiring)
        self._url = httpx.URL(url)
        self._credential = {key_field: key}

    async def read(self, call: Call, fields: Fields) -> object:
        """Ask: return the JSON value, None for an empty answer.

        Raises Unavailable after the last attempt, RateLimited at once, and what `answers` names.
        """
        return await self._read(call, self._request(fields))

    async def change(self, call: Call, fields: Fields) -> object:
        """Demand: return the JSON value, None for an empty answer.

        Raises UnknownOutcome wherever the request may have taken effect, Unavailable only where
        nothing was sent or the refusal is certain.
        """
        return await self._change(call, self._request(fields))

    def _request(self, fields: Fields) -> httpx.Request:
        return self._client.build_request("POST", self._url, data={**fields, **self._credential})
