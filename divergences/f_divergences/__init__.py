"""f-divergences: the type, the entries, how they are summed without cancellation, Rényi and its kin, a user's own f."""
