"""Where a notification goes and what signs it, read from the Secrets as they are now.

So a changed Secret takes effect with the next try. Whatever is read is kept out of the log from then on.
"""

from __future__ import annotations

from gpuinstance.api.notifications import Notification
from gpuinstance.logs import keep_secret
from gpuinstance.notify.letters import ReadSecret, SecretUnreadable
from gpuinstance.notify.signing import PREFIX, SecretMalformed, secrets_in

_MOST_SECRETS = 8
"""Enough to rotate one; each costs a signature with every try."""
_LONGEST_TEXT = 2048


class NotReady(Exception):
    """A Secret is missing, or holds nothing usable; the message says which and what."""


async def prepared(destination: Notification, namespace: str, read_secret: ReadSecret) -> tuple[str, tuple[bytes, ...]]:
    """Return address and signing secrets of a destination. Raises NotReady."""
    reference = destination.signing_secret_ref
    text = await _read(read_secret, namespace, reference.name, reference.key)
    where = f"{reference.key} in Secret {namespace}/{reference.name}"
    if len(text) > _LONGEST_TEXT or len(text.split()) > _MOST_SECRETS:
        # Whoever may write a Secret shall not keep the operator busy with it.
        raise NotReady(f"{where} cannot sign: it has more than {_MOST_SECRETS} secrets or {_LONGEST_TEXT} characters")
    for word in text.split():
        keep_secret(word.removeprefix(PREFIX))
    try:
        secrets = secrets_in(text)
    except SecretMalformed as error:
        raise NotReady(f"{where} cannot sign: {error}") from None
    if destination.url_from is None:
        return destination.url or "", secrets
    source = destination.url_from.secret_key_ref
    url = await _read(read_secret, namespace, source.name, source.key)
    if len(url) > _LONGEST_TEXT:
        raise NotReady(f"{source.key} in Secret {namespace}/{source.name} is longer than {_LONGEST_TEXT} characters")
    keep_secret(url)
    return url, secrets


async def _read(read_secret: ReadSecret, namespace: str, name: str, key: str) -> str:
    try:
        text = await read_secret(namespace, name, key)
    except SecretUnreadable:
        raise NotReady(f"Secret {namespace}/{name} cannot be read for now") from None
    if text is None:
        raise NotReady(f"Secret {namespace}/{name} does not exist, or has no key {key}")
    return text
