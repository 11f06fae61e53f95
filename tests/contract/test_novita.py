"""The provider contract, filled in for Novita, and the quirks that only Novita has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import Order, Port, Software, Volume
from gpuinstance.providers.base import NotFound, Provider, ProviderError, Unauthorized
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits
from gpuinstance.providers.novita import Novita
from gpuinstance.providers.wrappers import Metered, SharedListing
from gpuinstance_simulator.clock import ManualClock, VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.effects import Answer, Effect
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.machine import Order as CloudOrder
from gpuinstance_simulator.novita import PREFIX, NovitaFace, Quirks, new_cloud
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY, Simulation
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID
from tests.contract.provider_contract import ProviderContract

ORDER = Order(
    name="gpu-default-trainer-0f8fad5b-1",
    product_id="4090.16c62g",
    product_name="RTX 4090 24GB",
    region_id="us-ca-6",
    region_name="US-CA-06 (California)",
    gpu_count=1,
    rootfs_gb=60,
    software=Software("docker.io/library/nginx:1.27", env=(("TOKEN", "canary-of-the-environment"),)),
    ports=(Port(80, PortProtocol.HTTP), Port(22, PortProtocol.TCP)),
    billing_mode=BillingMode.ON_DEMAND,
    months=None,
    min_cuda_version=None,
    hourly_price=Decimal("0.35"),
)


async def no_pause(_: float) -> None:
    """Repeat at once."""


def adapter(simulation: Simulation, key: str, limits: Limits = DEFAULT_LIMITS) -> Novita:
    return Novita(key, base_url=simulation.base_url + PREFIX, limits=limits, sleep=no_pause)


class TestNovita(ProviderContract):
    """The bare adapter."""

    quirks = Quirks()
    refusals: Mapping[str, Effect] = {
        "no capacity": Answer(status=400, reason="INSUFFICIENT_RESOURCE"),
        "no balance": Answer(status=400, reason="EXPIRED_OR_BALANCE_NOT_ENOUGH"),
        "rejected": Answer(status=400, reason="VALIDATOR_PARAM", message="invalid parameter: name"),
    }

    bad_orders = (
        *ProviderContract.bad_orders,
        ({"rootfs_gb": 1_000_000}, Reason.REQUEST_REJECTED),
        ({"gpu_count": 100}, Reason.REQUEST_REJECTED),
    )

    def cloud(self, clock: VirtualClock) -> Cloud:
        """Novita's states and goods."""
        return new_cloud(clock)

    def face(self) -> NovitaFace:
        """API v1."""
        return NovitaFace(self.quirks)

    def connect(self, simulation: Simulation, key: str, limits: Limits) -> Provider:
        """The adapter as it is."""
        return adapter(simulation, key, limits)

    def order(self, **changes: Any) -> Order:
        """One RTX 4090 in California."""
        return dataclasses.replace(ORDER, **changes)

    async def test_a_template_is_flattened(self, bench: Bench) -> None:
        """Its ports, grouped by protocol there, come as one row."""
        template = await bench.provider.get_template("107672")
        assert [(p.number, p.protocol.value) for p in template.ports] == [
            (80, "http"),
            (8188, "http"),
            (22, "tcp"),
        ]
        assert (template.image, template.rootfs_gb) == ("docker.io/library/comfyui:0.3", 80)
        assert template.env == (("MODE", "server"), ("LOG_LEVEL", "info"))
        assert template.min_cuda_version == "12.4"
        private = await bench.provider.get_template("107700")
        assert private.registry_auth_id in bench.cloud.catalogue.registry_auths
        assert private.command == "python -m trainer"

    async def test_registry_credentials_are_known_by_id_only(self, bench: Bench) -> None:
        """Their ids come back; user names and passwords, which the answer holds, do not."""
        assert list(await bench.provider.list_registry_auths()) == list(bench.cloud.catalogue.registry_auths)

    async def test_everything_in_an_order_arrives(self, bench: Bench) -> None:
        """What the cloud has sold is what was ordered, field by field."""
        (login,) = bench.cloud.catalogue.registry_auths
        software = Software(
            image="registry.example.com/team/trainer:1.4",
            registry_auth_id=login,
            command="python -m trainer",
            entrypoint="/entry",
            env=(("A", "1"), ("B", "")),
            volumes=(Volume("ns-1001", "/data"),),
        )
        order = self.order(software=software, gpu_count=2, min_cuda_version="12.4")
        for change in (None, dataclasses.replace(software, command=None, env=(), volumes=())):
            if change is None:
                machine = bench.cloud.machine(await bench.running(order))
            else:
                await bench.provider.change_software(machine.id, change, keep_data=False)
            expected, sold = change or software, machine.order.software
            assert sold.image == expected.image
            assert sold.registry_auth_id == expected.registry_auth_id
            assert sold.command == (expected.command or "")
            assert sold.entrypoint == expected.entrypoint
            assert sold.env == expected.env
            assert [(m.storage_id, m.path) for m in sold.mounts] == [(v.id, v.mount_path) for v in expected.volumes]
        assert machine.order.gpu_count == 2
        assert machine.order.min_cuda_version == "12.4"
        assert machine.order.months == 0

    async def test_a_machine_costs_what_was_charged_and_not_what_was_quoted(self, bench: Bench) -> None:
        """A price that rose between the look at the price list and the purchase is known afterwards."""
        order = self.order(gpu_count=2)
        products = await bench.provider.list_products(name="", gpu_count=2, mode=order.billing_mode)
        (quoted,) = [it for it in products if it.id == order.product_id]
        bench.cloud.catalogue.raise_prices(Decimal(3), order.product_id)
        machine_id = await bench.running(order)
        charged = (await bench.provider.get_machine(machine_id)).hourly_price
        assert quoted.hourly_price is not None
        assert charged == quoted.hourly_price * 2 * 3
        assert charged == bench.cloud.machine(machine_id).meter.gpu_rate


class TestNovitaWrapped(TestNovita):
    """The same, behind the wrappers: they are providers and keep every promise."""

    def connect(self, simulation: Simulation, key: str, limits: Limits) -> Provider:
        """Shared and metered; nothing is kept, because the tests disturb the cloud between reads."""

        def forget(**_: object) -> None:
            """No metrics here."""

        inner = Metered(adapter(simulation, key, limits), forget)
        return SharedListing(inner, failure_seconds=0, catalogue_seconds=0)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
async def test_pages_from_zero(count: int) -> None:
    """A first page of number zero is found; it costs no more than two requests beside the pages."""
    quirks = Quirks(first_page=0, total_as_text=True, empty_billing_mode=True)
    cloud = new_cloud(ManualClock())
    ids = {cloud.create(CloudOrder(f"machine-{n}", ORDER.product_id)).id for n in range(count)}
    async with serve(cloud, NovitaFace(quirks)) as simulation:
        provider = adapter(simulation, TEST_KEY)
        machines = (await provider.list_machines()).machines
        await provider.aclose()
    assert {it.id for it in machines} == ids
    assert {it.billing_mode for it in machines} <= {None}
    assert simulation.calls.counts[Operation.LIST.value] <= -(-count // 100) + 2


async def test_a_refused_key_says_what_to_look_at() -> None:
    """Novita's own word for it names nothing that a person could do."""
    async with serve(new_cloud(ManualClock()), NovitaFace(Quirks()), api_keys=("right",)) as simulation:
        provider = adapter(simulation, "wrong")
        with pytest.raises(Unauthorized, match="the API key is wrong, or was revoked"):
            await provider.list_machines()
        await provider.aclose()


@pytest.mark.parametrize(
    ("quirks", "ask", "error", "reason"),
    [
        (Quirks(not_found_status=404), lambda p: p.get_machine(NO_SUCH_ID), NotFound, Reason.INSTANCE_LOST),
        (Quirks(not_found_status=404), lambda p: p.delete(NO_SUCH_ID), NotFound, Reason.INSTANCE_LOST),
        (Quirks(gateway_auth=True), lambda p: p.list_machines(), Unauthorized, Reason.UNAUTHORIZED),
    ],
)
async def test_quirks_of_errors(
    quirks: Quirks, ask: Callable[[Provider], Any], error: type[ProviderError], reason: Reason
) -> None:
    """Not found as 404, and a key that the gateway refuses with 403, mean the same."""
    async with serve(new_cloud(ManualClock()), NovitaFace(quirks), api_keys=("right",)) as simulation:
        key = "wrong" if quirks.gateway_auth else "right"
        provider = adapter(simulation, key)
        with pytest.raises(error) as caught:
            await ask(provider)
        await provider.aclose()
    assert caught.value.reason is reason
