use super::*;
use crate::config::{Surroundings, load_in};

fn config() -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    let text = "[[device]]\nname = 'sw1'\nsnmp = '10.0.0.2'\ncommunity = 's3cr3t'\n\
                [[device]]\nname = 'lb'\nhealth = 'https://lb.example.com/health'\n";
    std::fs::write(&file, text).unwrap();
    load_in(Some(&file), &Surroundings::default()).unwrap()
}

#[test]
fn a_device_is_found_by_name_address_and_target() {
    let config = config();
    for (typed, name) in [
        ("sw1", "sw1"),
        ("SW1", "sw1"),
        ("10.0.0.2", "sw1"),
        ("snmp://10.0.0.2", "sw1"),
        ("lb.example.com", "lb"),
        ("snmp://10.0.0.9", "10.0.0.9"),
        ("http://10.0.0.9/x", "10.0.0.9"),
    ] {
        let (device, warning) = find(typed, &config).unwrap_or_else(|e| panic!("{typed}: {e}"));
        assert_eq!(device.name.as_str(), name, "{typed}");
        assert!(warning.is_none());
    }
    let (device, warning) = find("snmp://typ3d@10.0.0.2", &config).unwrap();
    assert_eq!(device.snmp.unwrap().community.expose(), "typ3d");
    assert!(warning.unwrap().as_str().contains("command line"));
}

#[test]
fn an_unknown_device_is_refused_with_the_known_ones() {
    for typed in ["sw2", "10.0.0.77", "dns:x", "a b"] {
        let e = find(typed, &config()).unwrap_err();
        assert_eq!(e.exit_status(), 2);
        let said = e.to_string();
        assert!(said.contains("known are: sw1, lb"), "{said}");
        assert!(!said.contains("s3cr3t"));
    }
}

#[test]
fn the_list_shows_no_secret() {
    let mut out = Vec::new();
    text::list(&config(), &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert!(
        said.contains("sw1   10.0.0.2:161") && !said.contains("s3cr3t"),
        "{said}"
    );
}
