"""Learning-rate schedules: specs and known differences."""
