"""Made-up tables for timing: crossed measurements, yes-or-no visits of subjects, grades of students by instructors."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

VISITS = np.array([0, 2, 6, 12, 18])
"""Months of the visits of the AIDS trial."""
SEEN = np.array([467, 368, 310, 226, 34])
"""Subjects of the trial at each visit; here whoever misses one comes to none after it."""
AIDS_ESTIMATES = (5.53, 0.142, -0.872, -0.026, 5.43)
"""Maximum likelihood in the trial: intercept, month, drug, month by drug, SD between subjects."""


def crossed(n_rows: int, levels: tuple[int, ...], *, seed: int = 1) -> tuple[str, pd.DataFrame]:
    """Return formula and table of measurements with one covariate and crossed factors of so many levels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    y, columns = 1.0 + 0.5 * x + rng.normal(size=n_rows), {}
    for k, count in enumerate(levels):
        columns[f"g{k}"] = np.concatenate([np.arange(count), rng.integers(0, count, n_rows - count)])
        y += 0.7 * rng.normal(size=count)[columns[f"g{k}"]]
    return " + ".join(["y ~ x", *(f"(1 | {g})" for g in columns)]), pd.DataFrame({"y": y, "x": x, **columns})


def slopes(n_groups: int, *, per_group: int = 5, seed: int = 2) -> tuple[str, pd.DataFrame]:
    """Return formula and table of measurements with correlated intercepts and slopes of groups of five rows."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_groups), per_group)
    x = rng.normal(size=len(g))
    b = rng.normal(size=(n_groups, 2)) * (0.8, 0.4)
    y = 1.0 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=len(g))
    return "y ~ x + (1 + x | g)", pd.DataFrame({"y": y, "x": x, "g": g})


def answers(n_groups: int, *, n_months: int = 12, per_group: int = 5, seed: int = 3) -> tuple[str, pd.DataFrame, int]:
    """Return formula, table and number of distinct groups of yes-or-no answers at five of twelve months, in two arms.

    There are few distinct rows, and up to 50,688 distinct groups.
    """
    rng = np.random.default_rng(seed)
    months = np.sort(np.argsort(rng.uniform(size=(n_groups, n_months)), axis=1)[:, :per_group], axis=1)
    arm = rng.integers(0, 2, n_groups)
    eta = -0.5 + 0.1 * months + 0.4 * arm[:, None] + 1.5 * rng.normal(size=(n_groups, 1))
    yes = (rng.uniform(size=eta.shape) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    distinct = len(np.unique(np.concatenate([months, yes, arm[:, None]], axis=1), axis=0))
    columns = {
        "yes": yes.ravel(),
        "month": months.ravel(),
        "arm": np.repeat(arm, per_group),
        "g": np.repeat(np.arange(n_groups), per_group),
    }
    return "yes ~ month * arm + (1 | g)", pd.DataFrame(columns), distinct


def aids_like(n_subjects: int, *, seed: int = 4) -> tuple[str, pd.DataFrame]:
    """Return formula and table of subjects with the visits of the AIDS trial, its dropout, its two arms and its estimates."""
    rng = np.random.default_rng(seed)
    staying = SEEN / np.concatenate([SEEN[:1], SEEN[:-1]])
    stays = np.cumprod(rng.uniform(size=(n_subjects, len(VISITS))) < staying, axis=1).astype(bool)
    arm = rng.integers(0, 2, n_subjects)
    subject = np.broadcast_to(np.arange(n_subjects)[:, None], stays.shape)[stays]
    obstime = np.broadcast_to(VISITS, stays.shape)[stays]
    intercept, month, active, active_month, sd = AIDS_ESTIMATES
    eta = intercept + month * obstime + (active + active_month * obstime) * arm[subject] + sd * rng.normal(size=n_subjects)[subject]
    low = (rng.uniform(size=len(eta)) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    drug = np.array(["ddC", "ddI"])[arm[subject]]
    return "low ~ obstime * drug + (1 | patient)", pd.DataFrame({"low": low, "obstime": obstime, "drug": drug, "patient": subject})


@dataclass(frozen=True)
class GradesShape:
    """How large the grades design is, and its parameters."""

    rows: int = 1_700_000
    students: int = 54_711
    instructors: int = 7_915
    departments: int = 102
    intercept: float = 3.1996
    sd_student: float = 0.555
    sd_instructor: float = 0.282
    sd_department: float = 0.301
    sigma: float = 0.635

    def scaled(self, share: float) -> "GradesShape":
        """Return the design with a share of its rows, students and instructors, to try the program."""
        sizes = {"rows": self.rows, "students": self.students, "instructors": self.instructors}
        small = {name: max(round(share * size), 2 * self.departments) for name, size in sizes.items()}
        return GradesShape(**small)


FORMULA_GRADES = "grade ~ 1 + (1 | student) + (1 | instructor) + (1 | department)"
HOME_SHARES = np.array([0.50, 0.20, 0.10])
"""Shares of a student's courses in the first, second and third department of the student; the others are anywhere."""


def grades(shape: GradesShape, *, seed: int = 5) -> pd.DataFrame:
    """Return a table of grades: each instructor in one department, departments of unequal size, students mostly in a few of them."""
    rng = np.random.default_rng(seed)
    home_of = np.sort(
        np.concatenate([np.arange(shape.departments), _spread(rng, shape.departments, shape.instructors - shape.departments)])
    )
    popularity = rng.lognormal(sigma=0.8, size=shape.instructors)
    size = np.bincount(home_of, popularity, minlength=shape.departments)
    student = np.concatenate([np.arange(shape.students), rng.integers(0, shape.students, shape.rows - shape.students)])
    homes = rng.choice(shape.departments, size=(shape.students, 3), p=size / size.sum())
    which = rng.choice(4, size=shape.rows, p=[*HOME_SHARES, 1.0 - HOME_SHARES.sum()])
    anywhere = rng.choice(shape.departments, size=shape.rows, p=size / size.sum())
    department = np.where(which < 3, homes[student, np.minimum(which, 2)], anywhere)
    instructor = _instructors(rng, department, home_of, popularity)
    instructor[-shape.instructors :] = np.arange(shape.instructors)  # everyone teaches
    department = home_of[instructor]
    y = shape.intercept + shape.sigma * rng.normal(size=shape.rows)
    for sd, index, count in (
        (shape.sd_student, student, shape.students),
        (shape.sd_instructor, instructor, shape.instructors),
        (shape.sd_department, department, shape.departments),
    ):
        y += sd * rng.normal(size=count)[index]
    return pd.DataFrame({"grade": y, "student": student, "instructor": instructor, "department": department})


def _spread(rng: np.random.Generator, n_departments: int, count: int) -> np.ndarray:
    """Departments of ``count`` instructors, of very unequal size."""
    size = rng.lognormal(sigma=0.9, size=n_departments)
    return rng.choice(n_departments, size=count, p=size / size.sum())


def _instructors(rng: np.random.Generator, department: np.ndarray, home_of: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Draw an instructor of each row's department, in proportion to popularity."""
    ends = np.concatenate([[0.0], np.cumsum(popularity)])
    first, last = np.searchsorted(home_of, department, side="left"), np.searchsorted(home_of, department, side="right")
    at = ends[first] + rng.uniform(size=len(department)) * (ends[last] - ends[first])
    return np.clip(np.searchsorted(ends, at, side="right") - 1, first, last - 1)
