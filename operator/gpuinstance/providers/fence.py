"""A provider that changes nothing any more once this process may not act.

Built by the composition root around every adapter, next to it. Reads pass: looking is harmless. Whatever is not
known to be a read is taken for a change, and is asked about twice: here, and when its first byte is about to
be sent (see `last_word`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import TypeVar

from gpuinstance.providers.base import NotLeading, Provider
from gpuinstance.providers.last_word import MayAct, fenced_by
from gpuinstance.providers.wrappers import Wrapper

Result = TypeVar("Result")

_READS = ("list_", "get_")


class Fenced(Wrapper):
    """Lets changes pass while `may_act` says so; raises NotLeading otherwise, and has sent nothing."""

    def __init__(self, inner: Provider, may_act: MayAct) -> None:
        super().__init__(inner)
        self._may_act = may_act

    async def _pass(self, operation: str, call: Awaitable[Result]) -> Result:
        if operation.startswith(_READS):
            return await call
        try:
            with fenced_by(self._may_act):
                return await call
        except NotLeading:
            if inspect.iscoroutine(call):
                call.close()  # it was made, and perhaps never begun
            raise
