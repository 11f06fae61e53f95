"""Settings of the operator process, read once from the environment (prefix GPUINSTANCE_), frozen.

What belongs to one machine is in its spec; what belongs to the process is here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gpuinstance.api.words import ProviderName
from gpuinstance.core.division import MOST_SHARDS, Division

_PREFIX = "GPUINSTANCE_"
_DAY = 86_400


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('must be a JSON list, such as ["a", "b"]') from None


class Settings(BaseSettings):
    """All settings with their defaults; seconds where a name ends so."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid", enable_decoding=False)

    mark: str = Field("gpui", pattern="^[a-z][a-z0-9]{0,15}$")
    """First word of every machine's name. Two clusters that share an account need two marks."""
    novita_base_url: str = "https://api.novita.ai/gpu-instance/openapi/v1"
    hostwinds_base_url: str = "https://clients.hostwinds.com/cloud/api.php"
    """The full address: every call goes there."""
    namespaces: Annotated[list[str], BeforeValidator(_from_json)] = []
    """Namespaces to serve, as a JSON list; empty for all."""
    shared_credentials_namespace: str | None = Field(None, pattern="^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$")
    """Where shared Secrets `<provider>-credentials` are; each lists in its key `namespaces` who may use it."""

    poll_seconds: float = Field(60, ge=1, le=_DAY)
    """Pause between looks at an object at rest."""
    fast_poll_seconds: float = Field(3, ge=0.1, le=_DAY)
    """Pause between looks while something changes."""
    hostwinds_poll_seconds: float = Field(30, ge=0.1, le=_DAY)
    """The same at Hostwinds, whose changes are queued and take minutes."""
    resize_timeout_seconds: float = Field(1800, ge=1, le=_DAY)
    """How long the provider may work on one step of an InstanceUpgrade; a paid call without an answer is looked
    after for as long, before it is repeated: a queued change looks like one that never arrived."""
    settle_seconds: float = Field(105, ge=1, le=_DAY)
    """How long after an intent its effect may still be missing from the provider's listing: the time of
    a wait, `provider_wait_seconds`, of a call, `provider_timeout_seconds`, and a minute of lag."""
    stale_polls: int = Field(5, ge=2, le=10_000)
    """Missed polls after which a Ready object becomes Unknown."""
    provider_timeout_seconds: float = Field(30, gt=0, le=_DAY)
    provider_wait_seconds: float = Field(15, gt=0, le=_DAY)
    """How long a call waits for its turn at most before it is given up, unsent."""
    provider_concurrency: int = Field(20, ge=1, le=1000)
    """Calls of one account that are under way at the same time."""
    novita_rate: float = Field(100, gt=0, le=10_000)
    """Requests a second that one account may send. Novita documents no limit, and 429 for who exceeds it:
    this bounds our own mistakes, and lets thousands of instances come up at once."""
    novita_burst: int = Field(500, ge=1, le=100_000)
    """Requests that one account may send at once after a quiet time."""
    hostwinds_rate: float = Field(2, gt=0, le=10_000)
    """The same at Hostwinds, which documents nothing about limits: what careful clients allow themselves."""
    hostwinds_burst: int = Field(20, ge=1, le=100_000)
    """The same at Hostwinds."""

    leader_election: bool = True
    """In a pod, or with `lease_namespace`: of several processes one acts. False: nobody else may be running."""
    lease_namespace: str | None = None
    """Where the Lease is; the pod's own namespace if None."""
    lease_name: str = Field("gpu-instance-operator", pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    """Operators that share a namespace and serve different objects need different ones."""
    lease_seconds: int = Field(15, ge=1, le=3600)
    """How long the others wait after the leader's last renewal that they have seen."""
    lease_deadline_seconds: float = Field(10, gt=0, le=3600)
    """How long after its last renewal the leader acts; then it ends."""
    lease_retry_seconds: float = Field(2, gt=0, le=3600)
    """Pause between renewals, and between tries to become the leader."""
    shards: int = Field(1, ge=1, le=MOST_SHARDS)
    """Among how many leaders the objects are divided; all processes that share a Lease name need the same number."""
    shard: int = Field(0, ge=0, lt=MOST_SHARDS)
    """Which of them this process is a replica of: from 0 to `shards` - 1."""
    audit_seconds: float = Field(300, ge=1, le=600)
    """Pause between comparisons of the cluster's list of objects with what the watch has shown."""

    orphan_sweep_seconds: float = Field(300, ge=1, le=_DAY)
    """Pause between sweeps for machines that carry our mark and belong to no object."""
    orphan_seconds: float = Field(600, ge=0, le=_DAY)
    """How long a machine must have been seen so before it is reported."""
    orphan_deletion: bool = False
    """True removes reported machines, a few in each sweep; also those that a `deletionPolicy` left on purpose."""
    orphan_deletion_limit: int = Field(3, ge=1, le=100)
    """How many machines one sweep may remove."""

    http_listen: str = "0.0.0.0:8080"
    """Where /healthz, /readyz and /metrics are served."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    namespace_budgets: bool = True
    """Whether a Namespace's annotation `gpuinstance.dev/max-hourly-price` is asked before money is spent in it."""

    workers: int = Field(200, ge=1, le=1000)
    """Passes that run at the same time."""
    denied_networks: Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_from_json)] = []
    """Networks that nothing may lead to although they are public, as a JSON list: those of pods, services and nodes
    where they have such addresses. They win over all that is allowed below."""
    probe_allowed_networks: Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_from_json)] = []
    """Networks that health checks may reach although they are not public, as a JSON list."""

    connection_seconds: float = Field(300, ge=1, le=_DAY)
    """Pause between looks at what `spec.connection` has published: for edits, and for names that moved."""
    connection_allowed_networks: Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_from_json)] = []
    """Networks to which a Service may lead although they are not public, as a JSON list."""

    notification_allowed_networks: Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_from_json)] = []
    """Networks that notifications may be sent to although they are not public, as a JSON list."""
    notification_farewell_seconds: float = Field(30, ge=0, le=600)
    """How long a deleted object is kept at most for notifications about it that nobody has taken yet."""

    @field_validator("lease_deadline_seconds", "lease_retry_seconds")
    @classmethod
    def _fits(cls, value: float, info: ValidationInfo) -> float:
        """The leader must stop before others begin, and have more than one try before it stops."""
        if info.field_name == "lease_deadline_seconds" and value >= info.data.get("lease_seconds", math.inf):
            raise ValueError("must be less than GPUINSTANCE_LEASE_SECONDS")
        if info.field_name == "lease_retry_seconds" and value * 2 > info.data.get("lease_deadline_seconds", math.inf):
            raise ValueError("must be at most half of GPUINSTANCE_LEASE_DEADLINE_SECONDS")
        return value

    @field_validator("shards", "shard")
    @classmethod
    def _divides(cls, value: int, info: ValidationInfo) -> int:
        """A shard that is none of them would stand by for ever; without an election nothing keeps them apart."""
        if info.field_name == "shard" and value >= info.data.get("shards", math.inf):
            raise ValueError("must be less than GPUINSTANCE_SHARDS")
        if info.field_name == "shards" and value > 1 and not info.data.get("leader_election", True):
            raise ValueError("must be 1 where GPUINSTANCE_LEADER_ELECTION is false")
        return value

    @property
    def division(self) -> Division:
        """The part of all instances that this process may look after."""
        return Division(self.shard, self.shards)

    @property
    def fast_poll(self) -> timedelta:
        """`fast_poll_seconds` as a span."""
        return timedelta(seconds=self.fast_poll_seconds)

    def pace(self, provider: ProviderName) -> timedelta:
        """Return the pause between looks while something changes at this provider."""
        return timedelta(seconds=self.hostwinds_poll_seconds) if provider is ProviderName.HOSTWINDS else self.fast_poll

    @property
    def resize_timeout(self) -> timedelta:
        """`resize_timeout_seconds` as a span."""
        return timedelta(seconds=self.resize_timeout_seconds)

    @property
    def orphan_after(self) -> timedelta:
        """`orphan_seconds` as a span."""
        return timedelta(seconds=self.orphan_seconds)

    @property
    def poll(self) -> timedelta:
        """`poll_seconds` as a span."""
        return timedelta(seconds=self.poll_seconds)

    @property
    def notification_farewell(self) -> timedelta:
        """`notification_farewell_seconds` as a span."""
        return timedelta(seconds=self.notification_farewell_seconds)

    @property
    def settle(self) -> timedelta:
        """`settle_seconds` as a span."""
        return timedelta(seconds=self.settle_seconds)

    @property
    def stale_after(self) -> timedelta:
        """Age of the last observation above which nothing is known any more."""
        return self.poll * self.stale_polls


def unknown(variables: Iterable[str]) -> list[str]:
    """Return which variables of the environment look like settings and are none, such as misspelt ones."""
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(it for it in variables if it.upper().startswith(_PREFIX) and it.upper() not in known)


def complaint(error: ValidationError) -> str:
    """Return in one line which variables of the environment are wrong and why, without their values."""
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_input=False, include_url=False):
        messages = found.setdefault(f"{_PREFIX}{detail['loc'][0]}".upper(), [])
        message = detail["msg"].removeprefix("Value error, ")  # pydantic's, before words of our own
        if message not in messages:
            messages.append(message)
    return "; ".join(f"{variable}: {', '.join(messages)}" for variable, messages in found.items())
