//! What packets look like: `--size`, `--tos`, `--dscp`, `--pattern`, `--fragment`.

use clap::Args;

use super::tos;
use crate::cli::CliError;
use crate::model::text::SafeText;
use crate::net::packet::{Fill, TOKEN, overhead};
use crate::probe::ping::Shape;

/// Options of the packets.
#[derive(Clone, Debug, Default, Args)]
pub struct ShapeArgs {
    /// Size of the whole IP packet in bytes
    #[arg(short, long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub size: Option<u32>,
    /// Each packet of another size between these two, by chance, like 64..1400
    #[arg(long, value_name = "MIN..MAX", value_parser = sizes, conflicts_with = "size")]
    pub random_size: Option<(u32, u32)>,
    /// Differentiated services code point: 0-63, ef, va, le, cs0-cs7, af11-af43
    #[arg(long, value_name = "DSCP", value_parser = tos::dscp, conflicts_with = "tos")]
    pub dscp: Option<u8>,
    /// Type of service or traffic class, the whole byte: 0-255 or 0x00-0xff
    #[arg(long, value_name = "BYTE", value_parser = tos::tos)]
    pub tos: Option<u8>,
    /// What the payload is filled with: up to 16 bytes in hexadecimal
    #[arg(short, long, value_name = "HEX")]
    pub pattern: Option<String>,
    /// Let too large packets be cut up instead of setting Don't Fragment
    #[arg(long)]
    pub fragment: bool,
}

impl ShapeArgs {
    /// The packets that were asked for.
    ///
    /// # Errors
    /// Usage.
    pub fn shape(&self, v6: bool) -> Result<Shape, CliError> {
        let least = (overhead(v6) + TOKEN) as u32;
        let (size, up_to) = match self.random_size {
            Some((least, most)) => (Some(least), Some(most)),
            None => (self.size, None),
        };
        if let Some(size) = size.filter(|s| *s < least) {
            return Err(CliError::usage(format!(
                "a packet of {size} bytes has no room for headers and the {TOKEN} bytes by which \
                 an answer is recognised; the least is {least}"
            )));
        }
        let fill = self.pattern.as_deref().map(pattern).transpose()?;
        Ok(Shape {
            size,
            up_to,
            tos: self.tos.or(self.dscp.map(|d| d << 2)),
            fill: fill.unwrap_or(Fill::USUAL),
            fragment: self.fragment,
        })
    }
}

/// `64..1400`
fn sizes(text: &str) -> Result<(u32, u32), String> {
    let (least, most) = text.split_once("..").unwrap_or(("", ""));
    let one = |t: &str| t.trim().parse::<u32>().ok();
    match (one(least), one(most)) {
        (Some(least), Some(most)) if (1..=most).contains(&least) && most <= 65_535 => {
            Ok((least, most))
        }
        _ => Err(
            "write two sizes in bytes, the smaller one first, 65535 at most, like 64..1400".into(),
        ),
    }
}

fn pattern(text: &str) -> Result<Fill, CliError> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let bytes: Option<Vec<u8>> = digits.filter(|d| d.len() % 2 == 0).map(|digits| {
        let pairs = digits.chunks(2);
        pairs
            .map(|p| p.iter().fold(0u8, |byte, digit| (byte << 4) | digit))
            .collect()
    });
    bytes.and_then(|b| Fill::new(&b)).ok_or_else(|| {
        CliError::usage(format!(
            "--pattern takes 1 to 16 bytes in hexadecimal, like ff or 00ff, not '{}'",
            SafeText::capped(text, 40)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let args = |size, pattern: Option<&str>| ShapeArgs {
            size,
            pattern: pattern.map(Into::into),
            dscp: Some(46),
            ..ShapeArgs::default()
        };
        let shape = args(Some(1400), Some("00ff")).shape(false).ok();
        assert_eq!(
            shape.map(|s| (s.size, s.tos)),
            Some((Some(1400), Some(0xb8)))
        );
        assert!(args(Some(39), None).shape(false).is_err(), "no room");
        assert!(args(Some(40), None).shape(false).is_ok());
        assert!(args(Some(40), None).shape(true).is_err());
        let random = |text| ShapeArgs {
            random_size: sizes(text).ok(),
            ..ShapeArgs::default()
        };
        let shape = random("64..1400").shape(true).ok();
        assert_eq!(
            shape.map(|s| (s.size, s.up_to)),
            Some((Some(64), Some(1400)))
        );
        assert!(random("39..1400").shape(false).is_err(), "no room");
        for wrong in [
            "",
            "64",
            "64..",
            "..64",
            "1400..64",
            "0..9",
            "64..65536",
            "-1..9",
            "a..b",
        ] {
            assert!(sizes(wrong).is_err(), "{wrong}");
        }
        for wrong in ["f", "gg", "", &"00".repeat(17)] {
            assert!(args(None, Some(wrong)).shape(false).is_err(), "{wrong}");
        }
    }
}
