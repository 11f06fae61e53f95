"""Gathers what `core.plan` needs to put an order together: lookups in parallel, references resolved.

Called by `reconcile` when a rule asks for a plan; decides nothing. The lookups go through the
account's short-lived cache, so that a hundred objects created at once cost one look at the prices,
and a plan is at most seconds older than the purchase that follows it in the same pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from gpuinstance.api.parts import EnvVar
from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.core.model import Order, Region, Software, Template
from gpuinstance.core.plan import make_order, make_software
from gpuinstance.core.pricing import hourly_price
from gpuinstance.core.snapshot import Refusal, Snapshot
from gpuinstance.kube import Kube
from gpuinstance.logs import keep_secret
from gpuinstance.providers.base import NotFound

if TYPE_CHECKING:
    from gpuinstance.providers.wrappers import SharedListing


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


async def plan_order(kube: Kube, account: SharedListing, spec: GPUInstanceSpec, namespace: str) -> Order | Refusal:
    """Return what would be bought now, or why nothing can be. Raises ProviderError, KubeError."""
    try:
        env, template, products, regions, _ = await asyncio.gather(
            _resolved_env(kube, spec, namespace),
            _template(account, spec),
            account.list_products(name=spec.product.name or "", gpu_count=spec.gpu_count, mode=spec.billing.mode),
            _regions(account, spec),
            _require_registry_auth(account, spec),
        )
    except _Refused as refused:
        return refused.refusal
    return make_order(spec, env=env, template=template, products=products, regions=regions)


async def plan_software(
    kube: Kube, account: SharedListing, spec: GPUInstanceSpec, namespace: str
) -> Software | Refusal:
    """Return what should run in the machine, or why that is unknown. Raises ProviderError, KubeError."""
    try:
        env, template, _ = await asyncio.gather(
            _resolved_env(kube, spec, namespace), _template(account, spec), _require_registry_auth(account, spec)
        )
    except _Refused as refused:
        return refused.refusal
    return make_software(spec, env=env, template=template)


async def price_of_machine(account: SharedListing, snapshot: Snapshot) -> Decimal | None:
    """Return what the recorded machine costs an hour now while it is up, in USD; None where no price is shown.

    Raises ProviderError.
    """
    machine, spec, recorded = snapshot.machine, snapshot.spec, snapshot.status.instance
    if machine is None or recorded is None:
        return None
    product_id = machine.product_id or recorded.product_id
    mode = machine.billing_mode or spec.billing.mode
    count = machine.gpu_count or spec.gpu_count
    products = await account.list_products(name="", gpu_count=count, mode=mode)
    product = next((it for it in products if it.id == product_id), None)
    return hourly_price(product, mode, spec.billing.months, count) if product is not None else None


async def _regions(account: SharedListing, spec: GPUInstanceSpec) -> Sequence[Region]:
    return await account.list_regions() if spec.regions else ()


async def _template(account: SharedListing, spec: GPUInstanceSpec) -> Template | None:
    if spec.template_id is None:
        return None
    try:
        return await account.get_template(spec.template_id)
    except NotFound as error:
        message = f"template {spec.template_id!r} does not exist, or belongs to another account: {error.message}"
        raise _Refused(Refusal(Reason.TEMPLATE_NOT_FOUND, message, needs_person=True)) from None


async def _require_registry_auth(account: SharedListing, spec: GPUInstanceSpec) -> None:
    """A machine that cannot pull its image is billed while it tries: find out before."""
    wanted = spec.registry_auth_id
    if wanted is None or wanted in await account.list_registry_auths():
        return
    message = f"registryAuthID {wanted!r} is not among the registry credentials stored at {spec.provider}"
    raise _Refused(Refusal(Reason.REGISTRY_AUTH_NOT_FOUND, message, needs_person=True))


async def _resolved_env(kube: Kube, spec: GPUInstanceSpec, namespace: str) -> list[tuple[str, str]]:
    values = await asyncio.gather(*(_value(kube, variable, namespace) for variable in spec.env or ()))
    return [(v.name, value) for v, value in zip(spec.env or (), values, strict=True) if value is not None]


async def _value(kube: Kube, variable: EnvVar, namespace: str) -> str | None:
    """Return a variable's value; None leaves it out because its reference is optional."""
    source = variable.value_from
    if source is None:
        return variable.value
    found: str | None = None
    if (reference := source.secret_key_ref) is not None:
        kind = "Secret"
        secret = await kube.get_secret(namespace, reference.name)
        raw = (secret or {}).get(reference.key)
        found = raw.decode("utf-8", errors="replace") if raw is not None else None
        keep_secret(found or "")
    elif (reference := source.config_map_key_ref) is not None:
        kind = "ConfigMap"
        found = (await kube.get_config_map(namespace, reference.name) or {}).get(reference.key)
    else:
        return None
    if found is None and not reference.optional:
        message = (
            f"env {variable.name}: {kind} {namespace}/{reference.name} has no key {reference.key}, or does not exist"
        )
        raise _Refused(Refusal(Reason.REFERENCE_NOT_FOUND, message, needs_person=True))
    return found
