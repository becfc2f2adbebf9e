# %% [markdown]
# # Eighteen sleepers: what partial pooling does
#
# Eighteen lorry drivers were allowed three hours of sleep a night, and every day their average reaction time (in milliseconds) was
# measured (Belenky and others 2003). How much slower does a person get with each day, and how different are people?
#
# This is the other half of the first study. There the response was a yes or a no and the population's number was not the average
# subject's. Here it is a measurement, and they are one. What remains is the question of how much each subject's own ten numbers count.

# %%
import os

import numpy as np

import bayesglmm as bg

QUICK = os.environ.get("BAYESGLMM_QUICK") == "1"
run = {"draws": 150, "tune": 300} if QUICK else {}

sleep = bg.datasets.load("sleepstudy")
fit = bg.glmm("Reaction ~ Days + (Days | Subject)", sleep, seed=1, **run)
bg.summary(fit)

# %% [markdown]
# About 250 ms to begin with, about 10 ms slower every day; and subjects differ in both. The last line but one is the correlation of the
# two: do subjects who are slow on the first day also suffer more? The interval runs over most of what is possible. Eighteen subjects do
# not say.

# %%
bg.plot_spaghetti(bg.curves(fit, "Days", groups=18), ylabel="reaction time (ms)")

# %% [markdown]
# Grey: the subjects. The average subject and the population are the same line, one drawn over the other: with an identity link
# $E_b(x'\beta + z'b) = x'\beta$. Nobody who fits a linear mixed model has to ask whether a number is about the average subject or about
# the population. With any other link everybody has to.

# %%
average = bg.means(fit, {"Days": [0, 9]}, target="average_subject")
population = bg.means(fit, {"Days": [0, 9]}, target="population")
print(np.abs(average.draws["mean_response"] - population.draws["mean_response"]).max().item(), "ms between the two, in any draw")

# %% [markdown]
# ## Three ways to look at a subject
#
# * **Each subject alone**: eighteen straight lines by least squares. Uses nothing but ten numbers per line.
# * **All as one**: one line. Ignores that subjects differ.
# * **Partially pooled**: what the mixed model says. Each subject's line is drawn towards the common one, the more so the less its own data
#   say, and the more so in the direction in which subjects differ little.

# %%
lines = bg.pooling(fit)
lines

# %%
spread = bg.VarCorr(fit)
sd = spread.loc[spread["with"].isna() & (spread["factor"] == "Subject"), "sd"].to_numpy()
correlation = spread.loc[spread["with"].notna(), "correlation"].item()
covariance = np.outer(sd, sd) * np.array([[1.0, correlation], [correlation, 1.0]])
bg.plot_shrinkage(lines, spread=covariance)

# %% [markdown]
# Every arrow is a subject: it starts at the subject's own line and ends at the partially pooled one. The dashed ellipses are one and two
# standard deviations of the random effects. Those move most whose own line is high and flat or low and steep (330, 335, 350, 370): errors
# of intercept and slope go together in that direction, so that such a line is likely to be partly error. 309 and 337 are as far out and
# hardly move. This is no correction of mistakes, it is a better guess, and a single component may even move away from the middle.

# %%
bg.plot_caterpillar(bg.random_effects(fit))

# %% [markdown]
# ## Correlated or independent?
#
# `(Days | Subject)` lets level and slope be correlated, `(Days || Subject)` says they are not. Does it matter?

# %%
independent = bg.glmm("Reaction ~ Days + (Days || Subject)", sleep, seed=2, **run)
for model in (fit, independent):
    print(bg.summary(model).table[["mean", "sd", "ci_lower", "ci_upper"]].round(2), "\n")

# %%
bg.hypothesis(fit, "`Subject_corr[1, Days]` > 0")

# %% [markdown]
# For the coefficients it hardly matters, and here not for the implied spread either, as the next lines show. It could: with independent
# effects the variance between subjects has its minimum at day 0 by assumption, and where the scale of time begins is a matter of
# convention. With a correlation the data may say where the minimum is, if they can.

# %%
times = [0, 3, 6, 9]
implied = {name: bg.implied_covariance(model, times) for name, model in (("correlated", fit), ("independent", independent))}
for name, result in implied.items():
    sds = result.table[result.table["quantity"] == "sd"]
    print(f"{name:12s}", "  ".join(f"day {r.row:g}: {r.mean:.0f} ms" for r in sds.itertuples()))

# %% [markdown]
# ## Who is different
#
# The slope of the average subject is about 10 ms a day, and slopes differ with a standard deviation of about 6. Some subjects may not get
# slower at all. How many? That is a question about the population of subjects, and another about these eighteen.

# %%
bg.opposite_slopes(fit, "Days")

# %% [markdown]
# ## A nineteenth driver
#
# Someone new comes along. Before the first night we know only the population. After three days we know more. The model turns that into
# a prediction of days 5 to 9, and every further day sharpens it.

# %%
one = sleep[sleep["Subject"].astype(str) == "308"].assign(Subject="new")
ahead = one[one["Days"] >= 5]
for known in (0, 3, 5):
    seen = one[one["Days"] < known] if known else None
    last = bg.update_subject(fit, seen, at=ahead, seed=3).table.iloc[-1]
    print(f"after {known} days: day 9 {last['mean']:.0f} ms, interval {last['ci_lower']:.0f} to {last['ci_upper']:.0f}")

# %% [markdown]
# (The new driver's numbers are those of subject 308, who was in the fit. For an honest test fit again without that subject; here the
# point is how the interval narrows.)
#
# ## What to take home
#
# * With an identity link the average subject and the population have one line. A named subject still has its own, and the eighteen observed
#   ones have their own mean.
# * Partial pooling is no compromise by taste: how far a subject is drawn in follows from the data.
# * A correlation of random effects from eighteen subjects is poorly known: these rule out a strong one, and do not say its sign. Look at
#   what follows from it rather than at itself.

# %%
coefficient = lines.draws["coefficient"]
slope_of_308 = ((coefficient["level"] == "308") & (coefficient["effect"] == "Days")).to_numpy()
numbers = {
    "Intercept": fit.posterior["Intercept"],
    "Days": fit.posterior["Days"],
    "sd of intercepts": fit.posterior["1|Subject_sigma"],
    "sd of slopes": fit.posterior["Days|Subject_sigma"],
    "correlation": fit.posterior["Subject_corr"].sel(Subject__effect_dim="Days", Subject__effect_dim_2="1"),
    "sigma": fit.posterior["sigma"],
    "sd of slopes, independent": independent.posterior["Days|Subject_sigma"],
    "coefficient of Days of subject 308": coefficient[..., slope_of_308],
}
