"""How pods of the cluster reach the machine: `spec.connection`, and what `status.connection` says of it.

Data only. What is published is made up in `core.connection` and written by `publishing`. No value of the Secret
is ever repeated in the status, nor a digest of one.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.api.base import ApiModel, cel
from gpuinstance.api.words import ProviderName

_SERVICE = "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
"""A DNS-1035 label: what every version of Kubernetes takes as the name of a Service."""
_OBJECT = "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
_PORT = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

SECRET_SUFFIX = "-connection"  # noqa: S105 - the end of a name, no value
"""The Secret is called `<name>-connection` unless the spec names it."""
_LONGEST_NAME = 253 - len(SECRET_SUFFIX)


class Connection(ApiModel):
    """A Secret and a Service that belong to the instance and go with it."""

    secret_name: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=253,
                json_schema_extra=cel(
                    (
                        f"self.matches('{_OBJECT}')",
                        "secretName must be a DNS-1123 name: lowercase letters, digits, - and .",
                    )
                ),
            ),
        ]
        | None
    ) = Field(
        None,
        description=(
            "Name of the Secret that is made, with SSH command, password, Jupyter and the address of each port. One "
            "that exists and is not this instance's is never touched. Default: `<name>-connection`."
        ),
    )
    service_name: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=63,
                json_schema_extra=cel(
                    (
                        f"self.matches('{_SERVICE}')",
                        "serviceName must be a DNS label that begins with a letter: lowercase letters, digits and -",
                    )
                ),
            ),
        ]
        | None
    ) = Field(
        None,
        description=(
            "Name of the Service that is made, with the numbers and names of `ports`. One that exists and is not this "
            "instance's is never touched. Default: the instance's own name."
        ),
    )


class ConnectionStatus(ApiModel):
    """What is published now."""

    secret_name: str | None = Field(None, description="The Secret that is there and belongs to this instance.")
    service_name: str | None = Field(None, description="The Service that is there and belongs to this instance.")
    reason: str | None = Field(None, description="Why something is missing or old: a word of the closed list.")
    message: str | None = Field(None, description="The same in words, and what to do about it.")


_CREDENTIALS = ", ".join(f"'{provider}-credentials'" for provider in ProviderName)
"""Where every instance of the namespace looks for the API key of its provider, unless it names another Secret."""

CONNECTION_RULES = (
    (
        (
            "!has(self.connection) || !has(self.connection.secretName) || "
            f"!(self.connection.secretName in [{_CREDENTIALS}] || "
            "(has(self.credentialsRef) && self.connection.secretName == self.credentialsRef.name))"
        ),
        "connection.secretName must not be a Secret with a provider's API key",
    ),
    (
        (f"!has(self.connection) || !has(self.ports) || self.ports.all(p, !has(p.name) || p.name.matches('{_PORT}'))"),
        "with connection, names of ports become those of a Service: lowercase letters, digits and -, at most 63",
    ),
)
"""For the spec, in CEL."""

CONNECTION_ROOT_RULES = (
    (
        (
            "!has(self.spec.connection) || has(self.spec.connection.serviceName) || "
            f"self.metadata.name.matches('{_SERVICE}')"
        ),
        (
            "the name of this object cannot be that of a Service (a letter, then lowercase letters, digits and -, at "
            "most 63): set spec.connection.serviceName"
        ),
    ),
    (
        (
            "!has(self.spec.connection) || has(self.spec.connection.secretName) || "
            f"self.metadata.name.size() <= {_LONGEST_NAME}"
        ),
        f"the name of this object is too long for a Secret `<name>{SECRET_SUFFIX}`: set spec.connection.secretName",
    ),
)
"""For the whole object, in CEL: only there the name is known."""
