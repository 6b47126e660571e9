"""The bridge: what runs beside the printers. One agent per room, one sender process per printer."""
