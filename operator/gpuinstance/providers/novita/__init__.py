"""Novita's GPU instance API, version 1, as a `Provider`: JSON, a bearer token, and pages."""

from gpuinstance.providers.novita.adapter import BASE_URL, CAPABILITIES, PAGE_SIZE, Novita

__all__ = ["BASE_URL", "CAPABILITIES", "PAGE_SIZE", "Novita"]
