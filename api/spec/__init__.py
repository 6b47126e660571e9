"""The v1 face describes itself: the OpenAPI document and the pages that show it."""
