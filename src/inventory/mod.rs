//! Where targets and devices come from.
