"""What Novita's v1 calls take in their query strings.

Unknown parameters are ignored, as the real API ignores them: a misspelt `pageNumber` silently gets the
default page. Violations become `VALIDATOR_PARAM` in `face`. Source of the limits: the documentation pages
"list instances", "get instance", "list products", "list templates", "list network storage".
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Query(BaseModel):
    # Only the names on the wire count: `page_size` is an unknown parameter.
    model_config = ConfigDict(  # type: ignore[pydantic-alias]  # aliases are made by a rule
        alias_generator=to_camel, extra="ignore", frozen=True
    )


class PageQuery(_Query):
    """Pages as most listings take them."""

    page_size: int = Field(default=0, ge=0)
    page_num: int = Field(default=0, ge=0)


class InstancesQuery(PageQuery):
    """`GET /gpu/instances`. Names match fuzzily."""

    name: str = Field(default="", max_length=255)
    product_name: str = Field(default="", max_length=255)
    status: str = Field(default="", max_length=63)


class InstanceQuery(_Query):
    """`GET /gpu/instance`."""

    instance_id: str = Field(min_length=1, max_length=255)


class ProductsQuery(_Query):
    """`GET /products`."""

    cluster_id: str = Field(default="", max_length=255)
    gpu_num: int = Field(default=0, ge=0, le=8)
    product_name: str = Field(default="", max_length=255)
    min_cpu_per_gpu: int = Field(default=0, ge=0)
    min_memory_per_gpu: int = Field(default=0, ge=0)
    min_root_fs_size: int = Field(default=0, ge=0, alias="minRootFSSize")
    billing_method: Literal["onDemand", "monthly", "spot"] = "onDemand"


class TemplateQuery(_Query):
    """`GET /template`."""

    template_id: str = Field(min_length=1)


class TemplatesQuery(PageQuery):
    """`GET /templates`. Channels may be joined with commas."""

    name: str = ""
    channel: str = ""


class StoragesQuery(_Query):
    """`GET /networkstorages/list`, where the page is called `pageNo`."""

    page_size: int = Field(default=0, ge=0)
    page_no: int = Field(default=0, ge=0)
    storage_name: str = ""
    storage_id: str = ""
