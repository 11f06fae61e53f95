"""The order: spec, template and product put together. What the spec says itself always wins."""

from __future__ import annotations

from collections.abc import Sequence

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import DEFAULT_ROOTFS_GB, GPUInstanceSpec
from gpuinstance.core.model import Order, Port, Product, Region, Software, Template, Volume
from gpuinstance.core.pricing import choose_product, price_of
from gpuinstance.core.snapshot import Refusal

_MAX_PORTS = 15
_MAX_ENV = 100


def make_order(
    spec: GPUInstanceSpec,
    *,
    env: Sequence[tuple[str, str]],
    template: Template | None,
    products: Sequence[Product],
    regions: Sequence[Region],
) -> Order | Refusal:
    """Return the machine to buy, still without a name, or why there is none.

    `env` is the spec's environment with its references resolved; `template` is the one that
    `spec.template_id` names.
    """
    choice = choose_product(spec, products, regions)
    if isinstance(choice, Refusal):
        return choice
    product, region = choice
    place = region or _location(spec)
    ports = _ports(spec, template)
    rootfs = _rootfs(spec, template, product)
    software = make_software(spec, env=env, template=template)
    if (refusal := _check(product, ports, software, rootfs)) is not None:
        return refusal
    return Order(
        name="",
        product_id=product.id,
        product_name=product.name,
        region_id=place.id if place else None,
        region_name=place.name if place else None,
        gpu_count=spec.gpu_count,
        rootfs_gb=rootfs,
        software=software,
        ports=ports,
        billing_mode=spec.billing.mode,
        months=spec.billing.months,
        min_cuda_version=spec.min_cuda_version or (template.min_cuda_version if template else None),
        hourly_price=price_of(spec, product),
        billing_cycle=spec.hostwinds.billing_cycle if spec.hostwinds else None,
        ssh_keys=tuple(spec.hostwinds.ssh_keys or ()) if spec.hostwinds else (),
    )


def _location(spec: GPUInstanceSpec) -> Region | None:
    """Return the place that the spec names by the provider's number."""
    return Region(str(spec.hostwinds.location_id), str(spec.hostwinds.location_id)) if spec.hostwinds else None


def _ports(spec: GPUInstanceSpec, template: Template | None) -> tuple[Port, ...]:
    if spec.ports is None and template is not None:
        return template.ports
    return tuple(Port(p.port, p.protocol) for p in spec.ports or ())


def _rootfs(spec: GPUInstanceSpec, template: Template | None, product: Product) -> int:
    if template is not None and template.installed_by_provider:
        return product.min_rootfs_gb  # The plan says how large its disk is.
    size = spec.rootfs_size_gb or (template.rootfs_gb if template else None) or DEFAULT_ROOTFS_GB
    return max(size, product.min_rootfs_gb)


def make_software(spec: GPUInstanceSpec, *, env: Sequence[tuple[str, str]], template: Template | None) -> Software:
    """Return what runs in the machine: the template's settings with the spec's own on top."""
    merged = dict(template.env if template else ()) | dict(env)
    image = spec.image or (template.image if template else "")
    return Software(
        image=image,
        registry_auth_id=spec.registry_auth_id or (template.registry_auth_id if template else None),
        command=spec.command if spec.command is not None else (template.command if template else None),
        entrypoint=spec.entrypoint if spec.entrypoint is not None else (template.entrypoint if template else None),
        env=tuple(merged.items()),
        volumes=tuple(Volume(v.id, v.mount_path) for v in spec.network_volumes or ()),
        template_id=template.id if template is not None and template.installed_by_provider else None,
    )


def _check(product: Product, ports: Sequence[Port], software: Software, rootfs_gb: int) -> Refusal | None:
    """Limits that only show once template and spec are put together."""
    words = None
    if product.max_rootfs_gb and rootfs_gb > product.max_rootfs_gb:
        words = f"{product.name} has at most {product.max_rootfs_gb} GB of root disk, not {rootfs_gb}"
    elif len(ports) > _MAX_PORTS:
        words = f"{len(ports)} ports are more than the {_MAX_PORTS} that a machine can have"
    elif len(software.env) > _MAX_ENV:
        words = f"{len(software.env)} environment variables are more than the {_MAX_ENV} that a machine can have"
    elif not software.image and software.template_id is None:
        words = "the template names no image"
    return Refusal(Reason.UNSUPPORTED_BY_PROVIDER, f"{words}: change the spec", needs_person=True) if words else None
