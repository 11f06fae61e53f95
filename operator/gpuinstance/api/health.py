"""When an application counts as serving: `spec.healthCheck`.

Running is not serving: a provider's proxy answers 502 while the application starts. These settings
say what must answer, how patiently it is asked, and how many answers are enough.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from gpuinstance.api.base import ApiModel, cel, list_map
from gpuinstance.api.parts import KeyRef
from gpuinstance.api.words import PortProtocol, Requirement

DEFAULT_EXPECTED_STATUSES = "200-399"


class HeaderSource(ApiModel):
    """Where the value of a header comes from."""

    secret_key_ref: KeyRef = Field(description="A key of a Secret in the same namespace.")


class Header(ApiModel):
    """One header of a health check; exactly one of `value` and `valueFrom`."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.value) != has(self.valueFrom)", "exactly one of value and valueFrom is required"),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=100, pattern="^[A-Za-z0-9-]+$")] = Field(
        description="Name of the header."
    )
    value: Annotated[str, Field(max_length=1024, pattern="^[ -~]*$")] | None = Field(
        None, description="Its value, in plain sight; put secrets into `valueFrom`."
    )
    value_from: HeaderSource | None = Field(None, description="Takes the value from a Secret, e.g. a bearer token.")


class HealthEndpoint(ApiModel):
    """One port that is checked, and the answer that it must give."""

    port: Annotated[int, Field(ge=1, le=65535)] = Field(description="A port from `spec.ports`.")
    path: Annotated[str, Field(max_length=1024, pattern="^/")] = Field(
        "/", description="Path for http, starting with `/`. Default: `/`."
    )
    protocol: PortProtocol = Field(
        PortProtocol.HTTP, description="`http` (the default) sends GET, `tcp` opens a connection."
    )
    expected_statuses: Annotated[
        str,
        Field(
            max_length=100,
            json_schema_extra=cel(
                (
                    "self.matches('^[1-5][0-9][0-9](-[1-5][0-9][0-9])?(,[1-5][0-9][0-9](-[1-5][0-9][0-9])?)*$')",
                    "must be HTTP status codes and ranges, such as 200-399 or 200,204,301-308",
                )
            ),
        ),
    ] = Field(
        DEFAULT_EXPECTED_STATUSES,
        description="Status codes and ranges that count as healthy, such as `200,401` or the default `200-399`.",
    )

    headers: Annotated[list[Header], Field(max_length=10, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Headers to send with http checks."
    )


class HealthCheck(ApiModel):
    """How the application is asked whether it serves."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.targetPort) || !has(self.endpoints) || self.endpoints.exists(e, e.port == self.targetPort)",
                "targetPort must be one of the ports in endpoints",
            ),
        )
    )

    enabled: bool = Field(True, description="If false, a running machine counts as healthy. Default: true.")
    endpoints: Annotated[list[HealthEndpoint], Field(max_length=15, json_schema_extra=list_map("port"))] | None = Field(
        None, description="What to check, one entry for each port. Default: every published port, http ports at `/`."
    )
    target_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="Check only this port. Default: all."
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = Field(
        10, description="How long one check may take, 1-300. Default: 10."
    )
    retry_attempts: Annotated[int, Field(ge=0, le=10)] = Field(
        3,
        description=(
            "Further tries within one round of checks of a ready instance, 0-10, for failures that may pass; before it "
            "is ready, each look is a single try. Default: 3."
        ),
    )
    retry_delay_seconds: Annotated[float, Field(ge=0.1, le=30)] = Field(
        2, description="Pause before the first further try, 0.1-30; doubles each time, with jitter. Default: 2."
    )
    max_wait_seconds: Annotated[int, Field(ge=30, le=1800)] = Field(
        300,
        description="Time from running to healthy after which the instance counts as failed, 30-1800. Default: 300.",
    )
    interval_seconds: Annotated[int, Field(ge=5, le=3600)] = Field(
        30, description="Pause between rounds of checks once the instance is ready, 5-3600. Default: 30."
    )
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="Failed rounds in a row that make a ready instance unready, 1-100. Default: 3."
    )
    success_threshold: Annotated[int, Field(ge=1, le=10)] = Field(
        1, description="Good rounds in a row that make an instance ready, 1-10. Default: 1."
    )
    body_error_patterns: (
        Annotated[list[Annotated[str, Field(min_length=3, max_length=200)]], Field(max_length=20)] | None
    ) = Field(
        None,
        description=(
            "Further phrases that make an answer unhealthy in spite of a good status, beside the known ones such as "
            "`bad gateway`. They count where error pages have them: in the title or heading, in a very short text, or "
            "in an error field of JSON."
        ),
    )
    require: Requirement = Field(
        Requirement.ALL, description="`All` (the default): every endpoint must be healthy; `Any`: one is enough."
    )
