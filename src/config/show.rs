//! The settings as text: each value with its origin, in the syntax of the file itself, so that
//! what is printed can be a start for a file of one's own. Secrets are never in it.

use std::fmt::Display;

use super::record::write_size;
use super::{Config, ConfiguredDevice, Origin, Pattern, Sourced, duration};
use crate::model::secret::MASK;
use crate::model::target::Target;

/// Column in which the origins stand, where values are short enough.
const ORIGIN_COLUMN: usize = 44;

/// All values in the order of the documentation, one per line, each with `# origin`.
pub fn lines(config: &Config) -> Vec<String> {
    let mut out = Vec::new();
    list("targets", &config.targets, &mut out);
    list("control", &config.control, &mut out);
    thresholds(config, &mut out);
    origins(config, &mut out);
    out.push("[probing]".into());
    let flows = config.probing.flows.to_string();
    value("probing.flows", &flows, config, &mut out);
    out.push("[runbooks]".into());
    let folder = config
        .runbooks
        .folder
        .as_ref()
        .map(|p| p.display().to_string());
    optional(
        "runbooks.folder",
        folder,
        "the shipped runbooks only",
        config,
        &mut out,
    );
    out.push("[display]".into());
    optional(
        "display.theme",
        config.display.theme.clone(),
        "the built-in theme",
        config,
        &mut out,
    );
    let time = quoted(config.display.time.as_str());
    value("display.time", &time, config, &mut out);
    match config.display.hide_hops {
        0 => optional(
            "display.hide_hops",
            None,
            "no hop is masked",
            config,
            &mut out,
        ),
        n => value("display.hide_hops", &n.to_string(), config, &mut out),
    }
    if !config.keys.is_empty() {
        out.push("[keys]".into());
    }
    for choice in &config.keys {
        let keys: Vec<String> = choice.keys.iter().map(quoted).collect();
        let line = format!("{} = [{}]", choice.action, keys.join(", "));
        out.push(with_origin(&line, &choice.origin));
    }
    out.push("[record]".into());
    let state = config
        .record
        .state
        .as_ref()
        .map(|p| p.display().to_string());
    optional(
        "record.state",
        state,
        "the state folder of your user",
        config,
        &mut out,
    );
    for (key, shown) in [
        ("record.samples", config.record.samples.to_string()),
        (
            "record.samples_size",
            quoted(write_size(config.record.samples_size)),
        ),
        (
            "record.samples_raw",
            quoted(duration::write(config.record.samples_raw)),
        ),
    ] {
        value(key, &shown, config, &mut out);
    }
    if !config.redact.patterns.is_empty() || !config.redact.known_env.is_empty() {
        out.push("[redact]".into());
    }
    for name in &config.redact.known_env {
        let line = format!("known_env = [{}]", quoted(&name.value));
        out.push(with_origin(&line, &name.origin));
    }
    for pattern in &config.redact.patterns {
        let Pattern { name, regex } = &pattern.value;
        let line = format!(
            "patterns = [{{ name = {}, regex = {} }}]",
            quoted(name),
            quoted(regex)
        );
        out.push(with_origin(&line, &pattern.origin));
    }
    for device in &config.devices {
        one_device(device, &mut out);
    }
    if config.snmp_community.is_some() {
        let line = format!("# community of other SNMP agents = {MASK}");
        out.push(with_origin(&line, config.origin("snmp_community")));
    }
    out
}

fn with_origin(line: &str, origin: &Origin) -> String {
    format!("{line:<ORIGIN_COLUMN$} # {origin}")
}

/// A TOML string; the serialiser escapes what must be.
fn quoted(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn leaf(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn value(key: &str, shown: &str, config: &Config, out: &mut Vec<String>) {
    let line = format!("{} = {shown}", leaf(key));
    out.push(with_origin(&line, config.origin(key)));
}

fn optional(
    key: &str,
    set: Option<String>,
    otherwise: &str,
    config: &Config,
    out: &mut Vec<String>,
) {
    match set {
        Some(text) => value(key, &quoted(text), config, out),
        None => {
            let line = format!("# {}: {otherwise}", leaf(key));
            out.push(with_origin(&line, config.origin(key)));
        }
    }
}

fn list(key: &str, targets: &[Sourced<Target>], out: &mut Vec<String>) {
    if targets.is_empty() {
        return out.push(with_origin(&format!("{key} = []"), &Origin::Default));
    }
    out.push(format!("{key} = ["));
    for target in targets {
        let line = format!("  {},", quoted(&target.value.id));
        out.push(with_origin(&line, &target.origin));
    }
    out.push("]".into());
}

fn thresholds(config: &Config, out: &mut Vec<String>) {
    let t = &config.thresholds;
    out.push("[thresholds]".into());
    for (key, shown) in [
        ("loss_min_samples", t.loss_min_samples.to_string()),
        ("loss_floor", format!("{:?}", t.loss_floor)),
        ("loss_critical", format!("{:?}", t.loss_critical)),
        ("path_min_rounds", t.path_min_rounds.to_string()),
        ("path_min_span", quoted(duration::write(t.path_min_span))),
        ("repeat", t.repeat.to_string()),
        ("pmtu_min_bad", t.pmtu_min_bad.to_string()),
        ("window", quoted(duration::write(t.window))),
        ("arp_delay", quoted(duration::write(t.arp_delay))),
        (
            "tls_expiring_warning",
            quoted(duration::write(t.tls_expiring_warning)),
        ),
        (
            "tls_expiring_critical",
            quoted(duration::write(t.tls_expiring_critical)),
        ),
        ("quality_min_samples", t.quality_min_samples.to_string()),
        (
            "quality_min_span",
            quoted(duration::write(t.quality_min_span)),
        ),
        ("quality_busy", format!("{:?}", t.quality_busy)),
        ("latency_step", quoted(duration::write(t.latency_step))),
        ("latency_step_share", format!("{:?}", t.latency_step_share)),
        ("latency_limit", quoted(duration::write(t.latency_limit))),
        ("jitter_limit", quoted(duration::write(t.jitter_limit))),
        ("share_window", t.share_window.to_string()),
        ("share_well", t.share_well.to_string()),
        ("share_lost", t.share_lost.to_string()),
        ("clock_off", quoted(duration::write(t.clock_off))),
        ("dns_tcp_failures", t.dns_tcp_failures.to_string()),
        ("dns_tcp_span", quoted(duration::write(t.dns_tcp_span))),
        ("dns_slow", quoted(duration::write(t.dns_slow))),
        ("dns_slow_samples", t.dns_slow_samples.to_string()),
        ("http_slow", quoted(duration::write(t.http_slow))),
        ("compare_samples", t.compare_samples.to_string()),
        ("compare_span", quoted(duration::write(t.compare_span))),
        ("compare_rtt", quoted(duration::write(t.compare_rtt))),
        ("device_cpu", format!("{:?}", t.device_cpu)),
        ("device_memory", format!("{:?}", t.device_memory)),
        ("device_temperature", t.device_temperature.to_string()),
        ("device_hold", quoted(duration::write(t.device_hold))),
        ("device_reboot", quoted(duration::write(t.device_reboot))),
        (
            "interface_saturated",
            format!("{:?}", t.interface_saturated),
        ),
        ("interface_filling", format!("{:?}", t.interface_filling)),
        ("interface_errors", format!("{:?}", t.interface_errors)),
    ] {
        value(&format!("thresholds.{key}"), &shown, config, out);
    }
}

fn origins(config: &Config, out: &mut Vec<String>) {
    let o = &config.address_origin;
    out.push("[origin]".into());
    for (key, file, otherwise) in [
        ("origin.asn", &o.asn, "no table of autonomous systems"),
        ("origin.geo", &o.geo, "no table of places"),
    ] {
        let shown = file.as_ref().map(|p| p.display().to_string());
        optional(key, shown, otherwise, config, out);
    }
    value(
        "origin.reverse_names",
        &o.reverse_names.to_string(),
        config,
        out,
    );
    value("origin.dns_asn", &o.dns_asn.to_string(), config, out);
}

fn one_device(configured: &ConfiguredDevice, out: &mut Vec<String>) {
    let device = &configured.device;
    out.push("[[device]]".into());
    let line = format!("name = {}", quoted(&device.name));
    out.push(with_origin(&line, &configured.origin));
    if let Some(snmp) = &device.snmp {
        out.push(format!("snmp = {}", quoted(snmp)));
        if let Some(origin) = &configured.community_origin {
            out.push(with_origin(&format!("# community = {MASK}"), origin));
        }
    }
    if let Some(health) = &device.health {
        out.push(format!("health = {}", quoted(health)));
    }
}
