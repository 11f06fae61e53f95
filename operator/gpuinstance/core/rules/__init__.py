"""The rules, grouped by what they are about; `core.decide` puts them in order."""
