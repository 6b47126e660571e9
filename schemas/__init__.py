"""The contract between API and bridge: shapes, states and order. Pure: no I/O, no clock."""
