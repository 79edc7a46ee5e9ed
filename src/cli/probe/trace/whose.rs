//! Whose a hop is, in the room that a line of a report leaves.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::origin::Origin;

/// Columns of a report for a ticket or a mail.
pub const COLUMNS: usize = 80;
/// Further lines about a hop begin here.
pub const INDENT: usize = 7;
/// With less room than this a line of its own is better than a name cut to pieces.
const LEAST: usize = 24;

/// `core1.example.net [AS64500 EXAMPLE] Berlin, DE`, as far as it is known.
pub fn whole(origin: &Origin) -> String {
    join(origin, true, true)
}

/// Puts the owner behind a row where there is room for it, else on a line of its own below.
/// `columns` is the width of the report.
pub fn beside(row: String, origin: &Origin, columns: usize) -> Vec<String> {
    let left = columns.saturating_sub(row.width() + 2);
    if origin.is_empty() {
        return vec![row];
    }
    if left < LEAST && shortened(origin, left).is_none() {
        return vec![row, below(origin, columns)];
    }
    vec![format!("{row}  {}", fitted(origin, left))]
}

/// A line of its own.
pub fn below(origin: &Origin, columns: usize) -> String {
    let room = columns.saturating_sub(INDENT).max(LEAST);
    format!("{:INDENT$}{}", "", fitted(origin, room))
}

/// What fits: the place is given up first, then the system's name, then the end of the host's
/// name. The system's number stays: it is short and says whom to call.
fn fitted(origin: &Origin, room: usize) -> String {
    if let Some(text) = shortened(origin, room) {
        return text;
    }
    let Some(name) = &origin.name else {
        return cut(&join(origin, true, origin.asn.is_none()), room);
    };
    let number = origin
        .asn
        .as_ref()
        .map_or(String::new(), |a| format!(" [AS{}]", a.number));
    let room = room.saturating_sub(number.width());
    format!("{}{number}", cut(name.as_str(), room))
}

/// The longest form without a cut name that fits.
fn shortened(origin: &Origin, room: usize) -> Option<String> {
    let known = origin.name.is_some() || origin.asn.is_some();
    let forms = [
        (true, true, true),
        (known, true, false),
        (origin.asn.is_some(), false, false),
    ];
    let mut forms = forms.into_iter().filter(|f| f.0);
    forms.find_map(|(_, system, place)| {
        let text = join(origin, system, place);
        (text.width() <= room).then_some(text)
    })
}

fn join(origin: &Origin, system: bool, place: bool) -> String {
    let asn = origin.asn.as_ref().map(|a| match system {
        true => format!("[{a}]"),
        false => format!("[AS{}]", a.number),
    });
    let place = origin.place.as_ref().filter(|_| place);
    let parts = [
        origin.name.as_ref().map(ToString::to_string),
        asn,
        place.map(ToString::to_string),
    ];
    let known: Vec<String> = parts.into_iter().flatten().collect();
    known.join(" ")
}

/// The beginning of a text, with dots for the rest.
fn cut(text: &str, room: usize) -> String {
    const DOTS: &str = "...";
    if text.width() <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(DOTS.len());
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}{DOTS}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::{Asn, GeoPlace};

    fn origin(name: Option<&str>, asn: Option<&str>, city: Option<&str>) -> Origin {
        Origin {
            name: name.map(Into::into),
            asn: asn.map(|name| Asn {
                number: 64_500,
                prefix: None,
                name: Some(name.into()),
            }),
            place: city.map(|city| GeoPlace {
                country: Some("DE".into()),
                city: Some(city.into()),
            }),
        }
    }

    /// A row of so many columns.
    fn behind(columns: usize, origin: &Origin) -> Vec<String> {
        beside("#".repeat(columns), origin, COLUMNS)
    }

    #[test]
    fn what_matters_least_is_given_up_first() {
        let all = origin(Some("r1.example.net"), Some("EXAMPLE"), Some("Berlin"));
        assert_eq!(whole(&all), "r1.example.net [AS64500 EXAMPLE] Berlin, DE");
        let shown = |columns| {
            let lines = behind(columns, &all);
            assert_eq!(lines.len(), 1, "{lines:?}");
            lines[0].trim_start_matches('#').trim().to_owned()
        };
        assert_eq!(shown(35), "r1.example.net [AS64500 EXAMPLE] Berlin, DE");
        assert_eq!(shown(36), "r1.example.net [AS64500 EXAMPLE]");
        assert_eq!(shown(47), "r1.example.net [AS64500]");
        // No room: a line of its own has more of it.
        assert_eq!(
            behind(55, &all)[1],
            "       r1.example.net [AS64500 EXAMPLE] Berlin, DE"
        );
        assert_eq!(behind(55, &Origin::default()).len(), 1);
        // Alone, each stands as it is.
        assert_eq!(
            whole(&origin(None, Some("EXAMPLE"), None)),
            "[AS64500 EXAMPLE]"
        );
        assert_eq!(whole(&origin(None, None, Some("Berlin"))), "Berlin, DE");
    }

    #[test]
    fn no_line_is_wider_than_the_report_and_the_number_stays() {
        let long = "ae-12.r21.frnkge13.de.bb.gin.example.net".repeat(4);
        let wide = "日本".repeat(40);
        for name in [None, Some("r1.example.net"), Some(&long), Some(&wide)] {
            for asn in [None, Some("EXAMPLE"), Some(long.as_str())] {
                for city in [None, Some("Berlin"), Some(wide.as_str())] {
                    let origin = origin(name, asn, city);
                    for row in 0..=COLUMNS {
                        let lines = behind(row, &origin);
                        for line in &lines {
                            assert!(line.width() <= COLUMNS, "{row}: {line}");
                        }
                        let number = lines.concat().contains("AS64500");
                        assert_eq!(number, asn.is_some(), "{row}: {lines:?}");
                    }
                }
            }
        }
    }
}
