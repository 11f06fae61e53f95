"""The one way to the API server: a kubeconfig in, requests out, and in words what stands in the way.

Used by `cluster` alone. Speaks HTTP through the official synchronous client, which knows certificates, tokens and
login plugins, and hands over documents as the API server wrote them, since the client's models would drop what they
do not know. Nothing is ever written to the kubeconfig.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from gpuinstance.cli.endings import ClusterTrouble, Exit, Trouble

Object = dict[str, Any]
Query = Mapping[str, str | int]

_CONNECTING = 5.0
_ANSWERING = 30.0
"""Seconds: to connect, and for each answer."""
_PIECE = 65536
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{_JSON}"

_UNREACHED = (ApiException, urllib3.exceptions.HTTPError, OSError)
"""What the client raises without an answer; an answer, whatever it says, raises nothing here."""


class Connection:
    """One context of a kubeconfig; the file is read when it is first needed.

    `kubeconfig` None means $KUBECONFIG or the default place, `context` None the current one. Everything here raises
    Trouble if there is none.
    """

    def __init__(self, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._opened: client.ApiClient | None = None

    @cached_property
    def namespace(self) -> str:
        """The namespace of the context."""
        try:
            contexts, current = config.list_kube_config_contexts(config_file=self._kubeconfig)
        except (ConfigException, OSError, yaml.YAMLError) as error:
            raise Trouble(f"no usable kubeconfig: {error}") from error
        named = self._context or current["name"]
        chosen: Object | None = next((it["context"] for it in contexts if it["name"] == named), None)
        if chosen is None:
            raise Trouble(f"no usable kubeconfig: it has no context {named}")
        return str(chosen.get("namespace") or "default")

    @property
    def host(self) -> str:
        """The address of the API server."""
        return str(self._client.configuration.host)

    def contexts(self) -> list[str]:
        """Return the names of all contexts."""
        try:
            found, _ = config.list_kube_config_contexts(config_file=self._kubeconfig)
        except (ConfigException, OSError, yaml.YAMLError) as error:
            raise Trouble(f"no usable kubeconfig: {error}") from error
        return [str(it["name"]) for it in found]

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Object | None = None,
        *,
        content_type: str = _JSON,
        missing: str | None = None,
        patience: float = _ANSWERING,
        only_metadata: bool = False,
    ) -> Object:
        """Send one request and return the document that comes back; `patience` in seconds.

        With `only_metadata` the API server leaves the rest of an object out, such as what is in a Secret.
        Raises ClusterTrouble; for an object that does not exist with the words `missing`.
        """
        accept = _METADATA if only_metadata else _JSON
        answer = self._send(method, path, query, body, content_type, patience, accept)
        try:
            data = answer.read()
        except _UNREACHED as error:
            raise self._unreachable(error) from error
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise self._refusal(answer.status, answer.reason, data, missing)
        document = _parsed(data)
        if document is None:
            raise Trouble("the cluster's answer is no object of Kubernetes")
        return document

    def stream(self, path: str, query: Query, *, patience: float) -> Iterator[Object]:
        """Yield the documents of a watch, one a line, until the API server ends it.

        `patience`: seconds of silence after which the connection counts as lost. Raises ClusterTrouble.
        """
        answer = self._send("GET", path, query, None, "", patience)
        try:
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise self._refusal(answer.status, answer.reason, answer.read(), None)
            rest = b""
            for piece in answer.response.stream(_PIECE, decode_content=True):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    document = _parsed(line)
                    if document is not None:
                        yield document
        except _UNREACHED as error:
            raise self._unreachable(error) from error
        finally:
            answer.response.close()

    def close(self) -> None:
        """Close connections."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _client(self) -> client.ApiClient:
        if self._opened is None:
            settings = client.Configuration()
            try:
                config.load_kube_config(
                    config_file=self._kubeconfig,
                    context=self._context,
                    client_configuration=settings,
                    persist_config=False,
                )
            except (ConfigException, OSError, yaml.YAMLError) as error:
                raise Trouble(f"no usable kubeconfig: {error}") from error
            settings.retries = False
            self._opened = client.ApiClient(settings)
        return self._opened

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Object | None,
        content_type: str,
        patience: float,
        accept: str = _JSON,
    ) -> Any:
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            return self._client.call_api(*request, _request_timeout=(min(_CONNECTING, patience), patience))
        except _UNREACHED as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ClusterTrouble:
        return ClusterTrouble(f"cannot reach the cluster at {self.host}: {type(error).__name__}")

    def _refusal(self, status: int, reason: str, data: bytes, missing: str | None) -> ClusterTrouble:
        said = _parsed(data) or {}
        if status == HTTPStatus.NOT_FOUND:
            if missing is not None and said.get("details"):
                return ClusterTrouble(missing, Exit.NOT_FOUND, status=status)
            words = "this cluster does not know GPUInstance: the operator's CRDs are not installed"
            return ClusterTrouble(words, status=status)
        if status == HTTPStatus.UNAUTHORIZED:
            words = f"the cluster at {self.host} does not accept your credentials: log in again"
            return ClusterTrouble(words, status=status)
        return ClusterTrouble(f"the cluster refused: {said.get('message') or reason}", status=status)


def _parsed(data: bytes) -> Object | None:
    """Return the JSON object, None for anything else."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
