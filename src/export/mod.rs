//! A folded incident becomes a document.
