"""Filament types by the names of the contract (v1 2.3, `FilamentType`)."""

from typing import Literal

FilamentType = Literal[
    "empty",
    "Unknown",
    "PLA",
    "PETG",
    "ABS",
    "ASA",
    "TPU",
    "PA",
    "PC",
    "PVA",
    "OTHER",
    "PLA_SUPPORT",
    "PLA_CF",
    "PETG_CF",
    "NYLON_CF",
    "NYLON_GF",
    "PC_ABS",
    "PC_CF",
    "SUPPORT",
    "HIPS",
    "PPS",
    "PPS_CF",
]
