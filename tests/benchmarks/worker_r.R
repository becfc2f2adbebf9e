# One process of R: lme4 or glmmTMB (maximum likelihood) or rstanarm (posterior).  Rscript worker_r.R job.json
suppressPackageStartupMessages(library(jsonlite))
job <- fromJSON(commandArgs(trailingOnly = TRUE)[1])

emit <- function(record) cat("@record ", toJSON(record, auto_unbox = TRUE, digits = NA, null = "null"), "\n", sep = "")
peak_mb <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
seconds <- function(expr) as.numeric(system.time(expr)["elapsed"])

read_table <- function() {
  data <- read.csv(job$sheet, check.names = FALSE, colClasses = NA)
  for (name in names(job$levels)) data[[name]] <- factor(as.character(data[[name]]), levels = job$levels[[name]])
  data
}

family_of <- function() switch(job$family, gaussian = gaussian(), bernoulli = binomial(), binomial = binomial(), poisson = poisson())

fit_lme4 <- function(formula, data) {
  if (job$family == "gaussian") lme4::lmer(formula, data, REML = FALSE) else lme4::glmer(formula, data, family = family_of())
}
fit_tmb <- function(formula, data) glmmTMB::glmmTMB(formula, data, family = family_of())
fit_stan <- function(formula, data) {
  arguments <- list(formula, data = data, chains = job$chains, iter = job$draws + job$tune, warmup = job$tune, seed = job$seed,
                    cores = parallel::detectCores(), refresh = 0)
  if (job$family == "gaussian") do.call(rstanarm::stan_lmer, arguments)
  else do.call(rstanarm::stan_glmer, c(arguments, list(family = family_of())))
}

# fixed effects, SDs, correlations and sigma of a rstanarm fit: iterations x chains x parameters
hyperparameters <- function(fit) {
  every <- as.array(fit)
  names <- dimnames(every)[[3]]
  fixed <- every[, , intersect(names, names(rstanarm::fixef(fit))), drop = FALSE]
  found <- list(fixed)
  labels <- dimnames(fixed)[[3]]
  if ("sigma" %in% names) { found <- c(found, list(every[, , "sigma", drop = FALSE])); labels <- c(labels, "sigma") }
  for (name in grep("^Sigma\\[", names, value = TRUE)) {
    inside <- sub("\\]$", "", sub("^Sigma\\[", "", name))
    group <- sub(":[^:]*$", "", inside)
    pair <- strsplit(sub("^.*:", "", inside), ",", fixed = TRUE)[[1]]
    variance <- function(effect) every[, , sprintf("Sigma[%s:%s,%s]", group, effect, effect), drop = FALSE]
    value <- if (pair[1] == pair[2]) sqrt(variance(pair[1]))
             else every[, , name, drop = FALSE] / sqrt(variance(pair[1]) * variance(pair[2]))
    found <- c(found, list(value))
    labels <- c(labels, paste(if (pair[1] == pair[2]) "sd" else "cor", inside))
  }
  list(values = array(unlist(found), c(dim(every)[1:2], length(labels))), labels = labels)
}

package <- job$tool
imported <- seconds(suppressPackageStartupMessages(library(package, character.only = TRUE)))
data <- read_table()
formula <- as.formula(job$formula)
fitter <- switch(package, lme4 = fit_lme4, glmmTMB = fit_tmb, rstanarm = fit_stan)
fit <- NULL
fit_s <- seconds(fit <- fitter(formula, data))
record <- list(stage = "fit", import_s = imported, fit_s = fit_s, peak_mb = peak_mb(), engine = paste(package, packageVersion(package)))
if (package == "rstanarm") {
  draws <- hyperparameters(fit)
  connection <- file(job$draws_file, "wb")
  writeBin(as.double(draws$values), connection, size = 8)
  close(connection)
  steps <- rstan::get_sampler_params(fit$stanfit, inc_warmup = FALSE)
  record$divergences <- sum(sapply(steps, function(s) sum(s[, "divergent__"])))
  record$labels <- as.list(draws$labels)
  record$shape <- dim(draws$values)
}
emit(record)
