//! `[record]`: where incidents are kept, and how long samples are.

use std::time::Duration;

use super::read::{Problems, Section, Source};
use super::sections::{elsewhere, path};
use super::{Config, Surroundings, duration};

/// Less than this is no room for an hour of one target.
const LEAST: u64 = 1 << 20;

pub(super) fn section(
    mut section: Section<'_>,
    source: &Source,
    around: &Surroundings,
    config: &mut Config,
    p: &mut Problems,
) {
    let state = section.string("state", p);
    config.record.state = path("record.state", state, source, around, config, p);
    if let Some(at) = section.boolean("samples", p) {
        config.set_origin("record.samples", at.origin());
        config.record.samples = at.value;
    }
    if let Some(at) = section.string("samples_size", p) {
        match parse_size(&at.value) {
            Ok(size) => {
                config.set_origin("record.samples_size", at.origin());
                config.record.samples_size = size;
            }
            Err(why) => p.add(&at.place, format!("record.samples_size: {why}")),
        }
    }
    if let Some(at) = section.string("samples_raw", p) {
        match duration::parse(&at.value) {
            Ok(value) if value >= Duration::from_secs(3600) => {
                config.set_origin("record.samples_raw", at.origin());
                config.record.samples_raw = value;
            }
            Ok(_) => p.add(
                &at.place,
                "record.samples_raw must be an hour or more, like \"7d\"",
            ),
            Err(why) => p.add(&at.place, format!("record.samples_raw: {why}")),
        }
    }
    section.finish(elsewhere, p);
}

/// Units, the largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A size as people write it: `512MiB`, `2 GiB`.
///
/// # Errors
/// A sentence with what to write instead.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let size = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor))
        .ok_or("write a whole number and KiB, MiB or GiB, like \"512MiB\"")?;
    match size < LEAST {
        true => Err("must be 1MiB or more".into()),
        false => Ok(size),
    }
}

/// The same in the largest unit that needs no fraction.
pub fn write_size(size: u64) -> String {
    let fits = UNITS
        .iter()
        .find(|(_, factor)| size.is_multiple_of(*factor));
    match fits {
        Some((name, factor)) => format!("{}{name}", size / factor),
        None => format!("{}KiB", size / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, size) in [
            ("512MiB", 512 << 20),
            ("2 gib", 2 << 30),
            (" 4096KiB ", 4 << 20),
        ] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
            assert_eq!(parse_size(&write_size(size)), Ok(size));
        }
        for text in [
            "",
            "512",
            "MiB",
            "1.5GiB",
            "12 MB",
            "99999999999GiB",
            "10KiB",
            "-1GiB",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
