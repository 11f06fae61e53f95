"""Where a resource's status and its provider do not say the same of one machine. Pure; called by `inventory`.

Compared is what the operator has recorded, not what the spec wishes: that is told in `status.differences`. A
state that has just changed differs until the operator has looked again. Regions are not compared, because a
provider has names and ids for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpuinstance.cli.fields import Object, at, text_at
from gpuinstance.core.images import same_image
from gpuinstance.core.model import Machine


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, in the words of both."""

    field: str
    resource: str
    provider: str


def differences(instance: Object, machine: Machine) -> Iterator[Difference]:
    """Yield what differs; what one of them does not say is no difference."""
    recorded = text_at(instance, "status", "instance", "id")
    if recorded != machine.id:
        yield Difference("machine", recorded or "none", machine.id)
    if not at(instance, "status", "instance"):
        return
    pairs = (
        ("state", "state", machine.word),
        ("name", "name", machine.name),
        ("billing", "billingMode", str(machine.billing_mode or "")),
    )
    for field, key, shown in pairs:
        said = text_at(instance, "status", "instance", key)
        if said and shown and said != shown:
            yield Difference(field, said, shown)
    yield from _product(instance, machine)
    wanted = str(at(instance, "spec", "gpuCount") or 1)
    if machine.gpu_count is not None and wanted != str(machine.gpu_count):
        yield Difference("gpuCount", wanted, str(machine.gpu_count))
    image = text_at(instance, "status", "instance", "image")
    if image and machine.image and not same_image(image, machine.image):
        yield Difference("image", image, machine.image)


def _product(instance: Object, machine: Machine) -> Iterator[Difference]:
    """A product is the same if its id or its name is: not every provider shows both as it sells them."""
    product_id = text_at(instance, "status", "instance", "productID")
    name = text_at(instance, "status", "instance", "productName")
    said = {product_id, name.strip().lower()} - {""}
    shown = {machine.product_id, machine.product_name.strip().lower()} - {""}
    if said and shown and not said & shown:
        yield Difference("product", name or product_id, machine.product_name or machine.product_id)
