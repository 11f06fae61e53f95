"""The contract of what is on sale: prices, places, templates."""

from __future__ import annotations

import dataclasses

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.providers.base import (
    NotFound,
)
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID, Hooks


class Catalogue(Hooks):
    """Products, regions, templates."""

    async def test_products_cost_what_the_cloud_charges(self, bench: Bench) -> None:
        """USD per GPU and hour: the meter of a machine runs at the listed price times its GPUs."""
        order = self.order(gpu_count=2)
        for mode, price_of in ((BillingMode.ON_DEMAND, "hourly_price"), (BillingMode.SPOT, "spot_price")):
            products = await bench.provider.list_products(name=order.product_name, gpu_count=2, mode=mode)
            product = next(it for it in products if it.id == order.product_id)
            assert product.available
            assert mode in product.modes
            machine_id = await bench.provider.create(dataclasses.replace(order, billing_mode=mode))
            assert bench.cloud.machine(machine_id).meter.gpu_rate == 2 * getattr(product, price_of)

    async def test_products_name_regions_that_exist(self, bench: Bench) -> None:
        """Each place where a product is on sale resolves to one that a create accepts."""
        regions = await bench.provider.list_regions()
        known = {name for region in regions for name in (region.id, region.name)}
        products = await bench.provider.list_products(name="", gpu_count=1, mode=BillingMode.ON_DEMAND)
        assert len(products) > 1
        assert {place for product in products for place in product.regions} <= known
        assert self.order().region_id in {region.id for region in regions}

    async def test_unknown_products_are_no_error(self, bench: Bench) -> None:
        """A search without a hit is empty."""
        products = await bench.provider.list_products(name="no such GPU", gpu_count=1, mode=BillingMode.ON_DEMAND)
        assert list(products) == []

    async def test_a_sold_out_product_is_not_available(self, bench: Bench) -> None:
        """It is listed, and says so."""
        order = self.order()
        bench.cloud.catalogue.change(order.product_id, {"available": False})
        products = await bench.provider.list_products(name=order.product_name, gpu_count=1, mode=BillingMode.ON_DEMAND)
        assert [it.available for it in products if it.id == order.product_id] == [False]

    async def test_an_unknown_template_is_not_found(self, bench: Bench) -> None:
        """With the reason that a spec can be blamed with."""
        with pytest.raises(NotFound) as caught:
            await bench.provider.get_template(NO_SUCH_ID)
        assert caught.value.reason is Reason.TEMPLATE_NOT_FOUND
