"""Settings of the operator process, read once from the environment (prefix GPUINSTANCE_), frozen.

What belongs to one machine is in its spec; what belongs to the process is here.
"""

from __future__ import annotations

import json
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    namespaces: Annotated[list[str], BeforeValidator(_from_json)] = []
    """Namespaces to serve, as a JSON list; empty for all."""
    shared_credentials_namespace: str | None = None
    """Where shared Secrets `<provider>-credentials` are; each lists in its key `namespaces` who may use it."""

    poll_seconds: float = Field(60, ge=1, le=_DAY)
    """Pause between looks at an object at rest."""
    fast_poll_seconds: float = Field(3, ge=0.1, le=_DAY)
    """Pause between looks while something changes."""
    settle_seconds: float = Field(90, ge=1, le=_DAY)
    """How long after an intent its effect may still be missing from the provider's listing: the time of
    a call, `provider_timeout_seconds`, and a minute of lag."""
    stale_polls: int = Field(5, ge=2, le=10_000)
    """Missed polls after which a Ready object becomes Unknown."""
    provider_timeout_seconds: float = Field(30, gt=0, le=_DAY)

    http_listen: str = "0.0.0.0:8080"
    """Where /healthz, /readyz and /metrics are served."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    workers: int = Field(200, ge=1, le=1000)
    """Passes that run at the same time."""
    probe_allowed_networks: Annotated[list[IPv4Network | IPv6Network], BeforeValidator(_from_json)] = []
    """Networks that health checks may reach although they are not public, as a JSON list."""

    @property
    def fast_poll(self) -> timedelta:
        """`fast_poll_seconds` as a span."""
        return timedelta(seconds=self.fast_poll_seconds)

    @property
    def poll(self) -> timedelta:
        """`poll_seconds` as a span."""
        return timedelta(seconds=self.poll_seconds)

    @property
    def settle(self) -> timedelta:
        """`settle_seconds` as a span."""
        return timedelta(seconds=self.settle_seconds)

    @property
    def stale_after(self) -> timedelta:
        """Age of the last observation above which nothing is known any more."""
        return self.poll * self.stale_polls


def complaint(error: ValidationError) -> str:
    """Return in one line which variables of the environment are wrong and why, without their values."""
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_input=False, include_url=False):
        messages = found.setdefault(f"{_PREFIX}{detail['loc'][0]}".upper(), [])
        if detail["msg"] not in messages:
            messages.append(detail["msg"])
    return "; ".join(f"{variable}: {', '.join(messages)}" for variable, messages in found.items())
