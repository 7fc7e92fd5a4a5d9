"""Loading, checking and batching of the data sets."""
