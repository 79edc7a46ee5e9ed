//! Placeholders: `<LIKE_THIS>`, `{{like_this}}` and unset `$LIKE_THIS`.
//!
//! A value never becomes part of a command's text. A placeholder becomes a reference to an
//! environment variable, set according to the quoting it stands in; where a shell or another
//! interpreter would read the value as code, the block is refused with the reason.

use std::collections::BTreeSet;

use super::programs::{self, Interpreter};
use super::shell::{self, Context, Hole, Script, Simple};

/// Longest name between the brackets.
const MAX_NAME: usize = 64;

/// A placeholder in a piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Canonical name: lower-case, underscores.
    pub name: String,
}

/// The environment variable that carries a parameter.
pub fn variable(name: &str) -> String {
    format!("RB_{}", name.to_ascii_uppercase())
}

/// Lower-case with underscores: `pod name` and `POD-NAME` are both `pod_name`.
pub fn canonical(raw: &str) -> String {
    let mut name = String::with_capacity(raw.len());
    for c in raw.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let end = name.trim_end_matches('_').len();
    name.truncate(end);
    name
}

/// Finds `<…>` and `{{…}}` that read as placeholders, in ascending order.
pub fn bracketed(text: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&c) = bytes.get(at) {
        let hit = match c {
            b'<' => angle(text, at),
            b'{' if bytes.get(at + 1) == Some(&b'{') => braces(text, at),
            _ => None,
        };
        match hit {
            Some(p) => {
                at = p.end;
                found.push(p);
            }
            None => at += 1,
        }
    }
    found
}

fn angle(text: &str, start: usize) -> Option<Placeholder> {
    let before = text.get(..start)?.chars().next_back();
    if matches!(before, Some('<' | '?' | '\\')) {
        return None;
    }
    let rest = text.get(start + 1..)?;
    let head = rest
        .char_indices()
        .nth(MAX_NAME)
        .map_or(rest, |(i, _)| rest.get(..i).unwrap_or(rest));
    let inner = head.get(..head.find('>')?)?;
    let sound = inner.starts_with(|c: char| c.is_ascii_alphabetic())
        && inner.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && inner
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " _.:/-".contains(c));
    // `<b>…</b>` is markup, not a gap to fill.
    if !sound || text.contains(&format!("</{inner}>")) {
        return None;
    }
    let name = canonical(inner);
    (!name.is_empty()).then_some(Placeholder {
        start,
        end: start + inner.len() + 2,
        name,
    })
}

fn braces(text: &str, start: usize) -> Option<Placeholder> {
    let rest = text.get(start + 2..)?;
    let head = rest
        .char_indices()
        .nth(MAX_NAME)
        .map_or(rest, |(i, _)| rest.get(..i).unwrap_or(rest));
    let inner = head.get(..head.find("}}")?)?;
    let name = inner.trim();
    let template = [
        "range", "end", "else", "if", "with", "define", "template", "block", "break", "continue",
    ];
    if !shell::is_name(name) || template.contains(&name) {
        return None;
    }
    Some(Placeholder {
        start,
        end: start + inner.len() + 4,
        name: canonical(name),
    })
}

/// Shell text with its placeholders replaced by references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The text to run.
    pub script: String,
    /// Canonical names, in order of appearance.
    pub names: Vec<String>,
    /// The text as it was read, placeholders being values to come.
    pub shell: Script,
}

/// Reads `text` as shell and turns its placeholders into references; the error says why not.
pub fn resolve(text: &str) -> Result<Resolved, String> {
    let marks = literal_words_aside(text, bracketed(text));
    let holes: Vec<Hole> = marks
        .iter()
        .map(|p| Hole {
            start: p.start,
            end: p.end,
        })
        .collect();
    let script = shell::read(text, &holes).map_err(|t| trouble(&t))?;
    let mut edits: Vec<Placeholder> = Vec::new();
    for mark in marks {
        match script.contexts.get(mark.start) {
            Some(Context::Comment) | None => {}
            Some(&context) => {
                check_context(context, text.get(mark.start..mark.end).unwrap_or_default())?;
                edits.push(mark);
            }
        }
    }
    edits.extend(unset(text, &script)?);
    edits.sort_by_key(|p| p.start);
    refuse_templates(text, &edits, &script)?;
    if !edits.is_empty() {
        script.commands.iter().try_for_each(refuse_interpreters)?;
    }
    let (text, names) = rewrite(text, &edits, &script);
    Ok(Resolved {
        script: text,
        names,
        shell: script,
    })
}

fn trouble(t: &shell::Trouble) -> String {
    match t {
        shell::Trouble::Unfinished(why) => format!("it is not complete: {why}"),
        shell::Trouble::NotShell(why) => format!("it does not read as shell: {why}"),
    }
}

/// `"<none>"` in quotes is what kubectl and docker print, not a gap.
fn literal_words_aside(text: &str, found: Vec<Placeholder>) -> Vec<Placeholder> {
    let quoted = |p: &Placeholder| {
        let before = text.get(..p.start).and_then(|t| t.chars().next_back());
        matches!(before, Some('"' | '\''))
    };
    let printed = [
        "none", "unknown", "pending", "nil", "invalid", "error", "missing", "unset",
    ];
    found
        .into_iter()
        .filter(|p| !(quoted(p) && printed.contains(&p.name.as_str())))
        .collect()
}

fn check_context(context: Context, shown: &str) -> Result<(), String> {
    let place = match context {
        Context::Plain | Context::Double | Context::Here | Context::Comment => return Ok(()),
        Context::Single => "single quotes",
        Context::HereQuoted => "a quoted here-document",
        Context::Backtick => "backquotes",
        Context::Arithmetic => "an arithmetic expression",
        Context::Brace => "a `${…}`",
    };
    Err(format!(
        "{shown} stands in {place}, where a value can't be handed over safely"
    ))
}

/// References to variables that nothing sets.
fn unset(text: &str, script: &Script) -> Result<Vec<Placeholder>, String> {
    let mut found = Vec::new();
    for r in &script.references {
        let shown = text.get(r.start..r.end).unwrap_or_default();
        if r.name.is_empty() {
            let argument = r
                .operator
                .starts_with(|c: char| c.is_ascii_digit() || "@*".contains(c));
            if argument && r.operator != "0" && !script.has_function {
                return Err(format!(
                    "{shown} is an argument of a script, and there is none here"
                ));
            }
            continue;
        }
        if script.assigned.contains(&r.name) || programs::is_standard_variable(&r.name) {
            continue;
        }
        let upper = r.name.bytes().all(|b| !b.is_ascii_lowercase())
            && r.name.bytes().any(|b| b.is_ascii_uppercase());
        let default = r.operator.starts_with([':', '-', '=', '+']) && !r.operator.starts_with(":?");
        let bare =
            r.operator.is_empty() || r.operator.starts_with(":?") || r.operator.starts_with('?');
        match (upper, bare) {
            (true, true) => {
                check_context(r.context, shown)?;
                found.push(Placeholder {
                    start: r.start,
                    end: r.end,
                    name: canonical(&r.name),
                });
            }
            (true, false) if default => {}
            (false, false) if default => {
                return Err(format!(
                    "{shown} looks like a placeholder, but a shell would use its default"
                ));
            }
            _ => return Err(format!("{shown} is used but nothing here sets it")),
        }
    }
    Ok(found)
}

/// `{{ … }}` that is no placeholder of ours is a template of something else, unless quoting
/// keeps it from the shell (`--format '{{.State}}'`).
fn refuse_templates(text: &str, edits: &[Placeholder], script: &Script) -> Result<(), String> {
    for (at, _) in text.match_indices("{{") {
        let ours = edits.iter().any(|p| p.start <= at && at < p.end);
        let quoted = !matches!(script.contexts.get(at), Some(Context::Plain));
        if !ours && !quoted {
            return Err("it holds a `{{…}}` of another template language".into());
        }
    }
    Ok(())
}

/// Values must not reach a command that reads its arguments or its input as code.
fn refuse_interpreters(simple: &Simple) -> Result<(), String> {
    let words = simple.call();
    let code = |name: &str| format!("a value would be read as code by `{name}`");
    if words.first().is_some_and(|w| w.is_dynamic()) {
        return Err("what is to run is itself known only later".into());
    }
    let wrapped = words.first().is_some_and(|w| programs::is_wrapper(&w.text));
    let mut handed_on = wrapped;
    for (i, word) in words.iter().enumerate() {
        let name = programs::base_name(&word.text);
        handed_on |= matches!(name, "--" | "-exec" | "-execdir" | "-ok");
        if i > 0 && !handed_on && !programs::is_shell(name) {
            continue;
        }
        let Some(kind) = programs::interpreter(name) else {
            continue;
        };
        let rest = words.get(i + 1..).unwrap_or_default();
        let here = simple.redirects.iter().any(|r| r.op.starts_with("<<"));
        let fed = here || simple.piped || simple.redirects.iter().any(|r| r.op == "<");
        let dynamic = rest.iter().any(shell::Word::is_dynamic);
        let bad = match kind {
            Interpreter::Shell => fed || dynamic,
            Interpreter::Client => fed || dynamic,
            Interpreter::Program => dynamic || here || fed && rest.iter().all(|w| w.text == "-"),
            Interpreter::Remote => fed || beyond_destination(rest),
        };
        if bad {
            return Err(code(name));
        }
    }
    Ok(())
}

/// For `ssh`: true if something known only later stands anywhere but in the destination.
fn beyond_destination(rest: &[shell::Word]) -> bool {
    let takes_value = "BbcDEeFIiJLlmOopQRSWw";
    let mut i = 0;
    while let Some(word) = rest.get(i) {
        let Some(flags) = word.text.strip_prefix('-') else {
            break;
        };
        if word.is_dynamic() {
            return true;
        }
        if flags.len() == 1 && takes_value.contains(flags) {
            i += 1;
            if rest.get(i).is_some_and(shell::Word::is_dynamic) {
                return true;
            }
        }
        i += 1;
    }
    rest.get(i + 1..)
        .unwrap_or_default()
        .iter()
        .any(shell::Word::is_dynamic)
}

fn rewrite(text: &str, edits: &[Placeholder], script: &Script) -> (String, Vec<String>) {
    let mut out = String::with_capacity(text.len() + edits.len() * 8);
    let mut names: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.start).unwrap_or_default());
        let name = variable(&edit.name);
        let plain = script.contexts.get(edit.start) == Some(&Context::Plain);
        let next = text.get(edit.end..).and_then(|t| t.chars().next());
        let joins = next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '[');
        match (plain, joins) {
            (true, _) => out.push_str(&format!("\"${name}\"")),
            (false, false) => out.push_str(&format!("${name}")),
            (false, true) => out.push_str(&format!("${{{name}}}")),
        }
        if seen.insert(edit.name.clone()) {
            names.push(edit.name.clone());
        }
        at = edit.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> String {
        resolve(text).unwrap().script
    }

    #[test]
    fn a_placeholder_becomes_a_reference_by_its_quoting() {
        assert_eq!(script("ping -c 3 <TARGET>"), "ping -c 3 \"$RB_TARGET\"");
        assert_eq!(
            script("curl \"http://<TARGET>/x\""),
            "curl \"http://$RB_TARGET/x\""
        );
        assert_eq!(script("echo \"{{a}}b\""), "echo \"${RB_A}b\"");
        assert_eq!(script("ping $TARGET"), "ping \"$RB_TARGET\"");
        assert_eq!(script("ping \"${TARGET}\""), "ping \"$RB_TARGET\"");
        assert_eq!(script("cat <<E\n<NAME>\nE"), "cat <<E\n$RB_NAME\nE");
        assert_eq!(
            script("echo \"$(dig <NAME>)\""),
            "echo \"$(dig \"$RB_NAME\")\""
        );
        assert_eq!(script("X=1; echo $X $HOME"), "X=1; echo $X $HOME");
        assert_eq!(
            script("grep <instance label from the alert> f"),
            "grep \"$RB_INSTANCE_LABEL_FROM_THE_ALERT\" f"
        );
        assert_eq!(
            script("docker inspect -f '{{.State}}' x"),
            "docker inspect -f '{{.State}}' x"
        );
        assert_eq!(
            script("awk '{print $NF}' < in.txt > out.txt"),
            "awk '{print $NF}' < in.txt > out.txt"
        );
        assert_eq!(
            script("docker images | grep \"<none>\""),
            "docker images | grep \"<none>\""
        );
    }

    #[test]
    fn where_a_value_would_be_code_it_is_refused() {
        for text in [
            "echo '<TARGET>'",
            "cat <<'E'\n<TARGET>\nE",
            "echo `dig <TARGET>`",
            "echo $((<N> + 1))",
            "echo $((N + $COUNT))",
            "echo ${X:-<TARGET>}",
            "sh -c \"ping <TARGET>\"",
            "sudo bash -c \"ping $TARGET\"",
            "X=<T>; eval \"ping $X\"",
            "echo <T> | sh",
            "bash <<E\nping <T>\nE",
            "ssh host ping <T>",
            "ssh -o ProxyCommand=<X> host uptime",
            "echo <T> | xargs sh -c",
            "watch ping <T>",
            "mysql -e \"select <T>\"",
            "awk \"/<T>/\" f",
            "<COMMAND> --force",
        ] {
            assert!(
                resolve(text).is_err(),
                "{text} → {:?}",
                resolve(text).map(|r| r.script)
            );
        }
        assert!(resolve("ssh <HOST> uptime").is_ok());
        assert!(resolve("kubectl logs <POD> | awk '{print $1}'").is_ok());
    }

    #[test]
    fn what_nothing_sets_is_refused() {
        for text in [
            "echo ${top-user}",
            "echo {{range .x}}",
            "rm -rf $dir/",
            "echo $1",
            "echo $k",
        ] {
            assert!(resolve(text).is_err(), "{text}");
        }
        assert!(resolve("for i in 1 2; do echo $i; done").is_ok());
        assert!(resolve("f() { echo $1; }\nf x").is_ok());
        assert!(resolve("echo ${NAMESPACE:-default}").is_ok());
    }
}
