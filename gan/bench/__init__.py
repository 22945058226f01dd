"""`gan bench`: recipes x data x seeds, one table; published protocols as presets."""
