"""The pure core, table by table."""
