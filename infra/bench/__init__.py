"""Benchmarks: each prints its figures beside a bare reference measured in the same run."""
