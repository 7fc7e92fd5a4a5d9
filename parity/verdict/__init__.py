"""The verdict on two records: checks, the judge of each dtype, the first divergence."""
