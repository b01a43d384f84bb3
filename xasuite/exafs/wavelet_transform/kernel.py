"""The properties common to all wavelets: normalisations and cut-off.

A wavelet is described in u = omega / 2R, the frequency relative to that of a wave at R. `filter(u)` is its Fourier
transform, with a peak of 1 at u = 1. `band()` is the range of u outside which the filter is below `TAIL`. `reach()` is 2R times the
distance in k beyond which the wavelet is below `TAIL` of its peak. `admissibility()` is the integral of filter(u)^2 / |u| over all u.
`larch_factor()` is the factor by which Larch multiplies a filter with a peak of 1. `default_scaling` is the normalisation that is used
if none is given.
"""

SCALINGS = ("energy", "amplitude", "larch")
# Parts of a filter or of a wavelet below this share of the peak are left out; the transform is then correct to about 1e-10.
TAIL = 1e-10
