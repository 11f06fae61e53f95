"""What Novita's v1 calls take in their bodies, with the documented limits, and what it means.

Unknown fields are ignored, as the real API ignores them. Violations become `VALIDATOR_PARAM` in `face`;
`to_order` and `to_software` translate into the words of the cloud. Source of the limits: the documentation
pages "create instance", "edit instance" and "upgrade instance".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from gpuinstance_simulator.catalogue import Mode, Port
from gpuinstance_simulator.machine import Mount, Order, Software

HIGHEST_PORT = 65535
RESERVED_PORTS = frozenset({2222, 2223, 2224})
MAX_PORTS = 15
"""Ports and tools together."""
SMALLEST_ROOTFS_GB = 10
"""Smaller wishes are raised to this, not refused."""

Protocol = Literal["http", "tcp"]


class _Body(BaseModel):
    # Only the names on the wire count: a field in another spelling is an unknown field.
    model_config = ConfigDict(  # type: ignore[pydantic-alias]  # aliases are made by a rule
        alias_generator=to_camel, extra="ignore", strict=True, frozen=True
    )


def _port_number(number: int) -> int:
    if not 1 <= number <= HIGHEST_PORT:
        raise ValueError("port must be between 1 and 65535")
    if number in RESERVED_PORTS:
        raise ValueError(f"port {number} is reserved")
    return number


def _no_port_twice(ports: tuple[Port, ...]) -> None:
    if len({it.number for it in ports}) < len(ports):
        raise ValueError("a port is exposed twice")


def _parse_ports(text: object) -> object:
    """`80/http,3306/tcp` as ports; anything but text is left for the type check to refuse."""
    if not isinstance(text, str):
        return text
    ports = tuple(_parse_port(item.strip()) for item in text.split(",")) if text.strip() else ()
    _no_port_twice(ports)
    return ports


def _parse_port(item: str) -> Port:
    number, slash, protocol = item.partition("/")
    if not slash or not number.isascii() or not number.isdigit() or protocol not in {"http", "tcp"}:
        raise ValueError(f"{item!r} is not a port like 80/http or 3306/tcp")
    return Port(_port_number(int(number)), protocol)


class Env(_Body):
    """One environment variable."""

    key: str = Field(max_length=511)
    value: str = Field(default="", max_length=4095)


class Tool(_Body):
    """A program that the provider adds. Its port is a string here, unlike anywhere else."""

    name: Literal["Jupyter"]
    port: str
    type: Protocol

    @model_validator(mode="after")
    def _check_port(self) -> Tool:
        if not (self.port.isascii() and self.port.isdigit()):
            raise ValueError("port must be a number in a string")
        _port_number(int(self.port))
        return self


class StorageMount(_Body):
    """A network storage in a create call. Mind the capital `Id`."""

    id: str = Field(alias="Id")
    mount_point: str = Field(default="/network", min_length=1, max_length=4095)


class CreateRequest(_Body):
    """`POST /gpu/instance/create`."""

    name: str = Field(default="", max_length=255)
    product_id: str = Field(min_length=1, max_length=255)
    gpu_num: int = Field(ge=1, le=8)
    rootfs_size: int = Field(le=6144)
    image_url: str = Field(min_length=1, max_length=500)
    image_auth: str = Field(default="", max_length=10239, repr=False)
    image_auth_id: str = ""
    ports: Annotated[tuple[Port, ...], BeforeValidator(_parse_ports)] = ()
    envs: list[Env] = Field(default_factory=list, max_length=100)
    tools: list[Tool] = Field(default_factory=list)
    command: str = Field(default="", max_length=2047)
    entrypoint: str = Field(default="", max_length=2047)
    cluster_id: str = ""
    network_storages: list[StorageMount] = Field(default_factory=list, max_length=30)
    kind: Literal["gpu", "cpu"]
    month: int = Field(default=0, ge=0)
    billing_mode: Literal["", "onDemand", "monthly", "spot"] = ""
    auto_renew: bool = False
    auto_renew_month: int | None = Field(default=None, ge=1, le=12)
    min_cuda_version: str = Field(default="", max_length=255)

    @model_validator(mode="after")
    def _check_together(self) -> CreateRequest:
        if len(self.ports) + len(self.tools) > MAX_PORTS:
            raise ValueError(f"ports and tools: at most {MAX_PORTS} together")
        _no_port_twice((*self.ports, *(port for _, port in self._tool_ports())))
        if self.billing_mode == "monthly" and not self.month:
            raise ValueError("month: must be at least 1 with billingMode monthly")
        return self

    def to_order(self) -> Order:
        """The order. More than zero months force the monthly mode, whatever `billingMode` says."""
        mode = Mode.MONTHLY if self.month else Mode(self.billing_mode or Mode.ON_DEMAND)
        return Order(
            name=self.name,
            product_id=self.product_id,
            gpu_count=self.gpu_num,
            rootfs_gb=max(self.rootfs_size, SMALLEST_ROOTFS_GB),
            software=Software(
                image=self.image_url,
                registry_auth_id=self.image_auth_id,
                command=self.command,
                entrypoint=self.entrypoint,
                env=tuple((it.key, it.value) for it in self.envs),
                mounts=tuple(Mount(it.id, it.mount_point) for it in self.network_storages),
            ),
            ports=self.ports,
            tools=self._tool_ports(),
            cluster_id=self.cluster_id or None,
            mode=mode,
            months=self.month,
            min_cuda_version=self.min_cuda_version,
            kind=self.kind,
        )

    def _tool_ports(self) -> tuple[tuple[str, Port], ...]:
        return tuple((it.name, Port(int(it.port), it.type)) for it in self.tools)


class InstanceRequest(_Body):
    """Every call that needs nothing but the instance."""

    instance_id: str = Field(min_length=1, max_length=255)


class PortEntry(_Body):
    """A port in an edit call: an object with a number, unlike in a create call."""

    port: int
    type: Protocol

    @model_validator(mode="after")
    def _check_port(self) -> PortEntry:
        _port_number(self.port)
        return self


class EditRequest(InstanceRequest):
    """`POST /gpu/instance/edit`. Absent `ports` stay as they are; present ones replace all."""

    ports: list[PortEntry] | None = Field(default=None, max_length=MAX_PORTS)
    expand_root_disk: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_ports(self) -> EditRequest:
        _no_port_twice(self.to_ports() or ())
        return self

    def to_ports(self) -> tuple[Port, ...] | None:
        """The ports in the words of the cloud."""
        return None if self.ports is None else tuple(Port(it.port, it.type) for it in self.ports)


class MonthlyRequest(InstanceRequest):
    """`POST /gpu/instance/transToMonthlyInstance`."""

    month: int = Field(ge=1)


class VolumeMount(_Body):
    """A network storage in an upgrade call."""

    type: Literal["network"]
    id: str
    mount_path: str = Field(default="/network", min_length=1, max_length=4095)


class NetworkVolume(_Body):
    """The storages of an upgrade call; an empty list unmounts all."""

    volume_mounts: list[VolumeMount] = Field(max_length=30)


class UpgradeRequest(InstanceRequest):
    """`POST /gpu/instance/upgrade`: every field but the registry login has to be there."""

    image_url: str = Field(min_length=1, max_length=500)
    image_auth_id: str = ""
    envs: list[Env] = Field(max_length=100)
    command: str = Field(max_length=2047)
    entrypoint: str = Field(max_length=2047)
    save: bool
    network_volume: NetworkVolume

    def to_software(self) -> Software:
        """The new software in the words of the cloud."""
        return Software(
            image=self.image_url,
            registry_auth_id=self.image_auth_id,
            command=self.command,
            entrypoint=self.entrypoint,
            env=tuple((it.key, it.value) for it in self.envs),
            mounts=tuple(Mount(it.id, it.mount_path) for it in self.network_volume.volume_mounts),
        )
