//! `[[device]]` tables.

use super::read::{At, Problems, Section, Source};
use super::sections::{elsewhere, resolve};
use super::{
    COMMUNITY_VARIABLE, Config, ConfiguredDevice, DEFAULT_COMMUNITY, Origin, Surroundings,
    secret_file,
};
use crate::model::device::{Device, SnmpAccess};
use crate::model::secret::Secret;
use crate::model::target::{Host, Target, TargetKind, Url, parse_host_port};
use crate::model::text::SafeText;

/// UDP port of SNMP agents (RFC 3417).
const SNMP_PORT: u16 = 161;

/// Reads one `[[device]]`; it is kept only if nothing is wrong with it.
pub(super) fn read(
    mut section: Section<'_>,
    source: &Source,
    around: &Surroundings,
    config: &mut Config,
    problems: &mut Problems,
) {
    let before = problems.len();
    let start = section.place.clone();
    let name = name(&mut section, config, problems);
    let snmp = section.string("snmp", problems);
    let snmp = snmp.and_then(|at| address(&at, problems));
    let plain = section.has("community");
    let community = community(&mut section, source, around, problems);
    let health = section.string("health", problems);
    let health = health.and_then(|at| url(&at, config, problems));
    section.finish(elsewhere, problems);
    if problems.len() > before {
        return;
    }
    let Some(name) = name else { return };
    if snmp.is_none() && health.is_none() {
        let what = format!(
            "device '{name}' has nothing to poll; add snmp = \"host\" or health = \"https://…\""
        );
        return problems.add(&start, what);
    }
    if let (None, Some((_, Origin::File(place)))) = (&snmp, &community) {
        let what = format!("device '{name}' has a community but no snmp = \"host\"");
        return problems.add(place, what);
    }
    if plain && source.open_to_others {
        config.warnings.push(SafeText::new(format!(
            "other users of this host can read the community of device '{name}' at {start}; use community_file, or chmod 600 the file"
        )));
    }
    let (secret, community_origin) = community.unwrap_or_else(|| fallback(config));
    config.devices.push(ConfiguredDevice {
        community_origin: snmp.is_some().then_some(community_origin),
        origin: Origin::File(start),
        device: Device {
            name,
            health,
            snmp: snmp.map(|(host, port)| SnmpAccess {
                host,
                port,
                community: secret,
            }),
        },
    });
}

/// The community of an agent that nothing gives one for.
fn fallback(config: &Config) -> (Secret, Origin) {
    match &config.snmp_community {
        Some(secret) => (
            secret.clone(),
            Origin::Environment(COMMUNITY_VARIABLE.into()),
        ),
        None => (Secret::new(DEFAULT_COMMUNITY), Origin::Default),
    }
}

fn name(section: &mut Section<'_>, config: &Config, problems: &mut Problems) -> Option<SafeText> {
    let before = problems.len();
    let Some(at) = section.string("name", problems) else {
        if problems.len() == before {
            problems.add(&section.place, "[[device]] lacks 'name = \"…\"'");
        }
        return None;
    };
    let name = SafeText::capped(at.value.trim(), 255);
    if name.is_empty() {
        problems.add(&at.place, "device.name is empty");
        return None;
    }
    let same = |d: &&ConfiguredDevice| d.device.name.as_str().eq_ignore_ascii_case(name.as_str());
    if let Some(twin) = config.devices.iter().find(same) {
        let what = format!("there is already a device '{name}' at {}", twin.origin);
        problems.add(&at.place, what);
        return None;
    }
    Some(name)
}

fn address(at: &At<String>, problems: &mut Problems) -> Option<(Host, u16)> {
    // Before anything quotes the text: what stands before an '@' is likely a community.
    if at.value.contains('@') || at.value.contains("://") {
        let what = "device.snmp must be host or host:port; the community goes into community_file, community_env or community";
        problems.add(&at.place, what);
        return None;
    }
    match parse_host_port(at.value.trim()) {
        Ok((host, port)) => Some((host, port.unwrap_or(SNMP_PORT))),
        Err(why) => {
            problems.add(&at.place, format!("device.snmp '{}': {why}", at.value));
            None
        }
    }
}

fn url(at: &At<String>, config: &mut Config, problems: &mut Problems) -> Option<Url> {
    match Target::parse(&at.value).map(Target::from_file) {
        Ok(Target {
            kind: TargetKind::Url(url),
            warning,
            ..
        }) => {
            config.warnings.extend(warning);
            Some(url)
        }
        Ok(other) => {
            let what = format!(
                "device.health must be a URL that starts with https:// or http://, not '{}'",
                other.id
            );
            problems.add(&at.place, what);
            None
        }
        Err(e) => {
            problems.add(&at.place, format!("device.health: {e}"));
            None
        }
    }
}

/// The community and where it came from, of at most one of the three ways to give it.
fn community(
    section: &mut Section<'_>,
    source: &Source,
    around: &Surroundings,
    problems: &mut Problems,
) -> Option<(Secret, Origin)> {
    let plain = section.string("community", problems);
    let variable = section.string("community_env", problems);
    let file = section.string("community_file", problems);
    let given = [&plain, &variable, &file];
    if let Some(second) = given.iter().copied().flatten().nth(1) {
        let what = "give one of community_file, community_env and community, not several";
        problems.add(&second.place, what);
        return None;
    }
    let found = match (&plain, &variable, &file) {
        (Some(at), _, _) => (at, literal(&at.value).map(|s| (s, at.origin()))),
        (_, Some(at), _) => (at, from_variable(&at.value, around)),
        (_, _, Some(at)) => (
            at,
            resolve(&at.value, source, around)
                .map_err(|why| format!("device.community_file {why}"))
                .and_then(|path| secret_file::read(&path, around.uid))
                .map(|s| (s, at.origin())),
        ),
        _ => return None,
    };
    match found {
        (_, Ok(secret)) => Some(secret),
        (at, Err(why)) => {
            problems.add(&at.place, why);
            None
        }
    }
}

fn literal(value: &str) -> Result<Secret, String> {
    if value.is_empty() {
        return Err("device.community is empty".into());
    }
    Ok(Secret::new(value))
}

fn from_variable(name: &str, around: &Surroundings) -> Result<(Secret, Origin), String> {
    match around.variable(name) {
        Some(value) if !value.is_empty() => {
            Ok((Secret::new(value), Origin::Environment(SafeText::new(name))))
        }
        _ => Err(format!(
            "device.community_env: the environment variable {name} is not set; export it, or use community_file"
        )),
    }
}
