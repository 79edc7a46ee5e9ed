//! Where targets and devices come from: the arguments and the configuration.
//!
//! No look-ups, no IO: what is here decides whom to ask, not how.

use crate::config::{Config, DEFAULT_COMMUNITY};
use crate::model::device::{Device, SnmpAccess};
use crate::model::mask;
use crate::model::secret::Secret;
use crate::model::target::{Host, Target, TargetError, TargetKind, distinct};
use crate::model::text::SafeText;

/// What was typed that is not a target, all of it at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(TargetError::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InventoryError(pub Vec<TargetError>);

/// What to probe: the typed targets, else those of the configuration, each once. An empty list
/// means that only this host itself is looked at.
///
/// # Errors
/// Names every typed target that can't be read.
pub fn targets(config: &Config, typed: &[String]) -> Result<Vec<Target>, InventoryError> {
    let mut wrong = Vec::new();
    let mut found: Vec<Target> = Vec::new();
    for text in typed {
        match Target::parse(text) {
            Ok(target) => found.push(target),
            Err(e) => wrong.push(e),
        }
    }
    if !wrong.is_empty() {
        return Err(InventoryError(wrong));
    }
    if typed.is_empty() {
        found.extend(config.targets.iter().map(|t| t.value.clone()));
    }
    Ok(distinct(found))
}

/// Targets probed beside the others for comparison, without those that are targets anyway.
pub fn controls(config: &Config, targets: &[Target]) -> Vec<Target> {
    let all = config.control.iter().map(|t| t.value.clone()).collect();
    let mut controls = distinct(all);
    controls.retain(|c| targets.iter().all(|t| t.id != c.id || t.kind != c.kind));
    controls
}

/// The devices to poll: those of the configuration, and every `snmp://` target. A target that is
/// a configured device (same host and port) adds no second one; the community it was typed with
/// counts then.
pub fn devices(config: &Config, targets: &[Target]) -> Vec<Device> {
    let mut devices: Vec<Device> = config.devices.iter().map(|d| d.device.clone()).collect();
    for target in targets {
        let TargetKind::Snmp {
            host,
            port,
            community,
        } = &target.kind
        else {
            continue;
        };
        let same = |d: &&mut Device| {
            let agent = d.snmp.as_ref();
            agent.is_some_and(|s| s.host == *host && s.port == *port)
        };
        let access = SnmpAccess {
            host: host.clone(),
            port: *port,
            community: community_for(config, host, community.as_ref()),
        };
        match devices.iter_mut().find(same) {
            Some(device) => device.snmp = Some(access),
            None => {
                let name = match port {
                    161 => host.to_string(),
                    _ => access.to_string(),
                };
                devices.push(Device {
                    name: SafeText::new(name),
                    snmp: Some(access),
                    health: None,
                });
            }
        }
    }
    devices
}

/// The community of an `snmp://` target: its own, else the environment's, else that of a
/// configured device on the same host, else `public`.
fn community_for(config: &Config, host: &Host, own: Option<&Secret>) -> Secret {
    let configured = || {
        let agents = config.devices.iter().filter_map(|d| d.device.snmp.as_ref());
        let mut same = agents.filter(|s| s.host == *host);
        same.next().map(|s| s.community.clone())
    };
    own.cloned()
        .or_else(|| config.snmp_community.clone())
        .or_else(configured)
        .unwrap_or_else(|| Secret::new(DEFAULT_COMMUNITY))
}

/// Every secret that targets and configuration hold, for the redactor.
pub fn secrets(config: &Config, targets: &[Target]) -> Vec<Secret> {
    let mut secrets = config.secrets();
    let health = config
        .devices
        .iter()
        .filter_map(|d| d.device.health.as_ref());
    let mut found: Vec<Secret> = health.flat_map(|url| mask::secrets(&url.path)).collect();
    for target in targets {
        match &target.kind {
            TargetKind::Snmp {
                community: Some(secret),
                ..
            } if secret.expose() != DEFAULT_COMMUNITY => found.push(secret.clone()),
            TargetKind::Url(url) => found.extend(mask::secrets(&url.path)),
            _ => {}
        }
    }
    for secret in found {
        if !secrets.contains(&secret) {
            secrets.push(secret);
        }
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{COMMUNITY_VARIABLE, Surroundings, load_in};

    fn config(text: &str, community: Option<&str>) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("warroom.toml");
        std::fs::write(&file, text).unwrap();
        let mut around = Surroundings::default();
        if let Some(value) = community {
            around
                .variables
                .insert(COMMUNITY_VARIABLE.into(), value.into());
        }
        load_in(Some(&file), &around).unwrap()
    }

    fn typed(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    fn community(devices: &[Device], i: usize) -> &str {
        devices[i].snmp.as_ref().unwrap().community.expose()
    }

    #[test]
    fn typed_targets_come_first_and_once() {
        let config = config("targets = ['c']\ncontrol = ['a', 'ctl']", None);
        let ids = |texts: &[&str]| -> Vec<String> {
            let found = targets(&config, &typed(texts)).unwrap();
            found.iter().map(|t| t.id.to_string()).collect()
        };
        assert_eq!(ids(&["a", "b", "A."]), ["a", "b"]);
        assert_eq!(ids(&[]), ["c"]);
        let found = targets(&config, &typed(&["a"])).unwrap();
        let controls = controls(&config, &found);
        assert_eq!(controls.len(), 1);
        assert_eq!(controls[0].id.as_str(), "ctl");
    }

    #[test]
    fn everything_mistyped_is_named() {
        let e = targets(&Config::default(), &typed(&["ok", "a b", "x/y"])).unwrap_err();
        let said = e.to_string();
        assert_eq!(said.lines().count(), 2, "{said}");
    }

    const SW1: &str = "[[device]]\nname = 'sw1'\nsnmp = '10.0.0.2'\ncommunity = 'c0nf'\nhealth = 'http://10.0.0.2/'";

    #[test]
    fn a_target_that_is_a_configured_device_is_not_a_second_one() {
        let config = config(SW1, None);
        let found = targets(&config, &typed(&["snmp://10.0.0.2"])).unwrap();
        let list = devices(&config, &found);
        assert_eq!(list.len(), 1);
        assert_eq!(
            (list[0].name.as_str(), community(&list, 0)),
            ("sw1", "c0nf")
        );
        assert!(list[0].health.is_some());
        let found = targets(&config, &typed(&["snmp://typ3d@10.0.0.2"])).unwrap();
        assert_eq!(community(&devices(&config, &found), 0), "typ3d");
        assert_eq!(secrets(&config, &found).len(), 2);
    }

    #[test]
    fn communities_come_from_target_environment_config_and_habit_in_this_order() {
        let of = |config: &Config, text: &str| {
            let found = targets(config, &typed(&[text])).unwrap();
            let list = devices(config, &found);
            list.last()
                .unwrap()
                .snmp
                .as_ref()
                .unwrap()
                .community
                .expose()
                .to_owned()
        };
        let with_env = config(SW1, Some("3nv"));
        let without = config(SW1, None);
        assert_eq!(of(&with_env, "snmp://typ3d@10.0.0.2:1161"), "typ3d");
        assert_eq!(of(&with_env, "snmp://10.0.0.2:1161"), "3nv");
        assert_eq!(of(&without, "snmp://10.0.0.2:1161"), "c0nf");
        assert_eq!(of(&without, "snmp://10.0.0.3"), "public");
    }
}
