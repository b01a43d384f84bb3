"""What all wavelets share: how they may be normalised, and where they are cut off.

A wavelet is a filter of u = omega / 2R, the frequency over the one that the row of R stands for: `filter(u)` is its Fourier
transform, 1 at its peak u = 1; `band()` the range of u outside of which that is below `TAIL`; `reach()` 2R times the distance in
k beyond which the wavelet is below `TAIL` of its peak; `admissibility()` the integral of filter(u)^2 / |u| over all u;
`larch_factor()` what Larch multiplies its filter of peak 1 with; `default_scaling` the normalisation used unless another is asked
for.
"""

SCALINGS = ("energy", "amplitude", "larch")
# Parts of a filter or of its kernel below this share of its peak are left out; the sums then agree to some 1e-10.
TAIL = 1e-10
