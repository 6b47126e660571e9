"""The bridge-facing endpoint: a transport-neutral handler and its container socket."""
