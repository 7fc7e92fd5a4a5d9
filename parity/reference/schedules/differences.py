"""Where learning-rate schedules part, and the callbacks that change rates."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="schedule.cosine_end",
        kind="schedules",
        title="CosineDecay stays at its end, CosineAnnealingLR rises again",
        what="Past decay_steps Keras keeps the smallest rate. PyTorch's cosine goes on.",
        why="PyTorch's is made for restarts. Trainings longer than planned show it.",
        to_torch="LambdaLR with min(step, decay_steps) in the cosine",
        size=0.3,
        measured="rates of 15 steps, decay_steps=10",
        rung="steps",
        latent=True,
        source="keras/src/optimizers/schedules/learning_rate_schedule.py",
    ),
    Difference(
        id="schedule.float32",
        kind="schedules",
        title="rates are float32 numbers, also in float64",
        what="Every schedule of Keras is computed in float32, whatever the weights are.",
        why="Schedules cast their constants. No fault in float32.",
        to_torch="float(np.float32(…)) of every rate, for comparisons in float64",
        size=6e-08,
        measured="ExponentialDecay(0.1, 3, 0.7), rates of 10 steps, one operation at a time",
        rung="step",
        latent=True,
        source="keras/src/optimizers/schedules/learning_rate_schedule.py",
    ),
    Difference(
        id="schedule.plateau_patience",
        kind="schedules",
        title="ReduceLROnPlateau waits an epoch longer in PyTorch",
        what="Keras reduces at the patience-th epoch without a better value, PyTorch at the one "
        "after. PyTorch also takes the threshold as a share of the best, counts cooldown "
        "otherwise, and leaves out reductions of less than 1e-8.",
        why="wait ≥ patience against bad epochs > patience.",
        to_torch="ReduceLROnPlateau(patience=p − 1, cooldown=max(c − 1, 0), threshold=min_delta, "
        "threshold_mode='abs', eps=0)",
        size=0.9,
        measured="rates of 12 epochs without progress, patience 3",
        rung="steps",
        latent=True,
        source="tf_keras/src/callbacks.py (ReduceLROnPlateau)",
    ),
    Difference(
        id="schedule.piecewise_boundary",
        kind="schedules",
        title="a boundary belongs to the old rate in Keras, to the new in PyTorch",
        what="PiecewiseConstantDecay([b], …) changes after step b, MultiStepLR([b]) at it.",
        why="step ≤ b against step ≥ b.",
        to_torch="milestones b + 1",
        to_keras="boundaries b − 1",
        size=0.9,
        measured="rates of 10 steps, boundary 5, divided by ten",
        rung="steps",
        latent=True,
        source="keras/src/optimizers/schedules/learning_rate_schedule.py",
    ),
    Difference(
        id="early_stopping.best_weights",
        kind="callbacks",
        title="EarlyStopping restores the best weights also where nothing was stopped",
        what="With restore_best_weights=True Keras puts the best epoch's weights back at the end "
        "of every training. Loops written by hand do it where patience ran out, and else keep the "
        "last epoch's.",
        why="PyTorch has no such callback; older Kerases restored on stopping alone.",
        to_torch="load the best epoch's state_dict behind the loop, stopped or not",
        size=0.5,
        measured="a weight that counts epochs, losses 3, 1, 2, patience 3",
        rung="predictions",
        latent=True,
        source="keras/src/callbacks/early_stopping.py (on_train_end)",
    ),
)
