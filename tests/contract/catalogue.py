"""The contract of what is on sale: prices, places, templates."""

from __future__ import annotations

import dataclasses

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.providers.base import NotFound, Rejected
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID, Hooks


class Catalogue(Hooks):
    """Products, regions, templates."""

    async def test_products_cost_what_the_cloud_charges(self, bench: Bench) -> None:
        """USD: per GPU and hour the meter of a machine runs at the listed price, or its cycle is paid at once."""
        gpus = min(2, bench.can.max_gpu_count)
        order = self.order(gpu_count=gpus)
        for mode, price_of in ((BillingMode.ON_DEMAND, "hourly_price"), (BillingMode.SPOT, "spot_price")):
            if mode not in bench.can.billing_modes:
                continue
            products = await bench.provider.list_products(name=order.product_name, gpu_count=gpus, mode=mode)
            product = next(it for it in products if it.id == order.product_id)
            assert product.available
            assert mode in product.modes
            machine = bench.cloud.machine(await bench.bought(dataclasses.replace(order, billing_mode=mode)))
            if product.cycle_prices:
                assert machine.charge(bench.clock.now()) == dict(product.cycle_prices)[BillingCycle.MONTHLY]
            else:
                assert machine.meter.gpu_rate == gpus * getattr(product, price_of)

    async def test_products_name_regions_that_exist(self, bench: Bench) -> None:
        """Each place where a product is on sale resolves to one that a create accepts."""
        regions = await bench.provider.list_regions()
        known = {name for region in regions for name in (region.id, region.name)}
        products = await bench.provider.list_products(name="", gpu_count=1, mode=BillingMode.ON_DEMAND)
        assert len(products) > 1
        assert {place for product in products for place in product.regions} <= known
        assert not regions or self.order().region_id in {region.id for region in regions}

    async def test_unknown_products_are_no_error(self, bench: Bench) -> None:
        """A search without a hit is empty."""
        products = await bench.provider.list_products(name="no such GPU", gpu_count=1, mode=BillingMode.ON_DEMAND)
        assert list(products) == []

    async def test_a_sold_out_product_is_not_available(self, bench: Bench) -> None:
        """If it is listed at all, it says so."""
        order = self.order()
        bench.cloud.catalogue.change(order.product_id, {"available": False})
        products = await bench.provider.list_products(name=order.product_name, gpu_count=1, mode=BillingMode.ON_DEMAND)
        assert not [it for it in products if it.id == order.product_id and it.available]

    async def test_an_unknown_template_is_not_found(self, bench: Bench) -> None:
        """With the reason that a spec can be blamed with: when it is looked up, or else when it is ordered."""

        async def look_up_and_order() -> None:
            template = await bench.provider.get_template(NO_SUCH_ID)
            assert template.installed_by_provider
            software = dataclasses.replace(self.order().software, template_id=template.id)
            await bench.provider.create(self.order(software=software))

        with bench.unchanged(), pytest.raises((NotFound, Rejected)) as caught:
            await look_up_and_order()
        assert caught.value.reason is Reason.TEMPLATE_NOT_FOUND
