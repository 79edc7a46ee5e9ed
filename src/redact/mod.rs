//! Secrets are masked before the first byte reaches a disk. Pure.
