//! The known word that a mistyped one was probably meant to be.

/// The nearest of `known`, if it is near enough to suggest: at most a third of the letters
/// differ, and never more than three.
pub fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed: Vec<char> = typed
        .chars()
        .take(64)
        .flat_map(char::to_lowercase)
        .collect();
    let best = known
        .iter()
        .map(|k| (distance(&typed, &k.chars().collect::<Vec<_>>()), *k))
        .min()?;
    let limit = (typed.len().max(best.1.len()) / 3).clamp(1, 3);
    (best.0 <= limit).then_some(best.1)
}

/// Edits from one word to the other, where swapping two neighbours counts as one edit
/// (restricted Damerau–Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut d = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                d = d.min(before[j - 1] + 1);
            }
            row.push(d);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["targets", "target", "control", "device", "display"];
        assert_eq!(nearest("targts", &known), Some("targets"));
        assert_eq!(nearest("Targets", &known), Some("targets"));
        assert_eq!(nearest("dispaly", &known), Some("display"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
