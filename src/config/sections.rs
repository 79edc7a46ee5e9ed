//! What the keys of `warroom.toml` mean.

use std::path::PathBuf;
use std::time::Duration;

use super::read::{At, Problems, Section, Source};
use super::{Config, ConfigError, KeyChoice, Sourced, Surroundings, TimeStyle, devices, duration};
use crate::model::observation::MOST_FLOWS;
use crate::model::target::Target;
use crate::model::text::SafeText;

/// Reads a file into `config`.
pub(super) fn read(
    source: &Source,
    around: &Surroundings,
    config: &mut Config,
) -> Result<(), ConfigError> {
    let table = source.table().map_err(|p| ConfigError::Invalid(vec![p]))?;
    let mut problems = Problems::default();
    let p = &mut problems;
    let mut root = Section::root(source, table);

    for typed in root.strings("targets", p) {
        config.targets.extend(target(&typed, p));
    }
    for mut one in root.sections("target", p) {
        match one.string("target", p) {
            Some(typed) => config.targets.extend(target(&typed, p)),
            None => p.add(&one.place, "[[target]] lacks 'target = \"…\"'"),
        }
        one.finish(elsewhere, p);
    }
    for typed in root.strings("control", p) {
        config.control.extend(target(&typed, p));
    }
    let warned = config.targets.iter().chain(&config.control);
    let warned: Vec<SafeText> = warned.filter_map(|t| t.value.warning.clone()).collect();
    config.warnings.extend(warned);

    if let Some(section) = root.section("thresholds", p) {
        thresholds(section, config, p);
    }
    for section in root.sections("device", p) {
        devices::read(section, source, around, config, p);
    }
    if let Some(mut section) = root.section("origin", p) {
        let asn = section.string("asn", p);
        config.address_origin.asn = path("origin.asn", asn, source, around, config, p);
        let geo = section.string("geo", p);
        config.address_origin.geo = path("origin.geo", geo, source, around, config, p);
        if let Some(at) = section.boolean("reverse_names", p) {
            config.set_origin("origin.reverse_names", at.origin());
            config.address_origin.reverse_names = at.value;
        }
        if let Some(at) = section.boolean("dns_asn", p) {
            config.set_origin("origin.dns_asn", at.origin());
            config.address_origin.dns_asn = at.value;
        }
        section.finish(elsewhere, p);
    }
    if let Some(mut section) = root.section("probing", p) {
        if let Some(at) = section.whole("flows", 1..=u32::from(MOST_FLOWS), p) {
            config.set_origin("probing.flows", at.origin());
            config.probing.flows = at.value as u16;
        }
        section.finish(elsewhere, p);
    }
    if let Some(mut section) = root.section("runbooks", p) {
        let folder = section.string("folder", p);
        config.runbooks.folder = path("runbooks.folder", folder, source, around, config, p);
        section.finish(elsewhere, p);
    }
    if let Some(section) = root.section("record", p) {
        super::record::section(section, source, around, config, p);
    }
    if let Some(section) = root.section("redact", p) {
        super::redact::section(section, around, config, p);
    }
    if let Some(section) = root.section("display", p) {
        display(section, config, p);
    }
    if let Some(section) = root.section("keys", p) {
        for (action, keys) in section.lists(p) {
            let origin = keys.origin();
            config.keys.push(KeyChoice {
                action,
                keys: keys.value,
                origin,
            });
        }
    }
    root.finish(elsewhere, p);
    problems.into_result()
}

/// The section that a key belongs in, for those who wrote it in the wrong one.
pub(super) fn elsewhere(key: &str) -> Option<&'static str> {
    Some(match key {
        "theme" | "time" | "hide_hops" => "[display]",
        "state" | "samples" | "samples_size" | "samples_raw" => "[record]",
        "patterns" | "known_env" => "[redact]",
        "folder" => "[runbooks]",
        "flows" => "[probing]",
        "asn" | "geo" | "reverse_names" | "dns_asn" => "[origin]",
        "name" | "snmp" | "community" | "community_env" | "community_file" | "health" => {
            "[[device]]"
        }
        "loss_min_samples"
        | "loss_floor"
        | "loss_critical"
        | "window"
        | "repeat"
        | "path_min_rounds"
        | "path_min_span"
        | "pmtu_min_bad"
        | "arp_delay"
        | "tls_expiring_warning"
        | "tls_expiring_critical"
        | "device_cpu"
        | "device_memory"
        | "device_temperature"
        | "device_hold"
        | "device_reboot"
        | "interface_saturated"
        | "interface_filling"
        | "interface_errors" => "[thresholds]",
        "targets" | "control" => "the top of the file, before the first [table]",
        _ => return None,
    })
}

fn target(typed: &At<String>, problems: &mut Problems) -> Option<Sourced<Target>> {
    match Target::parse(&typed.value) {
        Ok(value) => {
            let value = value.from_file();
            let origin = typed.origin();
            Some(Sourced { value, origin })
        }
        Err(e) => {
            problems.add(&typed.place, e.to_string());
            None
        }
    }
}

/// A path relative to the file's folder, or to the home folder after `~/`.
pub(super) fn path(
    key: &str,
    written: Option<At<String>>,
    source: &Source,
    around: &Surroundings,
    config: &mut Config,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let written = written?;
    match resolve(&written.value, source, around) {
        Ok(path) => {
            config.set_origin(key, written.origin());
            Some(path)
        }
        Err(why) => {
            problems.add(&written.place, format!("{key} {why}"));
            None
        }
    }
}

pub(super) fn resolve(
    written: &str,
    source: &Source,
    around: &Surroundings,
) -> Result<PathBuf, String> {
    if written.is_empty() || written.contains('\0') {
        return Err("must be a path, not an empty text".into());
    }
    match (written.strip_prefix("~/"), &around.home) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        (Some(_), None) => Err("starts with ~ but there is no home folder; write it out".into()),
        (None, _) => Ok(source.folder.join(written)),
    }
}

fn display(mut section: Section<'_>, config: &mut Config, problems: &mut Problems) {
    if let Some(theme) = section.string("theme", problems) {
        config.set_origin("display.theme", theme.origin());
        config.display.theme = Some(theme.value);
    }
    if let Some(time) = section.string("time", problems) {
        config.set_origin("display.time", time.origin());
        match time.value.as_str() {
            "utc" => config.display.time = TimeStyle::Utc,
            "local" => config.display.time = TimeStyle::Local,
            _ => problems.add(&time.place, "display.time must be \"utc\" or \"local\""),
        }
    }
    if let Some(at) = section.whole("hide_hops", 1..=u32::from(u8::MAX), problems) {
        config.set_origin("display.hide_hops", at.origin());
        config.display.hide_hops = at.value as u8;
    }
    section.finish(elsewhere, problems);
}

fn thresholds(mut section: Section<'_>, config: &mut Config, problems: &mut Problems) {
    let s = &mut section;
    let mut t = config.thresholds.clone();
    for (key, slot) in [
        ("loss_min_samples", &mut t.loss_min_samples),
        ("path_min_rounds", &mut t.path_min_rounds),
        ("repeat", &mut t.repeat),
        ("pmtu_min_bad", &mut t.pmtu_min_bad),
        ("quality_min_samples", &mut t.quality_min_samples),
        ("dns_tcp_failures", &mut t.dns_tcp_failures),
        ("share_window", &mut t.share_window),
        ("share_well", &mut t.share_well),
        ("share_lost", &mut t.share_lost),
        ("dns_slow_samples", &mut t.dns_slow_samples),
        ("compare_samples", &mut t.compare_samples),
        ("device_temperature", &mut t.device_temperature),
    ] {
        if let Some(at) = s.count(key, problems) {
            config.set_origin(s.full(key), at.origin());
            *slot = at.value;
        }
    }
    for (key, slot) in [
        ("loss_floor", &mut t.loss_floor),
        ("loss_critical", &mut t.loss_critical),
        ("quality_busy", &mut t.quality_busy),
        ("latency_step_share", &mut t.latency_step_share),
        ("device_cpu", &mut t.device_cpu),
        ("device_memory", &mut t.device_memory),
        ("interface_saturated", &mut t.interface_saturated),
        ("interface_filling", &mut t.interface_filling),
        ("interface_errors", &mut t.interface_errors),
    ] {
        if let Some(at) = s.share(key, problems) {
            config.set_origin(s.full(key), at.origin());
            *slot = at.value;
        }
    }
    for (key, slot) in [
        ("path_min_span", &mut t.path_min_span),
        ("window", &mut t.window),
        ("arp_delay", &mut t.arp_delay),
        ("tls_expiring_warning", &mut t.tls_expiring_warning),
        ("tls_expiring_critical", &mut t.tls_expiring_critical),
        ("quality_min_span", &mut t.quality_min_span),
        ("latency_step", &mut t.latency_step),
        ("latency_limit", &mut t.latency_limit),
        ("jitter_limit", &mut t.jitter_limit),
        ("dns_tcp_span", &mut t.dns_tcp_span),
        ("clock_off", &mut t.clock_off),
        ("dns_slow", &mut t.dns_slow),
        ("http_slow", &mut t.http_slow),
        ("compare_span", &mut t.compare_span),
        ("compare_rtt", &mut t.compare_rtt),
        ("device_hold", &mut t.device_hold),
        ("device_reboot", &mut t.device_reboot),
    ] {
        if let Some(at) = s.string(key, problems) {
            match duration::parse(&at.value) {
                Ok(Duration::ZERO) => {
                    problems.add(&at.place, format!("{} must not be zero", s.full(key)));
                }
                Ok(value) => {
                    config.set_origin(s.full(key), at.origin());
                    *slot = value;
                }
                Err(why) => problems.add(&at.place, format!("{}: {why}", s.full(key))),
            }
        }
    }
    if t.interface_filling > t.interface_saturated {
        let what = "thresholds.interface_filling must not be above thresholds.interface_saturated";
        problems.add(&s.place, what);
    }
    config.thresholds = t;
    section.finish(elsewhere, problems);
}
