"""The way into a server in Hostwinds' answers: its own address, and the root password in clear.

Called by `account` only, for whoever asks for it; the parser of servers drops the password. The API names no user
and no port: a Linux server is entered as root, on the usual port. A Windows server is not entered by SSH.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.core.access import Access, parse_password, ssh_to
from gpuinstance.providers.hostwinds.units import Address, Named
from gpuinstance.providers.hostwinds.wire import Id
from gpuinstance.providers.lenient import Text, Wire


class AccessAnswer(Wire):
    """The answer of `get_instance`, as far as it says how to get in."""

    serviceid: Id
    main_ip: Address = ""
    image: Annotated[Text, Named] = ""
    password: Text = Field("", repr=False)

    def to_access(self) -> Access:
        """Return the way in, in the operator's words."""
        ssh = None if "windows" in self.image.lower() else ssh_to(self.main_ip)
        return Access(ssh=ssh, password=parse_password(self.password) if ssh is not None else "")
