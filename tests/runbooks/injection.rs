//! A value never becomes code: a canary file is the witness.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use warroom::model::runbook::{CommandText, check_value};
use warroom::runbook::{execute, parse};

/// Values that create the file CANARY if any shell reads them as code.
const HOSTILE: &[&str] = &[
    "$(touch CANARY)",
    "`touch CANARY`",
    "; touch CANARY",
    ";touch CANARY;",
    "x; touch CANARY #",
    "x && touch CANARY",
    "x || touch CANARY",
    "| touch CANARY",
    "& touch CANARY &",
    "x\ntouch CANARY",
    "x\r\ntouch CANARY\n",
    "'; touch CANARY; '",
    "\"; touch CANARY; \"",
    "\\\"; touch CANARY; \\\"",
    "' $(touch CANARY) '",
    "\"$(touch CANARY)\"",
    "${x:-$(touch CANARY)}",
    "${IFS}$(touch${IFS}CANARY)",
    "$((a[$(touch CANARY)]))",
    "<(touch CANARY)",
    "> CANARY",
    "x > CANARY",
    "-exec touch CANARY ;",
    "-oProxyCommand=touch CANARY",
    "--output=CANARY",
    "{{$(touch CANARY)}}",
    "%n$(touch CANARY)%s",
    "x\0; touch CANARY",
    "\u{1b}]0;x\u{7}$(touch CANARY)",
    "$(touch${IFS}CANARY)\u{202e}",
    "\u{ff04}(touch CANARY)",
    "a b  c * ? [x] ~ $HOME",
];

/// Blocks with a parameter outside quotes, in double quotes, glued, in a here-document, and in
/// a substitution.
const BLOCKS: &[&str] = &[
    "printf '%s\\n' <VALUE>",
    "printf '%s\\n' \"<VALUE>\"",
    "printf '%s\\n' x<VALUE>y",
    "printf '%s\\n' \"x{{value}}_y\"",
    "printf '%s\\n' $VALUE",
    "printf '%s\\n' \"${VALUE}\"",
    "cat <<EOF\n<VALUE>\nEOF",
    "printf '%s\\n' \"$(printf '%s' <VALUE>)\"",
    "X=<VALUE>; printf '%s\\n' \"$X\"",
    "for i in <VALUE>; do printf '%s\\n' \"$i\"; done",
    "[[ -n x ]] && printf '%s\\n' \"<VALUE>\"",
];

fn command(block: &str) -> CommandText {
    let text = format!("```sh\n{block}\n```\n");
    let runbook = parse(text.as_bytes(), "x", "x").unwrap();
    let fence = runbook.steps[0].fences().next().unwrap();
    fence
        .command
        .clone()
        .unwrap_or_else(|| panic!("{block}: {:?}", fence.not_runnable))
}

async fn output_of(script: &str, env: &[(String, String)]) -> (Option<i32>, String) {
    let (live, _seen) = mpsc::channel(1);
    let end = execute::run(
        script,
        env,
        Duration::from_secs(10),
        CancellationToken::new(),
        live,
    )
    .await;
    let lines: Vec<&str> = end.output.iter().map(|l| l.as_str()).collect();
    (end.exit, lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_never_become_code_and_arrive_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    let mut arrived = 0;
    for block in BLOCKS {
        let command = command(block);
        for hostile in HOSTILE {
            let value = hostile.replace("CANARY", canary.to_str().unwrap());
            let filled = command.fill(|_| Some(&value));
            let sound = check_value("value", &value).is_ok();
            assert_eq!(filled.is_ok(), sound);
            // A value that `fill` refuses is handed over all the same: the run refuses it too.
            let env = filled.unwrap_or_else(|_| vec![("RB_VALUE".into(), value.clone())]);
            let (exit, output) = output_of(&command.script, &env).await;
            assert!(!canary.exists(), "{block} with {value:?}");
            if sound {
                assert_eq!(exit, Some(0), "{block} with {value:?}: {output}");
                assert!(output.contains(&value), "{block} with {value:?}: {output}");
                arrived += 1;
            } else {
                assert_eq!(exit, None, "{block} with {value:?}: {output}");
            }
        }
    }
    assert!(
        arrived > 150,
        "only {arrived} values were good enough to run"
    );
}

/// The same corpus spliced into the text, as a careless runner would: it must trip the canary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn splicing_would_be_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut tripped = 0;
    for (n, hostile) in HOSTILE.iter().enumerate() {
        let canary = folder.path().join(n.to_string());
        let value = hostile
            .replace("CANARY", canary.to_str().unwrap())
            .replace(['\0', '\r', '\u{1b}', '\u{7}'], "");
        output_of(&format!("printf '%s\\n' {value}"), &[]).await;
        tripped += usize::from(canary.exists());
    }
    assert!(
        tripped >= 12,
        "only {tripped} of {} values do anything when spliced",
        HOSTILE.len()
    );
}

/// Blocks in which a value would be read as code are not offered.
#[test]
fn blocks_that_would_read_a_value_as_code_are_not_runnable() {
    for block in [
        "printf '%s\\n' '<VALUE>'",
        "cat <<'EOF'\n<VALUE>\nEOF",
        "sh -c \"echo <VALUE>\"",
        "eval echo <VALUE>",
        "echo <VALUE> | sh",
        "bash <<EOF\necho <VALUE>\nEOF",
        "ssh host \"echo <VALUE>\"",
        "echo `echo <VALUE>`",
        "echo $((<VALUE>))",
        "echo $(($VALUE))",
        "X=<VALUE>\nbash -c \"echo $X\"",
        "awk \"BEGIN { <VALUE> }\"",
        "<VALUE>",
        "kubectl exec x -- sh -c \"<VALUE>\"",
        "find . -exec sh -c \"echo <VALUE>\" ';'",
    ] {
        let text = format!("```sh\n{block}\n```\n");
        let runbook = parse(text.as_bytes(), "x", "x").unwrap();
        let fence = runbook.steps[0].fences().next().unwrap();
        assert_eq!(fence.command, None, "{block}");
        assert!(fence.not_runnable.is_some(), "{block}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_unfilled_reaches_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("ran");
    let command = command(&format!("touch {} <VALUE>", witness.display()));
    assert!(command.fill(|_| None).is_err());
    assert!(command.fill(|_| Some("  ")).is_err());
    let (exit, _) = output_of(&command.script, &[]).await;
    assert_eq!((exit, witness.exists()), (None, false));
    // And it does run once it is filled.
    let value = folder.path().join("value");
    let env = command.fill(|_| value.to_str()).unwrap();
    let (exit, _) = output_of(&command.script, &env).await;
    assert_eq!(
        (exit, witness.exists(), Path::new(&value).exists()),
        (Some(0), true, true)
    );
}
