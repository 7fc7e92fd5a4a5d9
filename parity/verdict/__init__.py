"""The verdict on two records: checks, float64 and float32 judges, first divergence."""
