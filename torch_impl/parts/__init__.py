"""What the models are built from: layers, losses, optimizers, schedules."""
