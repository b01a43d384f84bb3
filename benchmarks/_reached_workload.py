"""What the first version could do, as commands; see benchmarks/_reached.py. They run in one folder, in this order."""

COMMANDS = [
    "python",
    "--help",
    "check FITS/foils/cu_pymca.toml FITS/comn/lco1mn1_both.toml FITS/ccro/s7_co.toml FITS/ccro_series/co.toml FITS/valence/fe.toml",
    "check bad.toml",
    "fit FITS/foils/cu_pymca.toml FITS/foils/co_foil.toml FITS/programs/artemis_fes2.toml --no-audit",
    "fit FITS/comn/lco1mn1_both.toml --json --no-figures --no-audit",
    "reproduce FITS/comn FITS/ccro FITS/programs",
    "closure FITS/ccro/s4b_co.toml --seeds 5",
    "new $XASUITE_DATA/foils/Co_foil_QAS.dat --crystal Co_hcp -o co.toml",
    "new $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi --crystal FeO --sample --s02 0.8 --rmax 3 -o fe.toml",
    "fit co.toml --no-audit",
    "paths Cu --absorber Cu --radius 4",
    "paths Co_hcp --absorber Ru --substitute Co=Ru --radius 3 --json",
    "series FITS/ccro_series/co.toml --json",
    "series FITS/ccro_series/co.toml --resume",
    "series FITS/ccro_series/ru.toml --workers 2",
    "series FITS/sno2/tpr.toml",
    "watch scans watched.toml --until 4 --idle 20 --settle 0 --interval 0.2",
    "valence FITS/valence/fe.toml -o v1",
    "valence FITS/valence/fe_oxides.toml -o v2",
    "valence FITS/valence/ccro_co.toml -o v3",
    "edge $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi $XASUITE_DATA/standards/Fe_xdi/FeO_rt_01.xdi -o edge",
    "edge $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi --method integral --pre-range=-150,-50 --norm-range 50,200",
    "edge $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi --method inflection",
    "edge $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi --method whiteline",
    "lcf $XASUITE_DATA/standards/Fe_xdi/Fe3O4_rt_01.xdi --ref $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi "
    "--ref $XASUITE_DATA/standards/Fe_xdi/FeO_rt_01.xdi --ref $XASUITE_DATA/standards/Fe_xdi/FeS2_rt_01.xdi --energy-range 7100,7160 -o lcf",
    "lcf $XASUITE_DATA/standards/Fe_xdi/Fe3O4_rt_01.xdi --ref $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi "
    "--ref $XASUITE_DATA/standards/Fe_xdi/FeO_rt_01.xdi --ref $XASUITE_DATA/standards/Fe_xdi/FeS2_rt_01.xdi --energy-range 7100,7160 --rank --flat",
    "components $XASUITE_DATA/series/SnO2_TPR/SnO2_TPR_50_raw.h5 --energy-range 29180,29260 -n 2 -o mcr",
    "components $XASUITE_DATA/series/SnO2_TPR/SnO2_TPR_50_raw.h5 --energy-range 29180,29260 -n 2 --start purest --unimodal",
    "peaks $XASUITE_DATA/standards/Fe_xdi/Fe2O3_rt_01.xdi --peak 7113 --peak 7114.5 --width 1.5 --energy-range 7105,7119 --step 7120 -o peaks",
    "dband xps.txt --fit-fermi=-1,1 -o dband",
    "wavelet $XASUITE_DATA/foils/Co_foil_QAS.dat $XASUITE_DATA/foils/Fe_foil_QAS.dat --difference --ridge --each --resamples 20",
    "wavelet $XASUITE_DATA/foils/Co_foil_QAS.dat --kind cauchy --resamples 20",
    "wavelet FITS/comn/lco1mn1_co.toml --paths --resamples 20 --json",
    "xanes Cu -a Cu --radius 3 --lmax 1 --no-scf --compare $XASUITE_DATA/foils/Cu_foil_QAS.dat --wrong Co_hcp --fit gauss -o xanes",
    "xanes Cu -a Cu --no-scf --lmax 1 --radius 4 --converge",
    "xanes Cu -a Cu --no-scf --write feff9 -o feff9",
    "xanes Cu -a Cu --no-scf --write fdmnes -o fdmnes",
    "report results/foils/cu_pymca results/foils/co_foil -o report.html",
    "report results/ccro_series/co results/sno2/tpr -o series.html",
    "report results/foils/cu_pymca results/foils/co_foil -o table.tex --errors plus-minus",
    "report results/foils/cu_pymca -o table.docx",
    "report results/foils/cu_pymca -o table.md",
    "report results/foils/cu_pymca -o table.csv",
    "figure",
    "figure xanes $XASUITE_DATA/foils/Co_foil_QAS.dat $XASUITE_DATA/foils/Fe_foil_QAS.dat -o f1",
    "figure ft $XASUITE_DATA/foils/Co_foil_QAS.dat $XASUITE_DATA/foils/Fe_foil_QAS.dat --times 0,10 -o f2",
    "figure fit FITS/foils/cu_pymca.toml -o f3 --width column",
    "figure fits FITS/foils/cu_pymca.toml -o f4 --width double --format png",
    "figure wavelet $XASUITE_DATA/foils/Co_foil_QAS.dat $XASUITE_DATA/foils/Fe_foil_QAS.dat -o f5",
    "figure film $XASUITE_DATA/foils/Co_foil_QAS.dat $XASUITE_DATA/foils/Fe_foil_QAS.dat -o f6",
    "figure valence FITS/valence/fe.toml -o f7",
    "figure parameters results/ccro_series/co -o f8",
    "figure map results/sno2/tpr -o f9",
    "figure waterfall results/sno2/tpr -o f10",
    'show $XASUITE_DATA/formats/xdi/co_metal_rt.xdi --mu "mutrans * 1.0" --json',
]
# Options of now by their names in the first version, and those that it did not have
RENAMED = {"--energy-range": "--span", "--pre-range=-150,-50": "--pre=-150,-50", "--norm-range": "--norm"}
NEEDED = {"--no-audit"}

# Every file read, and the steps of reduction and records that no command reaches alone. Names are those of both versions.
PYTHON = r"""
import os
from pathlib import Path
import numpy as np
import xasuite as xs
from xasuite.errors import XasuiteError

data = Path(os.environ["XASUITE_DATA"])
READ = ("broken", "foils", "formats", "standards")
for file in sorted(p for p in data.rglob("*") if p.is_file() and p.parts[len(data.parts)] in READ):
    try:
        for scan in xs.read_all(file):
            scan.mu()
    except XasuiteError as error:
        print(file.name, error)
scan = xs.read(data / "foils/Co_foil_QAS.dat")
scans = [xs.read(f).mu() for f in sorted((data / "standards/Mn_xdi").glob("Mn2O3*"))]
mu = scan.mu()
mu = xs.calibrate(mu, tabulated=7709.0)
norm = xs.normalize(xs.rebin(xs.deglitch(xs.shift(mu, 1.0))))
merged = xs.merge([xs.align(s, scans[0]).spectrum for s in scans])
chi = xs.background(norm, rbkg=1.0, kweight=2)
ft = xs.fourier(chi, k=(3, 12), kweight=2)
back = xs.back_fourier(ft, r=(1.5, 2.8))
wave = xs.wavelet(chi, k=(3, 12))
xs.find_lobes(chi, k=(3, 12), resamples=10)
for record in (scan, mu, norm, chi, ft, back, wave, merged):
    repr(record), record._repr_html_(), record._repr_mimebundle_() if hasattr(record, "_repr_mimebundle_") else None
    try:
        xs.plot(record)
    except XasuiteError as error:
        print(error)
for record, name in ((chi, "chi.csv"), (norm, "norm.prj"), (mu, "mu.xdi"), (mu, "mu.h5")):
    xs.write(name, record)
paths = xs.find_paths("Co_hcp", absorber="Co", radius=4.0)
truth = [xs.simulate.TruthPath(p, n=12.0, sigma2=0.006) for p in paths[:2]]
xs.simulate.spectrum(truth, element="Co", noise=1e-3)
xs.simulate.spectrum(truth, element="Co", counts=1e6)
Path("scans").mkdir()
cu = xs.read(data / "foils/Cu_foil_QAS.dat").mu()
for n in range(4):
    noisy = cu.mu + 1e-4 * np.random.default_rng(n).standard_normal(cu.mu.size)
    np.savetxt(f"scans/scan_{n}.txt", np.c_[cu.energy, noisy], header="energy mu")
spec = (Path(os.environ["FITS"]) / "foils/cu_pymca.toml").read_text()
head, rest = spec.split("reproduces")[0], spec[spec.index("[sample]") :]
Path("watched.toml").write_text(head + '[series]\nfiles = ["scans/*.txt"]\n\n' + rest)
binding = np.linspace(-3, 10, 400)
xps = 1 / (1 + np.exp(-binding / 0.1)) * (1 + np.exp(-((binding - 2) ** 2)))
np.savetxt("xps.txt", np.c_[binding, xps])
"""
