//! Variables that Kubernetes and Docker make of the services beside a container, and that look like settings.
//!
//! A Kubernetes service called `venom` puts `VENOM_PORT=tcp://10.0.0.11:8000` and half a dozen more into
//! every container of its namespace; one called `redis` makes `REDIS_PORT`, one called `venom-core`
//! `VENOM_CORE_…`. They are known by name and value together, so a setting that is misspelt stays a mistake.

use std::net::IpAddr;

use super::environment;
use super::variable::Variable;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// The other variables, and a sentence that names these.
pub(crate) fn without_service_links(variables: Vec<Variable>) -> (Vec<Variable>, Option<String>) {
    // Docker's old links also hand on the other container's own variables, behind its name.
    let named: Vec<String> = variables
        .iter()
        .filter_map(|variable| {
            let name = variable.name.to_ascii_uppercase();
            let service = name.strip_suffix("_NAME")?;
            let is_link = is_docker_name(&variable.value);
            is_link.then(|| service.to_owned())
        })
        .collect();
    let (links, others): (Vec<_>, Vec<_>) = variables.into_iter().partition(|variable| {
        environment::concerns_us(&variable.name) && is_link(variable, &named)
    });
    if links.is_empty() {
        return (others, None);
    }
    let names: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
    let warning = format!(
        "these variables are passed over, as Kubernetes or Docker makes them of services that it runs: {}. \
         `enableServiceLinks: false` in a pod leaves them out",
        names.join(", ")
    );
    (others, Some(warning))
}

fn is_link(variable: &Variable, named: &[String]) -> bool {
    let name = variable.name.to_ascii_uppercase();
    let value = variable.value.trim();
    if let Some((service, _)) = name.split_once("_ENV_")
        && named.iter().any(|other| other == service)
    {
        return true;
    }
    match name.strip_suffix("_NAME") {
        Some(service) if named.iter().any(|other| other == service) => return true,
        _ => {}
    }
    if name.ends_with("_SERVICE_HOST") {
        return value.parse::<IpAddr>().is_ok();
    }
    if let Some((_, rest)) = name.split_once("_SERVICE_PORT") {
        // `_HTTP` is the name of one of several ports.
        let is_named = rest.strip_prefix('_').is_some_and(|name| !name.is_empty());
        return (rest.is_empty() || is_named) && is_port(value);
    }
    if name.ends_with("_PORT") && is_address(value, None) {
        return true;
    }
    // From the last one on, because a service's own name may have it too.
    name.rsplit_once("_PORT_")
        .is_some_and(|(_, rest)| is_port_link(rest, value))
        || name
            .match_indices("_PORT_")
            .any(|(at, separator)| is_port_link(&name[at + separator.len()..], value))
}

/// `8000_TCP`, `8000_TCP_PROTO`, `8000_TCP_PORT`, `8000_TCP_ADDR`, and the ends of a range of ports.
fn is_port_link(rest: &str, value: &str) -> bool {
    let Some((number, rest)) = rest.split_once('_') else {
        return false;
    };
    let protocol = rest.split('_').next().unwrap_or_default();
    if !is_port(number) || !PROTOCOLS.contains(&protocol) {
        return false;
    }
    match &rest[protocol.len()..] {
        "" | "_START" | "_END" => is_address(value, Some(protocol)),
        "_PROTO" => value.eq_ignore_ascii_case(protocol),
        "_PORT" | "_PORT_START" | "_PORT_END" => is_port(value),
        "_ADDR" => value.parse::<IpAddr>().is_ok(),
        _ => false,
    }
}

/// `tcp://10.0.0.11:8000`
fn is_address(value: &str, protocol: Option<&str>) -> bool {
    let Some((scheme, address)) = value.split_once("://") else {
        return false;
    };
    let is_protocol = |name: &&str| scheme.eq_ignore_ascii_case(name);
    let is_right = match protocol {
        Some(protocol) => is_protocol(&protocol),
        None => PROTOCOLS.iter().any(is_protocol),
    };
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    is_right && host.parse::<IpAddr>().is_ok() && is_port(port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0) && !text.starts_with('+')
}

/// `/web/venom`
fn is_docker_name(value: &str) -> bool {
    let mut parts = value.trim().split('/');
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter))
    };
    parts.next() == Some("")
        && parts.next().is_some_and(is_name)
        && parts.next().is_some_and(is_name)
        && parts.next().is_none()
}
