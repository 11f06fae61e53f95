"""Hostwinds' answers about servers, parsed into the operator's words.

Called by `account` and `adapter`. Strict only about identity: an entry without a serviceid is
an error. What is not declared here is dropped at once, above all `password`, the root password in clear.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.core.model import Machine, Sizes
from gpuinstance.providers.answers import excerpt
from gpuinstance.providers.hostwinds.states import Sight
from gpuinstance.providers.hostwinds.units import Address, Count, Gigabytes, Mark, Megabytes, Name, Named, Time
from gpuinstance.providers.lenient import Number, Text, Wire, whole

Id = Annotated[Text, Field(pattern="[1-9]")]
"""An id: not empty, and not zero."""


class ServerAnswer(Wire):
    """An entry of `get_instances`, or the answer of `get_instance`."""

    serviceid: Id
    srvrname: Name = None
    """None where the answer has no such field."""
    main_ip: Address = ""
    location_id: Text = ""
    product_id: Text = ""
    product_name: Text = ""
    image: Annotated[Text, Named] = ""
    status: Text = ""
    disp_status: Text = ""
    vm_state: Text = ""
    task_state: Text = ""
    power_state: Number = None
    is_suspended: Mark = False
    locked: Mark = False
    ram: Megabytes = 0
    cpu: Count = 0
    disk: Gigabytes = 0
    created_at: Time = None
    launched_at: Time = None
    updated_at: Time = None

    @property
    def sight(self) -> Sight:
        """The fields that tell its state."""
        return Sight(
            excerpt(self.status),
            excerpt(self.vm_state),
            excerpt(self.task_state),
            whole(self.power_state),
            is_suspended=self.is_suspended,
            is_locked=self.locked,
        )

    def to_machine(self, name: str | None = None) -> Machine:
        """Return the server in the operator's words; `name` where it is known from elsewhere."""
        sight = self.sight
        return Machine(
            id=self.serviceid,
            name=self.srvrname or name or "",
            state=sight.state,
            word=sight.word,
            product_id=self.product_id,
            product_name=excerpt(self.product_name),
            region=self.location_id,
            image=self.image,
            trouble=(excerpt(self.disp_status) or sight.word) if sight.has_failed else "",
            created_at=self.created_at,
            started_at=self.launched_at,
            changed_at=self.updated_at,
            host=self.main_ip,
            sizes=Sizes(self.ram, self.cpu, self.disk),
        )


class IdAnswer(Wire):
    """An entry of `get_instance_ids`."""

    id: Id
    srvrname: Name = None


class ListAnswer(Wire):
    """The content of `get_instances`."""

    servers: tuple[ServerAnswer, ...]


class IdsAnswer(Wire):
    """The content of `get_instance_ids`."""

    servers: tuple[IdAnswer, ...]
