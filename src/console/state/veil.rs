//! Privacy by TTL: the first hops are nobody's business who looks over a shared screen.
//!
//! Every line is masked on its way to the screen, wherever its words come from: panes, findings,
//! the timeline, the output of commands. The record keeps them as they are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::app::App;
use super::doc::{CUT, Line, Piece};
use crate::model::text::SafeText;

/// Hops that are hidden where nobody said how many.
const USUAL: u8 = 3;
/// A cut word is masked from so many characters on; fewer tell nothing.
const TELLING: usize = 5;

/// Words to mask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Veil {
    words: BTreeSet<String>,
}

impl App {
    /// What is masked now, if anything is.
    pub fn veil(&self) -> Option<Veil> {
        if !self.hidden {
            return None;
        }
        let mut addresses = BTreeSet::new();
        for t in self.window.targets.values() {
            for flow in t.paths.values().flat_map(|p| p.flows()) {
                let near = flow.1.hops().take_while(|(ttl, _)| *ttl <= self.hide_hops);
                addresses.extend(near.flat_map(|(_, h)| h.addresses.iter().map(|(a, _)| *a)));
            }
        }
        addresses.extend(self.found_near());
        if let Some(local) = &self.window.local {
            // This host is hop 0, its gateway hop 1, and its neighbours are as near.
            let local = &local.value;
            let own = local.interfaces.iter().filter(|i| !i.loopback);
            addresses.extend(own.flat_map(|i| i.addresses.iter().map(|(a, _)| *a)));
            addresses.extend(local.default_routes.iter().filter_map(|r| r.gateway));
            addresses.extend(local.neighbours.iter().map(|n| n.addr));
        }
        // What somebody asked about may be seen.
        let known = self.window.targets.values().flat_map(|t| t.addresses());
        for addr in known {
            addresses.remove(addr);
        }
        let names = addresses
            .iter()
            .filter_map(|a| self.origins.get(a)?.name.as_ref());
        let names = names.map(|n| n.as_str().to_lowercase());
        let words = addresses.iter().map(IpAddr::to_string).chain(names);
        Some(Veil {
            words: words.collect(),
        })
    }

    /// Addresses that findings place at the hops to hide: earlier sessions saw them.
    fn found_near(&self) -> impl Iterator<Item = IpAddr> {
        let ended = self.incident.lapsed.iter().map(|l| &l.finding);
        let all = self.verdicts.findings.iter();
        let all = all.chain(self.incident.open.values());
        let all = all.chain(&self.incident.cleared).chain(ended);
        let near = |hop: Option<u8>| hop.is_some_and(|hop| hop <= self.hide_hops);
        all.flat_map(move |f| {
            let place = &f.location;
            let first = place.address.filter(|_| near(place.hop));
            let second = place.to_address.filter(|_| near(place.to_hop));
            [first, second].into_iter().flatten()
        })
    }

    /// Hides the first hops, or shows them.
    pub(super) fn hide(&mut self) {
        self.hidden = !self.hidden;
        let n = self.hide_hops;
        if !self.hidden {
            self.say(format!("{} shown again", self.hidden_hops()), false);
            return;
        }
        if n == 0 {
            self.hide_hops = USUAL;
        }
        let hops = self.hidden_hops();
        self.say(
            format!(
                "this host and {hops} masked on this screen, not in the record; --hide-hops says \
                 how many"
            ),
            false,
        );
    }

    /// `hop 1 is`, `hops 1 to 3 are`.
    pub(crate) fn hidden_hops(&self) -> String {
        match self.hide_hops {
            1 => "hop 1 is".to_owned(),
            n => format!("hops 1 to {n} are"),
        }
    }
}

impl Veil {
    /// The line with masked words, as wide as before.
    pub fn line(&self, line: &Line) -> Line {
        let text: String = line.pieces.iter().map(|p| p.text.as_str()).collect();
        let masked = self.places(&text);
        if masked.is_empty() {
            return line.clone();
        }
        let mut out = Line::new().selected(line.selected);
        let mut from = 0;
        for piece in &line.pieces {
            let mut words = String::with_capacity(piece.text.as_str().len());
            for (at, c) in piece.text.as_str().char_indices() {
                let hidden = masked.iter().any(|(a, b)| (*a..*b).contains(&(from + at)));
                words.push(if hidden { '*' } else { c });
            }
            from += piece.text.as_str().len();
            out.pieces.push(Piece {
                text: SafeText::capped(&words, usize::MAX),
                role: piece.role,
            });
        }
        out
    }

    /// Where words to mask stand, from and to in bytes. Words of addresses and names are ASCII.
    fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if len == 0 {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let word = &rest[..len];
            if let Some(masked) = self.masked(word, &text[..at], &rest[len..]) {
                found.push((at, at + masked));
            }
            at += len;
        }
        found
    }

    /// How many bytes of a word are to be masked, given what stands before and after it.
    fn masked(&self, word: &str, before: &str, after: &str) -> Option<usize> {
        let bare = word.trim_end_matches(['.', ':', '-']);
        let lower = bare.to_lowercase();
        let known = |w: &str| self.words.contains(w);
        if known(&lower) {
            return Some(bare.len());
        }
        // With a port.
        if let Some((host, _)) = lower.rsplit_once(':')
            && known(host)
        {
            return Some(host.len());
        }
        // Cut, or broken at the edge of the text: better too much than a tail that tells.
        let whole = word.to_lowercase();
        if whole.len() < TELLING || !whole.contains(['.', ':']) {
            return None;
        }
        let nothing = |s: &str| s.chars().all(|c| c == ' ' || c == '│' || c == '|');
        let ends = after.starts_with(CUT) || nothing(after);
        let begins = nothing(before);
        let part = |w: &String| {
            ends && w.starts_with(&whole) || begins && w.ends_with(&whole) && whole.len() < w.len()
        };
        self.words.iter().any(part).then_some(word.len())
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::state::doc::Role;

    fn veil(words: &[&str]) -> Veil {
        Veil {
            words: words.iter().map(|w| (*w).to_owned()).collect(),
        }
    }

    fn shown(words: &[&str], text: &str) -> String {
        let line = veil(words).line(&Line::plain(text));
        assert_eq!(line.width(), Line::plain(text).width());
        line.words().to_string()
    }

    #[test]
    fn addresses_are_masked_wherever_they_stand_and_no_others() {
        let hidden = &["10.0.0.1", "fd00::1", "gw.example.net"];
        for (text, want) in [
            ("after hop 1 (10.0.0.1).", "after hop 1 (********)."),
            (
                "10.0.0.1:443 and [fd00::1]:443",
                "********:443 and [*******]:443",
            ),
            (
                "10.0.0.1/24, 10.0.0.11, 110.0.0.1",
                "********/24, 10.0.0.11, 110.0.0.1",
            ),
            ("GW.Example.NET.", "**************."),
            ("http://10.0.0.1:80/x", "http://********:80/x"),
            ("10.0.0…", "******…"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(shown(hidden, text), want);
        }
    }

    #[test]
    fn halves_of_a_broken_word_are_masked_too() {
        let hidden = &["2001:db8:0:ff00::1234"];
        assert_eq!(
            shown(hidden, "│ by 2001:db8:0:ff │"),
            "│ by ************* │"
        );
        assert_eq!(shown(hidden, "│ 00::1234 says │"), "│ ******** says │");
    }

    #[test]
    fn a_word_over_several_pieces_is_one_word() {
        let line = Line::plain("10.0.").with(Role::Muted, "0.1 x");
        let line = veil(&["10.0.0.1"]).line(&line);
        assert_eq!(line.words().as_str(), "******** x");
        assert_eq!(line.pieces[1].role, Role::Muted);
    }
}
