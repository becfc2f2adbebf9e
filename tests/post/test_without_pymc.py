"""Everything after sampling works where PyMC and the samplers are not installed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
for name in ("pymc", "pytensor", "nutpie", "bambi", "arviz", "numba", "matplotlib"):
    sys.modules[name] = None  # importing it now raises ImportError
import bayesglmm as bg
from tests.post.makers import crossed_fit
fit = crossed_fit()
for result in (
    bg.random_effects(fit), bg.random_effects(fit, coefficients=True), bg.marginal_coefficients(fit),
    bg.heterogeneity(fit), bg.summary(fit),
    *(bg.means(fit, target=t) for t in ("average_subject", "population", "observed_groups", "group")),
):
    assert str(result) and result._repr_html_()
assert bg.log_likelihood(fit).shape == (40, 120)
sys.stdout.write("done")
"""


def test_post_processing_needs_no_sampler():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "done", done.stderr
