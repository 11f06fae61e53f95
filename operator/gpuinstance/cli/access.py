"""How `kubectl gpu ssh` gets in: from the connection Secret to the arguments of ssh. Pure.

What is in the Secret began as a provider's text, and a Secret can be edited, so every part is read strictly and the
command is built here, from a host, a port and a user; it never goes through a shell, and no part can be an option.
The password is kept apart and is in no `repr`.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpuinstance.api.connection import SECRET_SUFFIX
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.fields import Object, list_at, text_at
from gpuinstance.core.access import Ssh, parse_password, parse_ssh, ssh_to


@dataclass(frozen=True, slots=True)
class Way:
    """Where SSH answers, and the password where there is one."""

    ssh: Ssh
    password: str = field(default="", repr=False)


def secret_name(instance: GPUInstance) -> str:
    """Return the name of the connection Secret. Raises Trouble if none is published."""
    connection, metadata = instance.spec.connection, instance.metadata
    if connection is None:
        patch = f"kubectl -n {metadata.namespace} patch gpui {metadata.name} --type merge"
        raise Trouble(
            f"{metadata.name} publishes no connection. Ask for one, and run this again when it is there: "
            f'{patch} -p \'{{"spec":{{"connection":{{}}}}}}\'',
            Exit.REFUSED,
        )
    return connection.secret_name or f"{metadata.name}{SECRET_SUFFIX}"


def not_there(instance: GPUInstance, secret: str) -> Trouble:
    """Return the trouble that a wanted Secret does not exist, with the operator's reason if it has told one."""
    told = instance.status.connection
    if told is not None and told.message:
        return Trouble(f"Secret {secret} is not published: {told.message}", Exit.REFUSED)
    words = (
        "it is made once the machine runs" if instance.status.outcome is None else "no machine runs, or none is known"
    )
    return Trouble(
        f"Secret {secret} does not exist: {words}; see `kubectl gpu why {instance.metadata.name}`", Exit.REFUSED
    )


def way_in(instance: GPUInstance, secret: Object) -> Way:
    """Return the way into the machine that the Secret tells. Raises Trouble if it tells none that can be trusted."""
    name = text_at(secret, "metadata", "name")
    if not any(it.get("uid") == instance.metadata.uid for it in list_at(secret, "metadata", "ownerReferences")):
        raise Trouble(f"Secret {name} does not belong to {instance.metadata.name}: it is not used", Exit.REFUSED)
    host, port, user = (_value(secret, key) for key in ("sshHost", "sshPort", "sshUser"))
    command = _value(secret, "sshCommand")
    if not host and not command:
        words = "its provider has told no way in by SSH: the image may run no SSH server"
        raise Trouble(f"Secret {name} holds no sshCommand; {words}", Exit.REFUSED)
    ssh = ssh_to(host, user=user, port=int(port)) if host and port.isdecimal() else parse_ssh(command)
    if ssh is None:
        raise Trouble(f"what Secret {name} holds is no plain host, port and user: it is not used", Exit.REFUSED)
    return Way(ssh, parse_password(_value(secret, "sshPassword")))


def arguments(ssh: Ssh, command: Sequence[str]) -> list[str]:
    """Return the command line of ssh; `command` is for the machine, and nothing of it is an option of ssh."""
    return ["ssh", "-p", str(ssh.port), f"{ssh.user}@{ssh.host}", *(["--", *command] if command else [])]


def _value(secret: Object, key: str) -> str:
    try:
        return b64decode(text_at(secret, "data", key), validate=True).decode("utf-8", errors="replace").strip()
    except NotBase64:
        return ""
