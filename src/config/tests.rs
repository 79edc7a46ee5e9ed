use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn around(dir: &Path) -> Surroundings {
    Surroundings {
        directory: dir.join("here"),
        config_home: Some(dir.join("home/.config")),
        home: Some(dir.join("home")),
        uid: nix::unistd::geteuid().as_raw(),
        ..Surroundings::default()
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn nothing_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let config = load_in(None, &around(dir.path())).unwrap();
    assert_eq!(config.file, None);
    assert_eq!(config.thresholds, Thresholds::default());
    assert_eq!(config.origin("thresholds.window"), &Origin::Default);
    assert!(config.secrets().is_empty());
}

#[test]
fn beside_you_wins_over_home_and_the_argument_over_both() {
    let dir = tempfile::tempdir().unwrap();
    let around = around(dir.path());
    let first = |config: Config| config.targets[0].value.id.to_string();
    write(
        &dir.path().join("home/.config/warroom/warroom.toml"),
        "targets = ['home']",
    );
    assert_eq!(first(load_in(None, &around).unwrap()), "home");
    write(
        &dir.path().join("here/warroom.toml"),
        "targets = ['beside']",
    );
    assert_eq!(first(load_in(None, &around).unwrap()), "beside");
    let other = dir.path().join("other.toml");
    write(&other, "targets = ['given']");
    assert_eq!(first(load_in(Some(&other), &around).unwrap()), "given");
    let missing = load_in(Some(&dir.path().join("none.toml")), &around).unwrap_err();
    assert!(
        missing.to_string().contains("none.toml: No such file"),
        "{missing}"
    );
}

#[test]
fn a_file_of_somebody_else_is_left_alone_unless_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut around = around(dir.path());
    let file = dir.path().join("here/warroom.toml");
    write(&file, "targets = ['beside']");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let config = load_in(None, &around).unwrap();
    assert!(config.targets.is_empty());
    assert!(
        config.warnings[0]
            .as_str()
            .contains("./warroom.toml is not read: every user may write it")
    );
    assert_eq!(load_in(Some(&file), &around).unwrap().targets.len(), 1);
    if around.uid != 0 {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        around.uid += 1;
        let config = load_in(None, &around).unwrap();
        assert!(config.targets.is_empty() && config.warnings.len() == 1);
    }
}

#[test]
fn origins_name_file_line_and_variable() {
    let dir = tempfile::tempdir().unwrap();
    let mut around = around(dir.path());
    around
        .variables
        .insert(COMMUNITY_VARIABLE.into(), "fr0menv".into());
    write(
        &dir.path().join("here/warroom.toml"),
        "targets = [\n  'a',\n  'b',\n]\n[thresholds]\nwindow = '90s'\n[[device]]\nname = 'sw1'\nsnmp = '10.0.0.2'\n",
    );
    let config = load_in(None, &around).unwrap();
    let shown = show::lines(&config).join("\n");
    assert!(
        shown.contains("\"b\",") && shown.contains("# ./warroom.toml:3"),
        "{shown}"
    );
    assert_eq!(
        config.origin("thresholds.window").to_string(),
        "./warroom.toml:6"
    );
    assert_eq!(config.origin("thresholds.repeat").to_string(), "default");
    let access = config.devices[0].device.snmp.as_ref().unwrap();
    assert_eq!(access.community.expose(), "fr0menv");
    assert!(
        shown.contains("# environment WARROOM_SNMP_COMMUNITY"),
        "{shown}"
    );
    assert!(!shown.contains("fr0menv") && !format!("{config:?}").contains("fr0menv"));
    assert_eq!(config.secrets(), [Secret::new("fr0menv")]);
}

#[test]
fn what_show_prints_is_a_configuration_that_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let around = around(dir.path());
    write(
        &dir.path().join("here/warroom.toml"),
        "targets = ['a', 'dns:b@10.0.0.53']\ncontrol = ['c']\n[thresholds]\nwindow = '1m30s'\nloss_floor = 0.05\n\
         [display]\ntheme = 'a\"b'\ntime = 'local'\n[origin]\ngeo = '/var/g'\ndns_asn = true\n[record]\nstate = '/var/x'\n\
         [[device]]\nname = 'sw\\1'\nsnmp = '[fd00::1]:1161'\nhealth = 'https://h/x?y=1'\n",
    );
    let config = load_in(None, &around).unwrap();
    let again = dir.path().join("again.toml");
    write(&again, &show::lines(&config).join("\n"));
    let second = load_in(Some(&again), &around).unwrap();
    let ids = |c: &Config| -> Vec<String> {
        let all = c.targets.iter().chain(&c.control);
        all.map(|t| t.value.id.to_string()).collect()
    };
    assert_eq!(ids(&config), ids(&second));
    assert_eq!(config.address_origin, second.address_origin);
    assert_eq!(config.thresholds, second.thresholds);
    assert_eq!(config.display, second.display);
    assert_eq!(config.record, second.record);
    assert_eq!(config.devices[0].device, second.devices[0].device);
}

/// Copies the files of `tests/config/<kind>` to a folder of our own with the secret files that
/// some of them name, and loads each.
fn table(kind: &str) -> Vec<(String, String, Result<Config, ConfigError>)> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(kind);
    let dir = tempfile::tempdir().unwrap();
    let mut around = around(dir.path());
    around
        .variables
        .insert("FW_COMMUNITY".into(), "fr0menv".into());
    for (name, mode) in [("private", 0o600), ("open-to-all", 0o644)] {
        let path = dir.path().join(name);
        fs::write(&path, "s3cr3t\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut out = Vec::new();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let copy = dir.path().join(&name);
        fs::write(&copy, &text).unwrap();
        out.push((name, text, load_in(Some(&copy), &around)));
    }
    assert!(!out.is_empty());
    out
}

#[test]
fn valid_files_load() {
    for (name, _, loaded) in table("valid") {
        let config = loaded.unwrap_or_else(|e| panic!("{name}: {e}"));
        match name.as_str() {
            "empty.toml" => assert_eq!(config.thresholds, Thresholds::default()),
            "full.toml" => {
                let ids: Vec<_> = config
                    .targets
                    .iter()
                    .map(|t| t.value.id.to_string())
                    .collect();
                let wanted = [
                    "api.example.com",
                    "https://api.example.com/health",
                    "dns:example.com@10.0.0.53",
                ];
                assert_eq!(ids, wanted);
                assert_eq!(config.control.len(), 1);
                assert_eq!(config.thresholds.loss_critical, 1.0);
                assert_eq!(config.thresholds.tls_expiring_critical.as_secs(), 129_600);
                let t = &config.thresholds;
                assert_eq!((t.device_cpu, t.device_memory), (0.95, 0.85));
                assert_eq!((t.device_temperature, t.device_hold.as_secs()), (70, 40));
                assert_eq!((t.interface_filling, t.interface_errors), (0.6, 0.001));
                assert_eq!(config.display.time, TimeStyle::Local);
                assert!(
                    config
                        .record
                        .state
                        .as_ref()
                        .unwrap()
                        .ends_with("home/incidents")
                );
                assert!(config.runbooks.folder.as_ref().unwrap().is_absolute());
                assert_eq!(config.devices.len(), 3);
                let origin = &config.address_origin;
                assert!(origin.asn.as_ref().unwrap().is_absolute() && origin.geo.is_none());
                assert!(!origin.reverse_names && origin.dns_asn);
                let secrets = config.secrets();
                assert_eq!(secrets, [Secret::new("c0nf1g"), Secret::new("fr0menv")]);
            }
            "inline.toml" => {
                assert_eq!(config.secrets(), [Secret::new("s3cr3t")]);
            }
            other => panic!("say what is expected of {other}"),
        }
    }
}

#[test]
fn invalid_files_say_where_and_what() {
    for (name, text, loaded) in table("invalid") {
        let said = loaded.map(|_| ()).expect_err(&name).to_string();
        let wanted = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("# says: ")
            .unwrap();
        assert!(
            said.contains(&format!("{name}:{wanted}")),
            "{name} said\n{said}\nnot\n{wanted}"
        );
        assert_eq!(
            said.lines().count(),
            1,
            "{name} says more than one thing:\n{said}"
        );
        for secret in ["s3cr3t", "314159", "\u{1b}"] {
            assert!(!said.contains(secret), "{name} tells its secret: {said}");
        }
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    write(&file, "targets = ['a b']\nx = 1\n[display]\ntime = 3\n");
    let said = load_in(Some(&file), &around(dir.path()))
        .unwrap_err()
        .to_string();
    let places: Vec<&str> = said
        .lines()
        .filter_map(|l| l.split("toml:").nth(1))
        .collect();
    let places: Vec<&str> = places.iter().filter_map(|p| p.split(": ").next()).collect();
    assert_eq!(places, ["1:12", "2:1", "4:8"], "{said}");
}

#[test]
fn what_is_no_text_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    fs::write(&file, b"targets = ['\xff']").unwrap();
    let said = load_in(Some(&file), &around(dir.path()))
        .unwrap_err()
        .to_string();
    assert!(said.contains("not UTF-8 text (byte 12)"), "{said}");
    let said = load_in(Some(dir.path()), &around(dir.path()))
        .unwrap_err()
        .to_string();
    assert!(said.contains("cannot read the configuration"), "{said}");
}

#[test]
fn a_community_in_a_file_for_all_to_read_is_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    let around = around(dir.path());
    let file = dir.path().join("warroom.toml");
    write(
        &file,
        "[[device]]\nname = 'sw1'\nsnmp = 'sw1'\ncommunity = 's3cr3t'\n",
    );
    let warnings = load_in(Some(&file), &around).unwrap().warnings;
    assert!(
        warnings[0]
            .as_str()
            .contains("other users of this host can read")
    );
    assert!(!warnings[0].as_str().contains("s3cr3t"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(load_in(Some(&file), &around).unwrap().warnings.is_empty());
}

#[test]
fn the_documentation_shows_what_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let example = page
        .split("```toml\n")
        .nth(1)
        .and_then(|t| t.split("```").next());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    fs::write(&file, example.unwrap()).unwrap();
    let secret = dir.path().join("sw1.community");
    fs::write(&secret, "s3cr3t\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let config = load_in(Some(&file), &around(dir.path())).unwrap();
    assert_eq!(
        config.thresholds,
        Thresholds::default(),
        "it says that these are the defaults"
    );
    assert_eq!((config.targets.len(), config.devices.len()), (4, 1));
}

#[test]
fn chosen_keys_keep_their_place_and_only_lists_of_strings_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    write(&file, "[keys]\nfreeze = 'F5'\nnote = ['N', 'Ctrl-N']\n");
    let config = load_in(Some(&file), &around(dir.path())).unwrap();
    let keys: Vec<_> = config
        .keys
        .iter()
        .map(|k| (k.action.as_str(), k.keys.len()))
        .collect();
    assert_eq!(keys, [("freeze", 1), ("note", 2)]);
    assert!(
        config.keys[1]
            .origin
            .to_string()
            .ends_with("warroom.toml:3")
    );
    let shown = show::lines(&config).join("\n");
    assert!(shown.contains("note = [\"N\", \"Ctrl-N\"]"), "{shown}");
    write(&file, "[keys]\nfreeze = 5\nnote = [1]\n");
    let wrong = load_in(Some(&file), &around(dir.path()))
        .unwrap_err()
        .to_string();
    assert_eq!(
        wrong.matches("a string or an array of strings").count(),
        2,
        "{wrong}"
    );
}

#[test]
fn flows_and_hidden_hops_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    write(&file, "[probing]\nflows = 16\n[display]\nhide_hops = 2\n");
    let config = load_in(Some(&file), &around(dir.path())).unwrap();
    assert_eq!((config.probing.flows, config.display.hide_hops), (16, 2));
    write(&file, "[probing]\nflows = 17\n[display]\nhide_hops = 256\n");
    let wrong = load_in(Some(&file), &around(dir.path()))
        .unwrap_err()
        .to_string();
    assert!(wrong.contains("between 1 and 16"), "{wrong}");
    assert!(wrong.contains("between 1 and 255"), "{wrong}");
}
