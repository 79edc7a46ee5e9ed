//! The incident folder: hash-chained event files. Reads and writes only; the fold is in `model`.
