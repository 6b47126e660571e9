"""Tags, whatever has them: printers, pools, records of prints, jobs and presets."""
