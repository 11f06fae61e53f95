"""The edge of an API that speaks JSON: parameters in a GET, a body in a POST, the key as bearer token.

Called by adapters; everything but the looks of a request is in `http`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Unpack

from gpuinstance.providers.answers import Call
from gpuinstance.providers.dialects import Dialect
from gpuinstance.providers.http import HttpEdge, Wiring, clean_key


class JsonEdge(HttpEdge):
    """One account at a JSON API.

    Raises Unauthorized with reason CredentialsUnavailable if `api_key` cannot be a bearer token.
    """

    def __init__(self, base_url: str, api_key: str, dialect: Dialect, **wiring: Unpack[Wiring]) -> None:
        key = clean_key(api_key)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        super().__init__(base_url, key, dialect, headers=headers, **wiring)

    async def read(self, call: Call, path: str, params: Mapping[str, str | int]) -> object:
        """GET: return the JSON value, None for an empty answer.

        Raises Unavailable after the last attempt, RateLimited at once, and what `answers` names.
        """
        return await self._read(call, self._client.build_request("GET", path, params=dict(params)))

    async def change(self, call: Call, path: str, body: Mapping[str, object]) -> object:
        """POST: return the JSON value, None for an empty answer.

        Raises UnknownOutcome wherever the request may have taken effect, Unavailable only where
        nothing was sent or the refusal is certain.
        """
        return await self._change(call, self._client.build_request("POST", path, content=json.dumps(body).encode()))
