"""The ways into a machine in Novita's answers: SSH, its password, Jupyter.

Called by `adapter` only, for whoever asks for them; the parser of machines drops all of this. A component that does
not run yet is not there: what the answer still says about it was true of another run. Source: the page "get
instance", fields `connectComponentSSH` and `connectComponentJupyter`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from gpuinstance.api.words import PortProtocol
from gpuinstance.core.access import Access, parse_password, parse_ssh
from gpuinstance.providers.lenient import Flag, Text, Wire
from gpuinstance.providers.novita.words import address


class _Ssh(Wire):
    ssh_command: Text = Field("", alias="sshCommand", repr=False)
    password: Text = Field("", repr=False)
    is_running: Flag = Field(True, alias="isRunning")


class _Jupyter(Wire):
    address: Text = Field("", repr=False)
    is_running: Flag = Field(True, alias="isRunning")


def _object(value: object) -> object:
    """Accept null, and whatever else is no object, as an empty one."""
    return value if isinstance(value, dict) else {}


class AccessAnswer(Wire):
    """The answer of `GET /gpu/instance`, as far as it says how to get in."""

    id: Annotated[Text, Field(min_length=1)]
    ssh: Annotated[_Ssh, BeforeValidator(_object)] = Field(_Ssh(), alias="connectComponentSSH", repr=False)
    jupyter: Annotated[_Jupyter, BeforeValidator(_object)] = Field(
        _Jupyter(), alias="connectComponentJupyter", repr=False
    )

    def to_access(self) -> Access:
        """Return the ways in, in the operator's words."""
        ssh = parse_ssh(self.ssh.ssh_command) if self.ssh.is_running else None
        jupyter = address(self.jupyter.address, PortProtocol.HTTP) if self.jupyter.is_running else None
        return Access(
            ssh=ssh,
            password=parse_password(self.ssh.password) if ssh is not None else "",
            jupyter_url=jupyter or "",
        )
