"""What is read from Secrets before a delivery is kept out of every log line from then on."""

from __future__ import annotations

import pytest

from gpuinstance.logs import without_secrets
from gpuinstance.notify import SecretUnreadable
from gpuinstance.notify.preparing import NotReady, prepared
from gpuinstance.notify.signing import secrets_in
from tests.unit.notify.desk import destination
from tests.webhooks import secret

VALUES = {"signingSecret": f"{secret(1)} {secret(2)}", "url": "https://hooks.example/T0KEN-in-the-path"}


async def read(namespace: str, name: str, key: str) -> str | None:
    assert (namespace, name) == ("ml", "hooks")
    return VALUES.get(key)


async def test_address_and_secrets_are_read_and_kept_secret() -> None:
    """Each secret on its own, as it may turn up anywhere."""
    url, secrets = await prepared(destination(url=None), "ml", read)
    assert url == VALUES["url"]
    assert secrets == secrets_in(VALUES["signingSecret"])
    for value in (url, secret(1), secret(2).removeprefix("whsec_")):
        assert value not in without_secrets(f"a line with {value} in it")


async def test_an_address_in_the_spec_needs_no_secret() -> None:
    """It is in plain sight."""
    url, _ = await prepared(destination(), "ml", read)
    assert url == "https://hooks.example/ops"


async def test_what_cannot_be_read_is_said_without_details() -> None:
    """The words land in the status."""

    async def fail(*_: str) -> str | None:
        raise SecretUnreadable("API server: 500 with a body")

    with pytest.raises(NotReady, match=r"^Secret ml/hooks cannot be read for now$"):
        await prepared(destination(), "ml", fail)


@pytest.mark.parametrize("text", ["whsec_x " * 9, "x" * 3000], ids=["many secrets", "a long one"])
async def test_a_secret_of_any_size_costs_nothing(text: str) -> None:
    """Whoever may write a Secret could keep everybody's operator busy with it."""

    async def huge(*_: str) -> str | None:
        return text

    with pytest.raises(NotReady, match="more than 8 secrets or 2048 characters"):
        await prepared(destination(), "ml", huge)
    assert text[:40] in without_secrets(f"a line with {text[:40]} in it")


async def test_an_address_of_any_size_is_refused() -> None:
    """No receiver has one."""

    async def endless(namespace: str, name: str, key: str) -> str | None:
        return f"https://hooks.example/{'x' * 3000}" if key == "url" else await read(namespace, name, key)

    with pytest.raises(NotReady, match="longer than 2048 characters"):
        await prepared(destination(url=None), "ml", endless)
