//! The async world: schedules probes, judges, records. Knows nothing of screens.
pub mod recorder;
