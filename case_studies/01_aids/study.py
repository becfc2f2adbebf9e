# %% [markdown]
# # Low CD4 counts: one patient, or all patients?
#
# In a trial of two drugs (ddC and ddI) 467 HIV patients had their CD4 cells counted at months 0, 2, 6, 12 and 18. A count below 150 per
# cubic millimetre is dangerous. How likely is it, how does that change over time, and does the drug matter?
#
# Every visit is a yes or a no, and the visits of one patient go together: most patients are always below 150, some never are. A logistic
# model with an intercept for each patient says so:
#
# $$\operatorname{logit} P(\text{low}_{ij} = 1 \mid b_i) = \beta_0 + \beta_1 t_{ij} + \beta_2 \text{ddI}_i + \beta_3 t_{ij} \text{ddI}_i
# + b_i, \qquad b_i \sim N(0, \sigma_b^2).$$
#
# The model is simple. What its numbers *mean* is where readers go wrong, and this study is about that: a number about one patient and a
# number about all patients are different numbers here, and not by a little.

# %%
import os

import numpy as np

import bayesglmm as bg

QUICK = os.environ.get("BAYESGLMM_QUICK") == "1"
run = {"draws": 150, "tune": 300} if QUICK else {}

aids = bg.datasets.load("aids")
aids["low"] = aids["CD4"] < np.sqrt(150)  # the table holds square roots of the counts
fit = bg.glmm("low ~ obstime * drug + (1 | patient)", aids, family="bernoulli", seed=1, **run)
bg.summary(fit)

# %% [markdown]
# The intercept is above 5, and the standard deviation between patients is as large: the patients differ enormously. With so few visits
# per patient and so many patients who are always low, the data say little about *how* large these two are; the priors matter for them
# (`bg.prior_summary(fit)` prints every one). Keep that in mind until we come to the population, where they hardly matter.

# %%
bg.plot_spaghetti(bg.curves(fit, "obstime", {"drug": "ddC"}), ylabel="probability of a low count")

# %% [markdown]
# Grey lines are patients of both arms as they would be under ddC, evenly spaced by the rank of their random effect; most of them lie along
# the upper edge. The dashed blue line is the *average subject*: the patient whose random effect is zero. The orange line is the
# *population*: the average of the probabilities of all patients. The blue line is no average of grey lines. Its height is the probability
# at the average log odds, and the average of a curved function is not the function of the average.
#
# ## One number for each of the four targets
#
# At month 6 under ddC:

# %%
at = {"obstime": 6, "drug": "ddC"}
subject = bg.means(fit, at, target="average_subject")
population = bg.means(fit, at, target="population")
observed = bg.means(fit, at, target="observed_groups")
patient = str(fit.frame.loc[fit.frame["drug"] == "ddC", "patient"].iloc[0])
one = bg.means(fit, {**at, "patient": patient}, target="group")
for result in (subject, population, observed, one):
    print(f"{result.table['mean'].item():.3f}   {result.target}")

# %% [markdown]
# * **Average subject**: a patient with random effect zero is almost sure to be low. There may be no such patient.
# * **Population**: of a hundred new patients like these, so many will be low. This is the number for planning and for policy.
# * **Observed groups**: the same average, over the patients who were in the trial.
# * **Group**: one patient by name.
#
# ## Where patients are: the heterogeneity interval
#
# At the start under ddC the average subject has log odds $\beta_0$. Ninety-five per cent of patients are within $\beta_0 \pm 1.96
# \sigma_b$. That is no confidence interval: it says where patients are, not how sure we are, and more data would not make it shorter.

# %%
spread = bg.heterogeneity(fit, {"obstime": 0, "drug": "ddC"})
spread

# %%
bg.means(fit, {"obstime": 0, "drug": "ddC"}, target="population")

# %% [markdown]
# On the probability scale the interval covers nearly everything from 0 to 1. Its middle is near one half and the average subject's
# probability near one: neither is the population's probability, which the second table gives.
#
# ## The treatment effect, three times
#
# The subject-specific coefficient compares two visits of *the same patient* (or of two patients with the same random effect). The
# marginal coefficient compares two *populations*. Here they are on the same draws: per draw the population probability of every visit is
# integrated (no simulation), and its log odds are projected on the design (Hedeker and others 2018). Beside them are generalized
# estimating equations, which model the population directly, without random effects.

# %%
marginal = bg.marginal_coefficients(fit)
marginal

# %%
beside = bg.side_by_side(fit)
beside

# %%
bg.plot_estimators(beside)

# %% [markdown]
# The subject-specific coefficients are about three times the marginal ones. Neither is wrong. *A month more* changes the log odds of a
# patient by $\beta_1$, and the log odds of the population by much less, because most patients are so far from one half that a month does
# not change their probability at all.
#
# The marginalized coefficients and those of the estimating equations aim at the same thing and agree where no patient leaves the study.
# Here many do, and who leaves is not a matter of chance: the sicker leave earlier. That is why the estimating equations with independence
# see no change over time at all, and those with an exchangeable correlation nearly what the mixed model sees. The mixed model
# (like any likelihood) allows that leaving depends on what has been observed; the estimating equations need it to be pure chance.
#
# ## Why the well-known table of these data is wrong
#
# These data and this model are a lecture example (Rizopoulos, *Analysis of Repeated Measurements*). Its table, computed with 15-point
# adaptive Gauss-Hermite quadrature, says:
#
# | coefficient | estimate (standard error) | marginal (standard error) |
# |---|---|---|
# | intercept | 5.711 (0.373) | 1.588 (0.022) |
# | month | 0.146 (0.043) | 0.046 (0.002) |
# | ddI | -0.573 (0.505) | -0.167 (0.024) |
# | month x ddI | -0.029 (0.057) | -0.010 (0.003) |
#
# Fifteen points are not enough when a patient's random effect has a long, skewed distribution. With as many points as the integral
# needs, maximum likelihood gives 5.534 (0.796), 0.142 (0.044), -0.872 (0.727), -0.026 (0.058): the printed standard error of the
# intercept is less than half of what it should be. And the printed marginal standard errors are a sixth to a ninth of what they should be:
# the delta method at the exact maximum gives 0.164, 0.014, 0.224, 0.019. The lecture concludes that the intervals of the subject-specific
# and the marginal odds ratio of a month do not overlap. The posterior says otherwise:

# %%
draws = {name: np.exp(marginal.draws[name].sel(coefficient="obstime")) for name in ("subject_specific", "marginal")}
ends = {name: np.quantile(values, [0.025, 0.975]) for name, values in draws.items()}
for name, (lower, upper) in ends.items():
    print(f"odds ratio of a month, {name:17s} {float(draws[name].mean()):.3f}   95 % interval {lower:.3f} to {upper:.3f}")

# %% [markdown]
# The two numbers are different quantities, so whether their intervals overlap is not even the question: on the *same* draws the
# subject-specific coefficient is larger in nearly all of them.

# %%
larger = (marginal.draws["subject_specific"] > marginal.draws["marginal"]).sel(coefficient="obstime")
print(f"probability that the subject-specific coefficient of a month is the larger one: {float(larger.mean()):.3f}")

# %% [markdown]
# ## What to take home
#
# * Say which number you report. One patient, the population, the patients in this study, and one patient by name are four questions.
# * A heterogeneity interval is about patients, a credible interval about our knowledge.
# * On sparse yes-or-no data the patient-level numbers lean on their priors; the population-level numbers hardly do.
# * A table of estimates is only as good as its integral.

# %%
numbers = {
    "average subject at month 6, ddC": subject.draws["mean_response"],
    "population at month 6, ddC": population.draws["mean_response"],
    "observed groups at month 6, ddC": observed.draws["mean_response"],
    **{f"subject-specific {c}": marginal.draws["subject_specific"].sel(coefficient=c) for c in fit.design.labels},
    **{f"marginal {c}": marginal.draws["marginal"].sel(coefficient=c) for c in fit.design.labels},
    "lower heterogeneity end at month 0, ddC, log odds": spread.draws["lower"],
    "upper heterogeneity end at month 0, ddC, log odds": spread.draws["upper"],
}
