//! The world a script sees: an environment by allow-list and a working directory.
//!
//! Nothing that changes how a shell or a loader behaves (`LD_*`, `BASH_ENV`, `ENV`, `IFS`) and no
//! credential of this process is handed on.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where a script runs: the home directory, else the root.
pub fn directory() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    home.filter(|h| h.is_absolute() && h.is_dir())
        .unwrap_or_else(|| Path::new("/").to_path_buf())
}

/// The whole environment of a script: an allow-list of what there is, things that keep programs
/// from asking or paging, and the parameters.
pub(super) fn environment(
    present: impl Iterator<Item = (OsString, OsString)>,
    parameters: &[(String, String)],
) -> Vec<(OsString, OsString)> {
    const PASSED: &[&str] = &[
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "TZ",
        "KUBECONFIG",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    ];
    const SET: &[(&str, &str)] = &[
        ("TERM", "dumb"),
        ("NO_COLOR", "1"),
        ("PAGER", "cat"),
        ("GIT_PAGER", "cat"),
        ("SYSTEMD_PAGER", "cat"),
        ("SYSTEMD_COLORS", "0"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    let mut env = Vec::new();
    let mut path = OsString::new();
    for (name, value) in present {
        let known = name
            .to_str()
            .is_some_and(|n| PASSED.contains(&n) || n.starts_with("LC_"));
        if name == "PATH" {
            path = value;
        } else if known {
            env.push((name, value));
        }
    }
    env.push(("PATH".into(), search_path(&path)));
    env.extend(SET.iter().map(|(k, v)| ((*k).into(), (*v).into())));
    env.extend(parameters.iter().map(|(k, v)| (k.into(), v.into())));
    env
}

/// The person's own directories, absolute ones only, and the system's.
fn search_path(path: &OsStr) -> OsString {
    let mut kept: Vec<PathBuf> = std::env::split_paths(path)
        .filter(|p| p.is_absolute())
        .collect();
    for system in [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ] {
        let system = PathBuf::from(system);
        if !kept.contains(&system) {
            kept.push(system);
        }
    }
    std::env::join_paths(kept).unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_an_allow_list() {
        let present = [
            ("LD_PRELOAD", "/x.so"),
            ("BASH_ENV", "/x"),
            ("ENV", "/x"),
            ("IFS", "x"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("SSH_AUTH_SOCK", "/s"),
            ("HOME", "/home/ana"),
            ("LC_TIME", "C"),
            ("PATH", ".:bin::/opt/k8s"),
        ];
        let present = present
            .iter()
            .map(|(k, v)| (OsString::from(k), OsString::from(v)));
        let env = environment(present, &[("RB_TARGET".into(), "x".into())]);
        let get = |name: &str| {
            env.iter()
                .find(|(k, _)| k == name)
                .map(|(_, v)| v.to_str().unwrap())
        };
        for gone in [
            "LD_PRELOAD",
            "BASH_ENV",
            "ENV",
            "IFS",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_AUTH_SOCK",
        ] {
            assert_eq!(get(gone), None, "{gone}");
        }
        assert_eq!(get("HOME"), Some("/home/ana"));
        assert_eq!(get("RB_TARGET"), Some("x"));
        assert_eq!(get("PAGER"), Some("cat"));
        assert!(
            get("PATH")
                .unwrap()
                .starts_with("/opt/k8s:/usr/local/sbin:")
        );
    }
}
