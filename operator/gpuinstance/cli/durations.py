"""Lengths of time as they are typed: `60s`, `5m`, `1h30m`, also `500ms` and a bare number of seconds."""

from __future__ import annotations

import argparse
import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds_of(text: str) -> float:
    """Return the length in seconds. Raises ValueError for anything else, and for what is below zero."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text):
        raise ValueError(f'"{text}" is not a length of time such as 90s, 30m or 1h30m')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def duration(text: str) -> float:
    """Return the length in seconds, as a type of argparse."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def longest_wait(setting: str | None) -> float:
    """Return the most that may be waited, in seconds: what is set in the environment, else a day. Raises ValueError."""
    return seconds_of(setting) if setting else _A_DAY


_A_DAY = 86400.0
