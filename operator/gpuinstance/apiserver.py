"""One request to the API server, in plain JSON: for all who talk to it beside kopf.

Called by `kube`, `leading` and `publishing`. The connections and credentials are those of the client library. Its
generated classes are left aside: answers are read as plain data anyway, and importing those for core objects alone
costs a second at each start, and 25 MB for as long as the process lives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from kubernetes.aio import client

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_SUCCESS = range(200, 300)


def path_to(group: str, plural: str, namespace: str | None = None, *rest: str) -> str:
    """Return a path such as `/api/v1/namespaces/default/secrets/name`; `namespace` None: in the whole cluster.

    `group` is `/api/v1` or `/apis/GROUP/VERSION`; `rest` are a name, and a subresource of it.
    """
    place = ["namespaces", quote(namespace, safe="")] if namespace is not None else []
    return "/".join([group, *place, plural, *(quote(part, safe="") for part in rest)])


async def ask(
    api: client.ApiClient,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    accept: str = JSON,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Return the answer, parsed; the body of a PATCH is a merge patch.

    Raises client.ApiException for a refusal, and what aiohttp raises where there is no answer. `seconds` limits the
    whole request; None leaves that to the caller.
    """
    content = {"Content-Type": MERGE_PATCH if method == "PATCH" else JSON} if body is not None else {}
    request = await api.param_serialize(
        method,
        path,
        query_params=list((query or {}).items()),
        header_params={"Accept": accept, **content},
        body=body,
        auth_settings=["BearerToken"],
    )
    response = await api.call_api(*request, _request_timeout=seconds)
    answer = await response.read() or b"{}"
    if response.status not in _SUCCESS:
        text = answer.decode(errors="replace")
        raise client.ApiException(status=response.status, reason=response.reason, body=text)
    document: Any = json.loads(answer)
    return dict(document)
