"""Porting mistakes: causes that a check can name besides the frameworks' known differences.

Examples: a missing layer, another dropout rate, a loss that sums. Both frameworks support either
variant; the two models use different ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parity.reference.layers.kinds import KINDS
from parity.reference.optimizers.formulas import FORMULAS


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A porting mistake that a check can name as a cause.

    Attributes:
        id: as a check reports it; ``*`` stands for any kind of layer or optimizer.
        title: a few words for a table, without a full stop.
        what: how the two models differ.
        fix: what makes them equal.
    """

    id: str
    title: str
    what: str
    fix: str

    def sections(self) -> list[tuple[str, str]]:
        """Heading and text of each section, in reading order."""
        return [("What", self.what), ("Fix", self.fix)]


TO_KERAS = "Use Keras's value in PyTorch, or PyTorch's in Keras."

MISTAKES: dict[str, Mistake] = {
    one.id: one
    for one in (
        Mistake(
            id="loss.target_shape",
            title="targets have another shape than the outputs",
            what="PyTorch's losses broadcast targets (N,) against outputs (N, 1) to (N, N), with a "
            "warning. Keras gives the targets the shape of the outputs.",
            fix="In PyTorch: targets.view_as(outputs), or outputs.squeeze(-1).",
        ),
        Mistake(
            id="loss.class_weight",
            title="the classes have weights in one loss only",
            what="One loss multiplies each example's term by the weight of its class.",
            fix="Give both losses the same class weights.",
        ),
        Mistake(
            id="dropout.axis",
            title="dropout of whole channels takes another axis for the channels",
            what="nn.Dropout1d, 2d and 3d drop along the second axis, and Dropout1d of a matrix "
            "drops rows, which are examples. Keras drops along the last axis.",
            fix="Permute the channels to the second axis before, and back afterwards; for a matrix "
            "nn.Dropout.",
        ),
        Mistake(
            id="structure.order",
            title="layers, or the inputs of a layer, are in another order",
            what="With equal inputs every layer gives equal outputs, but one model calls its "
            "layers, or joins their outputs, in another order. Typical: a batch norm after its "
            "activation instead of before it.",
            fix="Call the layers in Keras's order.",
        ),
        Mistake(
            id="structure.missing",
            title="Keras has a layer that PyTorch lacks",
            what="Applying the extra Keras layers to PyTorch's output gives the next Keras layer's "
            "input.",
            fix="Add the layer, or the function, to the PyTorch model.",
        ),
        Mistake(
            id="structure.extra",
            title="PyTorch has a layer that Keras lacks",
            what="Without the layer, the next layer receives the same input as in Keras.",
            fix="Remove the layer, or the function, from the PyTorch model.",
        ),
        Mistake(
            id="structure.axes",
            title="an output has its axes in another order",
            what="With its axes in Keras's order PyTorch's output equals Keras's. Height and width "
            "of a square map can be exchanged without an error.",
            fix="Remove the transposition. Channels first in PyTorch and last in Keras is right.",
        ),
        Mistake(
            id="input.scale",
            title="the input of a layer is scaled or shifted",
            what="PyTorch's input is a·x + b, where x is Keras's, with one a and b for all entries "
            "or one per channel. Typical: only one side divides images by 255 or subtracts their "
            "mean.",
            fix="Scale in both models or in neither; check the data loading as well.",
        ),
        Mistake(
            id="activation.function",
            title="another activation function",
            what="With Keras's function as a substitute, PyTorch gives Keras's output.",
            fix="Use Keras's function. Defaults: none in Keras's Dense and convolutions, tanh in "
            "its recurrent layers.",
        ),
        Mistake(
            id="layer.trainable",
            title="a weight is frozen in only one of the models",
            what="With trainable=False in Keras, or requires_grad_(False) in PyTorch, a weight "
            "receives no gradient.",
            fix="Freeze it in both models or in neither.",
        ),
        Mistake(
            id="dropout.rate",
            title="another dropout rate",
            what="With shared random draws, one model drops more entries. A rate of none: only one "
            "model has the layer.",
            fix="Set nn.Dropout(p) to Keras's rate: in both it is the share that is dropped.",
        ),
        Mistake(
            id="recurrent.stateful",
            title="one model keeps its states from batch to batch",
            what="A recurrent layer of Keras with stateful=True, or PyTorch code that keeps the "
            "hidden state, starts each batch with the last states of the batch before. The first "
            "batch gives the same loss in both, the second does not.",
            fix="Keep the states in both models, detached from the graph, or in neither.",
        ),
        Mistake(
            id="loss.kind",
            title="another loss function",
            what="The two losses are computed by different formulas.",
            fix="Use the same formula.",
        ),
        Mistake(
            id="loss.reduction",
            title="one loss sums, the other averages",
            what="Keras's losses average over all entries by default. PyTorch's average over the "
            "batch, average over all entries, or sum, depending on the loss and its reduction.",
            fix="Use reduction='mean', or divide by the same number.",
        ),
        Mistake(
            id="loss.label_smoothing",
            title="another label smoothing",
            what="Both frameworks use the same formula, (1 − s)·y + s / classes, with different "
            "values of s.",
            fix="Give both the same label_smoothing.",
        ),
        Mistake(
            id="loss.delta",
            title="another delta of the Huber loss",
            what="delta is the error at which the loss changes from quadratic to linear.",
            fix=TO_KERAS,
        ),
        Mistake(
            id="gradient.detached",
            title="the forward pass blocks gradients",
            what="Outputs are equal, but .detach(), .data or torch.no_grad() blocks the gradient, "
            "so upstream weights are not trained. With the block removed, the gradients equal "
            "Keras's.",
            fix="Remove it from the forward pass, or add tf.stop_gradient in Keras.",
        ),
        Mistake(
            id="attention.mask",
            title="another attention mask",
            what="The models allow attention between different positions; without a causal mask, "
            "for example, one model sees later steps.",
            fix="Use the same mask: attn_mask is false where Keras's attention_mask is true.",
        ),
        Mistake(
            id="optimizer.kind",
            title="another optimizer",
            what="The two optimizers use different update formulas.",
            fix="Use the same optimizer, with every setting given explicitly.",
        ),
        Mistake(
            id="optimizer.clipvalue",
            title="gradients are clipped by value on one side only, or to another value",
            what="Keras's optimizers clip every gradient entry to ±clipvalue; PyTorch's have no "
            "such option.",
            fix="Call torch.nn.utils.clip_grad_value_ before each step.",
        ),
        Mistake(
            id="penalty.missing",
            title="Keras adds penalties to the loss that PyTorch lacks",
            what="These are regularizers of weights or outputs other than L2 alone (for which see "
            "l2.factor).",
            fix="Add the same terms to PyTorch's loss.",
        ),
        Mistake(
            id="weights.swapped_beta_gamma",
            title="the scale and shift of a normalisation layer are swapped",
            what="gamma was copied to beta and beta to gamma.",
            fix="weight = gamma, bias = beta",
        ),
        Mistake(
            id="weights.swapped_moving_mean_moving_variance",
            title="the running mean and variance of a normalisation layer are swapped",
            what="The mean was copied to the variance and the variance to the mean.",
            fix="running_mean = moving_mean, running_var = moving_variance",
        ),
        Mistake(
            id="conv.kernel_flipped",
            title="a convolution kernel was flipped along its spatial axes",
            what="Both frameworks compute a correlation and do not flip the kernel; elsewhere a "
            "convolution flips it.",
            fix="Do not flip the kernel.",
        ),
        Mistake(
            id="lstm.gate_order",
            title="the gates of an LSTM were reordered",
            what="Both frameworks use the order i, f, g (c in Keras), o. The weights were "
            "reordered like a GRU's.",
            fix="Transpose the kernels and keep the order of the gates.",
        ),
        *(
            Mistake(
                id=f"{kind}.kernel_layout",
                title="a recurrent kernel was not transposed",
                what="Each gate's recurrent kernel is square, so it loads without an error even if "
                "it was not transposed.",
                fix="weight_hh_l0 = recurrent_kernel.T",
            )
            for kind in ("simple_rnn", "lstm", "gru")
        ),
        Mistake(
            id="*.kind",
            title="a layer of another kind",
            what="With Keras's layer as a substitute, PyTorch gives Keras's output.",
            fix="Use the same layer as Keras.",
        ),
        Mistake(
            id="*.setting",
            title="a setting of a layer or an optimizer has another value",
            what="Both frameworks have the setting with the same meaning, under this name or "
            "another. With Keras's value PyTorch gives Keras's output.",
            fix=TO_KERAS,
        ),
        Mistake(
            id="*.weight",
            title="a weight has another value, or exists in only one model",
            what="With Keras's weight as a substitute, PyTorch gives Keras's output. No known "
            "layout mistake explains the difference.",
            fix="Copy the weight. If it is a bias, check that both layers have one.",
        ),
    )
}
"""Id to entry; a check reports ``*`` ids as ``conv.strides`` or ``dense.bias``, for example."""


def mistake(name: str) -> Mistake | None:
    """The porting mistake with this id; None if there is none."""
    if name in MISTAKES:
        return MISTAKES[name]
    kind, _, setting = name.partition(".")
    if kind in FORMULAS and setting in FORMULAS[kind].settings:
        return replace(MISTAKES["*.setting"], id=name)
    for one in KINDS.values():
        if name in one.ids.values() or (one.name == kind and setting in one.settings):
            return replace(MISTAKES["*.setting"], id=name)
        if one.name == kind and setting in one.weights:
            return replace(MISTAKES["*.weight"], id=name)
        if one.name == kind and setting == "kind":
            return replace(MISTAKES["*.kind"], id=name)
    return None
