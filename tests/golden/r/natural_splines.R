# Reference values of splines::ns for tests/numerics/test_splines.py. Base R only.
# Regenerate: Rscript tests/golden/r/natural_splines.R > tests/golden/numerics/natural_splines.json
library(splines)

numbers <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")
rows <- function(m) paste0("[", paste(apply(m, 1, numbers), collapse = ", "), "]")

case <- function(name, x, new, ...) {
  basis <- ns(x, ...)
  sprintf('{"name": "%s", "x": %s, "df": %d, "knots": %s, "boundary": %s, "basis": %s, "new": %s, "new_basis": %s}',
          name, numbers(x), ncol(basis), numbers(attr(basis, "knots")), numbers(attr(basis, "Boundary.knots")),
          rows(unclass(basis)), numbers(new), rows(unclass(predict(basis, new))))
}

years <- c(0, 0.5, 1, 1.1, 2, 2, 3, 4.7, 5, 5.25, 7, 8.8, 9, 11, 14.3)
wide <- c(-1e4, -3.2e3, 12, 450, 451, 6.3e3, 2e4, 9e4)
cases <- c(
  case("years, df 1", years, c(0, 3.3, 14.3), df = 1),
  case("years, df 2", years, c(0, 3.3, 14.3), df = 2),
  case("years, df 3", years, c(0, 3.3, 14.3), df = 3),
  case("years, df 5", years, c(0.01, 6, 14.2), df = 5),
  case("wide, df 4", wide, c(-1e4, 0, 1e3, 9e4), df = 4),
  case("years, own knots", years, c(0, 1.5, 13), knots = c(1.5, 6, 10)))
cat(sprintf('{"engine": "%s, splines %s",\n "script": "tests/golden/r/natural_splines.R",\n "cases": [\n%s]}\n',
            R.version.string, packageVersion("splines"), paste(cases, collapse = ",\n")))
