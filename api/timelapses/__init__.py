"""Recordings of prints: none, as no camera is recorded here; who asks is told so."""
