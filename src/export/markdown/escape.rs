//! Text from anywhere into Markdown, so that it reads as itself: no HTML, no image, no link, no
//! cell or fence can be opened or closed from within.

use std::fmt::Display;

/// Inline text, also fit for a table cell.
pub(super) fn text(raw: impl Display) -> String {
    let raw = raw.to_string();
    let chars: Vec<char> = raw.chars().collect();
    let mut out = String::with_capacity(raw.len() + 8);
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| chars.get(i)).copied();
        let after = chars.get(i + 1).copied();
        let in_word = |n: Option<char>| n.is_some_and(char::is_alphanumeric);
        let escape = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '$' => true,
            '_' => !(in_word(before) && in_word(after)),
            '&' => after.is_some_and(|a| a.is_ascii_alphanumeric() || a == '#'),
            // These mean something at the beginning of a block only.
            '#' | '-' | '+' | '=' => before.is_none(),
            '.' | ')' => {
                let number = i > 0 && chars[..i].iter().all(char::is_ascii_digit);
                number && after.is_none_or(char::is_whitespace)
            }
            _ => false,
        };
        if escape {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A code span for a table cell. (Outside a table a bar in it would show its backslash.)
pub(super) fn code(raw: impl Display) -> String {
    let raw = raw.to_string();
    let raw = raw.trim();
    if raw.is_empty() {
        return "—".into();
    }
    let ticks = "`".repeat(longest_run(raw) + 1);
    let pad = match raw.starts_with('`') || raw.ends_with('`') {
        true => " ",
        false => "",
    };
    // Inside a table even code must not hold a bare bar.
    format!("{ticks}{pad}{}{pad}{ticks}", raw.replace('|', "\\|"))
}

/// A fenced block; its fence is longer than any run of backticks inside.
pub(super) fn fence<T: Display>(language: &str, lines: impl IntoIterator<Item = T>) -> String {
    let lines: Vec<String> = lines.into_iter().map(|l| l.to_string()).collect();
    let longest = lines.iter().map(|l| longest_run(l)).max().unwrap_or(0);
    let ticks = "`".repeat(longest.max(2) + 1);
    let mut out = format!("{ticks}{language}\n");
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str(&ticks);
    out.push('\n');
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A table; cells have to be escaped already.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!(
        "| {} |\n|{}\n",
        head.join(" | "),
        " --- |".repeat(head.len())
    );
    for row in rows {
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::SafeText;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    /// What a reader of the rendered text sees; any markup is an error.
    fn rendered(markdown: &str) -> Result<String, String> {
        let mut out = String::new();
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_MATH
            | Options::ENABLE_GFM;
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::TableCell)
                | Event::End(
                    TagEnd::Table | TagEnd::TableHead | TagEnd::TableRow | TagEnd::TableCell,
                ) => {}
                Event::Text(t) | Event::Code(t) => out.push_str(&t),
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
                other => return Err(format!("{other:?} in {markdown:?}")),
            }
        }
        Ok(out)
    }

    #[test]
    fn hostile_text_reads_as_itself() {
        for raw in [
            "</script><img src=x onerror=alert(1)>",
            "![](http://e.example/x)",
            "[click](javascript:alert(1))",
            "| pipe | and \\| more",
            "``` fence",
            "`````five",
            "# heading",
            "- item",
            "1. item",
            "12) item",
            "=====",
            "*a* _b_ __c__ ~~d~~ a_b_c",
            "&lt;b&gt; &#60; a & b",
            "$x$ $$y$$",
            "<https://e.example/>",
            "a \\e[31m b",
            "snake_case_name",
        ] {
            assert_eq!(rendered(&text(raw)).unwrap(), raw);
        }
        // The control: without the gate these are markup.
        assert!(rendered("![](http://e.example/x)").is_err());
        assert!(rendered("<img src=x>").is_err());
    }

    #[test]
    fn fences_can_not_be_left() {
        let block = fence("text", ["a", "```", "`````", "</pre>"]);
        assert!(block.starts_with("``````text\n"));
        let parsed: Vec<_> = Parser::new(&block).collect();
        assert_eq!(
            parsed
                .iter()
                .filter(|e| matches!(e, Event::Start(_)))
                .count(),
            1
        );
    }

    proptest! {
        #[test]
        fn any_text_reads_as_itself(raw in "[ -~äß日]{1,40}|[`|\\\\*_<>&\\[\\]!()#+.0-9=~$-]{1,20}") {
            let safe = SafeText::new(raw.trim());
            let shown = rendered(&text(&safe));
            prop_assert_eq!(shown, Ok(safe.as_str().to_owned()));
            let shown = rendered(&table(&["h"], &[vec![text(&safe)]]));
            prop_assert_eq!(shown, Ok(format!("h{safe}")));
        }

        #[test]
        fn any_code_stays_in_its_span(raw in "[`a|\\\\ ]{1,20}") {
            let safe = raw.trim().to_owned();
            prop_assume!(!safe.is_empty());
            let shown = rendered(&table(&["h"], &[vec![code(&safe)]]));
            prop_assert_eq!(shown, Ok(format!("h{safe}")));
        }
    }
}
