"""Reads instances, upgrades and Events from the API server with the user's kubeconfig; says what stands in the way.

Uses the official synchronous client: a command asks once and ends. Only `abandon` writes to the cluster, and
nothing is ever written to the kubeconfig.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any, NoReturn

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from gpuinstance.api.upgrade import UPGRADE_KIND, UPGRADE_PLURAL
from gpuinstance.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION, ObjectMeta

Object = dict[str, Any]

_PAGE = 500
_PATIENCE = (5, 30)
"""Seconds: to connect, and for each answer."""


class Exit(IntEnum):
    """How a command ends; also shown by --help."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_CONFIRMED = 4


class Trouble(Exception):
    """The command cannot be carried out; the text is for the user."""

    def __init__(self, text: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(text)
        self.code = code


class Cluster:
    """One context of a kubeconfig.

    `kubeconfig` None means $KUBECONFIG or the default place, `context` None the current one. Raises Trouble
    if there is none.
    """

    def __init__(self, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        settings = client.Configuration()
        try:
            config.load_kube_config(
                config_file=kubeconfig, context=context, client_configuration=settings, persist_config=False
            )
            self.namespace = _namespace(kubeconfig, context)
        except (ConfigException, OSError, yaml.YAMLError) as error:
            raise Trouble(f"no usable kubeconfig: {error}") from error
        settings.retries = False
        self._host = settings.host
        self._client = client.ApiClient(settings)
        self._api = client.CustomObjectsApi(self._client)

    def instance(self, namespace: str, name: str) -> Object:
        """Return one GPUInstance. Raises Trouble."""
        return self._get(PLURAL, namespace, name, _missing(namespace, name))

    def upgrade(self, namespace: str, name: str) -> Object:
        """Return one InstanceUpgrade. Raises Trouble."""
        return self._get(UPGRADE_PLURAL, namespace, name, _missing(namespace, name, UPGRADE_KIND))

    def instances(self, namespace: str | None) -> list[Object]:
        """Return all GPUInstances of a namespace, or of the whole cluster. Raises Trouble."""
        return self._list(PLURAL, namespace)

    def upgrades(self, namespace: str | None) -> list[Object]:
        """Return all InstanceUpgrades of a namespace, or of the whole cluster. Raises Trouble."""
        return self._list(UPGRADE_PLURAL, namespace)

    def events(self, namespace: str | None, reason: str) -> list[Object]:
        """Return all Events with that reason, of a namespace or of the whole cluster. Raises Trouble."""
        core, found, following = client.CoreV1Api(self._client), list[Object](), None
        while True:
            options: dict[str, Any] = {"field_selector": f"reason={reason}", "limit": _PAGE}
            options |= {"_request_timeout": _PATIENCE, "_preload_content": False}
            if following:
                options["_continue"] = following
            try:
                # Unparsed: what is shown is what the API server says, and the models are many times slower.
                answer: Any = (
                    core.list_event_for_all_namespaces(**options)
                    if namespace is None
                    else core.list_namespaced_event(namespace, **options)
                )
                page = _mapping(json.loads(answer.data))
            except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
                self._explain(error, None)
            found += page["items"]
            following = page["metadata"].get("continue")
            if not following:
                return found

    def _get(self, plural: str, namespace: str, name: str, missing: str) -> Object:
        try:
            found = self._api.get_namespaced_custom_object(
                GROUP, VERSION, namespace, plural, name, _request_timeout=_PATIENCE
            )
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            self._explain(error, missing)
        return _mapping(found)

    def _list(self, plural: str, namespace: str | None) -> list[Object]:
        items: list[Object] = []
        following = None
        while True:
            options: dict[str, Any] = {"limit": _PAGE, "_request_timeout": _PATIENCE}
            if following:
                options["_continue"] = following
            try:
                if namespace is None:
                    page = self._api.list_cluster_custom_object(GROUP, VERSION, plural, **options)
                else:
                    page = self._api.list_namespaced_custom_object(GROUP, VERSION, namespace, plural, **options)
            except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
                self._explain(error, None)
            items += _mapping(page)["items"]
            following = _mapping(page)["metadata"].get("continue")
            if not following:
                return items

    def patch_spec(self, of: ObjectMeta, changes: Object, *, rehearse: bool = False) -> None:
        """Change fields of a GPUInstance's spec, in this life of it only. Raises Trouble.

        `rehearse` lets the API server say whether it would, and changes nothing.
        """
        body = {"metadata": {"uid": of.uid}, "spec": changes}
        options: dict[str, Any] = {"dry_run": "All"} if rehearse else {}
        try:
            self._api.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                of.namespace,
                PLURAL,
                of.name,
                body,
                _content_type="application/merge-patch+json",
                _request_timeout=_PATIENCE,
                **options,
            )
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            self._explain(error, _missing(of.namespace, of.name))

    def delete(self, of: ObjectMeta, *, rehearse: bool = False) -> None:
        """Ask for the deletion of a GPUInstance, in this life of it only. Raises Trouble; `rehearse` as above."""
        preconditions = client.V1Preconditions(uid=of.uid)
        options = client.V1DeleteOptions(preconditions=preconditions, dry_run=["All"] if rehearse else None)
        try:
            self._api.delete_namespaced_custom_object(
                GROUP, VERSION, of.namespace, PLURAL, of.name, body=options, _request_timeout=_PATIENCE
            )
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            self._explain(error, _missing(of.namespace, of.name))

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _explain(self, error: Exception, missing: str | None) -> NoReturn:
        if not isinstance(error, ApiException):
            raise Trouble(f"cannot reach the cluster at {self._host}: {type(error).__name__}") from error
        said = _said(error)
        if error.status == HTTPStatus.NOT_FOUND:
            if missing is not None and said.get("details"):
                raise Trouble(missing, Exit.NOT_FOUND) from error
            words = "this cluster does not know GPUInstance: the operator's CRDs are not installed"
            raise Trouble(words) from error
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise Trouble(f"the cluster at {self._host} does not accept your credentials: log in again") from error
        raise Trouble(f"the cluster refused: {said.get('message') or error.reason}") from error


def _missing(namespace: str, name: str, kind: str = KIND) -> str:
    return f'{kind} "{name}" not found in namespace {namespace}'


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    contexts, current = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((it for it in contexts if it["name"] == context), current) if context else current
    return str(chosen["context"].get("namespace") or "default")


def _mapping(answer: Any) -> Object:
    if not isinstance(answer, Mapping):
        raise Trouble("the cluster's answer is no object of Kubernetes")
    return dict(answer)


def _said(error: ApiException) -> Mapping[str, Any]:
    """Return the Status object that came with an error, or nothing."""
    try:
        said = json.loads(error.body or "")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
