"""Doors to other tools of the field: their fits become fits of this package."""
