"""Hostwinds' cloud API, as a `Provider`: one address, form fields, and errors that come with HTTP 200."""

from gpuinstance.providers.hostwinds.adapter import CAPABILITIES, URL, Hostwinds

__all__ = ["CAPABILITIES", "URL", "Hostwinds"]
