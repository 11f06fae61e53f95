"""Whether an order can be accepted: catalogue, stock, account.

The cloud asks before it creates or starts anything. Every method either returns or raises
CloudError and changes nothing. Field limits of a wire format are the business of its face.
"""

from __future__ import annotations

import random
from decimal import Decimal

from gpuinstance_simulator.catalogue import Catalogue, Cluster, Mode, Product
from gpuinstance_simulator.engine import Engine
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.machine import Order, Software


class Sales:
    """The rules of selling, over the catalogue and what is in use."""

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue

    def accept(self, order: Order, chance: random.Random) -> tuple[Product, Cluster]:
        """The product and the cluster for an order; `chance` chooses where the order does not."""
        product = order.made_to_measure or self._catalogue.products.get(order.product_id)
        if product is None:
            raise CloudError(Refusal.NO_SUCH_PRODUCT, "product not found")
        if order.mode not in product.modes:
            raise CloudError(Refusal.MODE_NOT_OFFERED, f"{order.mode} is not offered")
        self.check_disk(product, order.rootfs_gb)
        cluster = self._find_cluster(order, product, chance)
        self.check_software(order.software, cluster.id)
        self.check_stock(product.id, order.gpu_count)
        self._check_limit()
        self.check_balance(_first_payment(product, order))
        return product, cluster

    def check_disk(self, product: Product, rootfs_gb: int) -> None:
        """A root disk has to fit the product."""
        if rootfs_gb > product.max_rootfs_gb:
            limit = product.max_rootfs_gb
            raise CloudError(Refusal.DISK_TOO_LARGE, f"must be at most {limit} GB here")

    def check_software(self, software: Software, cluster_id: str) -> None:
        """Registry login and storages have to exist, the storages in the machine's cluster."""
        auth = software.registry_auth_id
        if auth and auth not in self._catalogue.registry_auths:
            raise CloudError(Refusal.NO_SUCH_REGISTRY_AUTH, "registry auth not found")
        for mount in software.mounts:
            storage = self._catalogue.network_storages.get(mount.storage_id)
            if storage is None:
                raise CloudError(Refusal.NO_SUCH_STORAGE, "network storage not found")
            if storage.cluster_id != cluster_id:
                raise CloudError(Refusal.STORAGE_ELSEWHERE, "network storage is in another cluster")

    def check_stock(self, product_id: str, gpu_count: int) -> None:
        """So many GPUs have to be free, and on sale."""
        product = self._catalogue.products.get(product_id)
        if product is None or not product.available or not self.has_free(product, gpu_count):
            raise CloudError(Refusal.OUT_OF_STOCK, "insufficient resource")

    def check_balance(self, needed: Decimal) -> None:
        """The account has to hold so many USD."""
        balance = self.balance()
        if balance is not None and balance < needed:
            raise CloudError(Refusal.BALANCE_TOO_LOW, "balance not enough")

    def has_free(self, product: Product, gpu_count: int) -> bool:
        """Whether so many GPUs of the product are held by nobody."""
        free = self.free_gpus(product)
        return free is None or free >= gpu_count

    def free_gpus(self, product: Product) -> int | None:
        """GPUs of the product that are held by nobody; None: without end."""
        if product.capacity is None:
            return None
        self._engine.now()
        return max(0, product.capacity - self._engine.gpus_used[product.id])

    def balance(self) -> Decimal | None:
        """USD left after all charges so far; None: the account has no end."""
        start = self._engine.settings.balance
        if start is None:
            return None
        now = self._engine.now()
        charges = (it.charge(now) for it in self._engine.machines.values())
        return start - sum(charges, Decimal(0))

    def _find_cluster(self, order: Order, product: Product, chance: random.Random) -> Cluster:
        clusters = self._catalogue.clusters
        wanted = order.cluster_id or self._cluster_of_storage(order.software)
        if wanted is not None and wanted not in clusters:
            raise CloudError(Refusal.NO_SUCH_CLUSTER, "cluster not found")
        having = [it for it in clusters.values() if product.is_in(it.id)]
        choice = [it for it in having if wanted is None or it.id == wanted]
        if not choice:
            raise CloudError(Refusal.OUT_OF_STOCK, "insufficient resource")
        return chance.choice(choice)

    def _cluster_of_storage(self, software: Software) -> str | None:
        storages = self._catalogue.network_storages
        known = (storages.get(mount.storage_id) for mount in software.mounts)
        return next((it.cluster_id for it in known if it is not None), None)

    def _check_limit(self) -> None:
        limit = self._engine.settings.machine_limit
        if limit is None:
            return
        existing = sum(not it.is_gone for it in self._engine.machines.values())
        if existing >= limit:
            raise CloudError(Refusal.MACHINE_LIMIT, "instance limit reached")


def _first_payment(product: Product, order: Order) -> Decimal:
    """What has to be in the account at the start: the term, or the first hour."""
    if order.mode is Mode.MONTHLY:
        return product.term_price(order.months) * order.gpu_count
    return product.hourly_price(order.mode) * order.gpu_count
