"""Novita's answers about what is on sale, API v1: products, clusters and templates.

Called by `adapter` only; as lenient as `wire`. Entries without an id cannot be bought and are
left out.
"""

from __future__ import annotations

from pydantic import Field

from gpuinstance.core.model import Port, Product, Region, Template
from gpuinstance.providers.lenient import Flag, Number, Rows, Text, Texts, Wire, whole
from gpuinstance.providers.novita.words import PROTOCOLS, billing_modes, usd


class _MonthlyPrice(Wire):
    price: Number = None
    month: Number = None


class _ProductAnswer(Wire):
    id: Text = ""
    name: Text = ""
    available_deploy: Flag = Field(default=False, alias="availableDeploy")
    cpu_per_gpu: Number = Field(None, alias="cpuPerGpu")
    memory_per_gpu: Number = Field(None, alias="memoryPerGpu")
    min_rootfs: Number = Field(None, alias="minRootFS")
    max_rootfs: Number = Field(None, alias="maxRootFS")
    regions: Texts = ()
    billing_methods: Texts = Field((), alias="billingMethods")
    price: Number = None
    spot_price: Number = Field(None, alias="spotPrice")
    monthly_price: Rows[_MonthlyPrice] = Field((), alias="monthlyPrice")

    def to_product(self) -> Product:
        """Return the product with prices in USD."""
        terms = ((whole(term.month), usd(term.price)) for term in self.monthly_price)
        return Product(
            id=self.id,
            name=self.name,
            available=self.available_deploy,
            regions=self.regions,
            modes=billing_modes(self.billing_methods),
            hourly_price=usd(self.price),
            spot_price=usd(self.spot_price),
            monthly_prices=tuple((months, usd) for months, usd in terms if months and usd),
            cpu_per_gpu=whole(self.cpu_per_gpu) or 0,
            memory_per_gpu_gb=whole(self.memory_per_gpu) or 0,
            min_rootfs_gb=whole(self.min_rootfs) or 0,
            max_rootfs_gb=whole(self.max_rootfs) or 0,
        )


class ProductsAnswer(Wire):
    """The answer of `GET /products`."""

    data: Rows[_ProductAnswer]

    def products(self) -> tuple[Product, ...]:
        """Return the products in the order of the answer."""
        return tuple(entry.to_product() for entry in self.data if entry.id)


class _ClusterAnswer(Wire):
    id: Text = ""
    name: Text = ""


class ClustersAnswer(Wire):
    """The answer of `GET /clusters`."""

    data: Rows[_ClusterAnswer]

    def regions(self) -> tuple[Region, ...]:
        """Return the clusters as regions; one without a name is called by its id."""
        return tuple(Region(entry.id, entry.name or entry.id) for entry in self.data if entry.id)


class _PortGroup(Wire):
    type: Text = ""
    ports: tuple[Number, ...] | None = None


class _Variable(Wire):
    key: Text = ""
    value: Text = ""


class TemplateBody(Wire):
    """The inside of `GET /template`; its id is spelled with a capital letter."""

    id: Text = Field("", alias="Id")
    name: Text = ""
    image: Text = ""
    image_auth: Text = Field("", alias="imageAuth")
    start_command: Text = Field("", alias="startCommand")
    entrypoint: Text = ""
    rootfs_size: Number = Field(None, alias="rootfsSize")
    ports: Rows[_PortGroup] = ()
    envs: Rows[_Variable] = ()
    min_cuda_version: Text = Field("", alias="minCudaVersion")

    def to_template(self) -> Template:
        """Return the template with its ports, which Novita groups by protocol, in one row."""
        return Template(
            id=self.id,
            name=self.name,
            image=self.image,
            # Documented as credentials, in practice the id of stored ones; real credentials are dropped.
            registry_auth_id=None if ":" in self.image_auth else self.image_auth or None,
            command=self.start_command or None,
            entrypoint=self.entrypoint or None,
            rootfs_gb=whole(self.rootfs_size),
            ports=tuple(_flat(self.ports)),
            env=tuple((variable.key, variable.value) for variable in self.envs if variable.key),
            min_cuda_version=self.min_cuda_version or None,
        )


class TemplateAnswer(Wire):
    """The answer of `GET /template`."""

    template: TemplateBody


class _RegistryAuth(Wire):
    """One entry of `GET /repository/auths`; name, user and password are not read."""

    id: Text = ""


class RegistryAuthsAnswer(Wire):
    """The answer of `GET /repository/auths`."""

    data: Rows[_RegistryAuth] = ()


def _flat(groups: tuple[_PortGroup, ...]) -> list[Port]:
    return [
        Port(int(number), PROTOCOLS[group.type.lower()])
        for group in groups
        if group.type.lower() in PROTOCOLS
        for number in group.ports or ()
        if number
    ]
