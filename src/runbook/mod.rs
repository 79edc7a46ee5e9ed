//! Markdown becomes steps, and confirmed commands run.
