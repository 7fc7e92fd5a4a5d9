"""Learning-rate schedules: their specs and the known differences."""
