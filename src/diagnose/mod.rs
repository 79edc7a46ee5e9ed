//! Pure rules: a window of observations and thresholds become findings.
