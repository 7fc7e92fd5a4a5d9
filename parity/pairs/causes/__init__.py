"""Which known difference explains a divergence, with proof."""
