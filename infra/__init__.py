"""How Gantry is run: the local farm, the benchmarks, the demo's files."""
