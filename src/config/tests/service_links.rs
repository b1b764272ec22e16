//! What Kubernetes and Docker put into a container's environment.

use super::setup;
use crate::config::Settings;

/// What one service with one named port makes.
fn kubernetes(service: &str) -> Vec<(String, &'static str)> {
    [
        ("SERVICE_HOST", "10.0.0.11"),
        ("SERVICE_PORT", "8000"),
        ("SERVICE_PORT_HTTP", "8000"),
        ("PORT", "tcp://10.0.0.11:8000"),
        ("PORT_8000_TCP", "tcp://10.0.0.11:8000"),
        ("PORT_8000_TCP_PROTO", "tcp"),
        ("PORT_8000_TCP_PORT", "8000"),
        ("PORT_8000_TCP_ADDR", "10.0.0.11"),
        ("PORT_53_UDP", "udp://[fd00::11]:53"),
        ("PORT_53_UDP_ADDR", "fd00::11"),
    ]
    .map(|(name, value)| (format!("{service}_{name}"), value))
    .to_vec()
}

#[test]
fn service_links_are_passed_over_and_named() {
    for service in ["VENOM", "VENOM_CORE", "VENOM_REDIS", "VENOM_PORT_API"] {
        let links = kubernetes(service);
        let setup = links
            .iter()
            .fold(setup(), |setup, (name, value)| setup.variable(name, value));
        let loaded = setup.load().unwrap();
        assert_eq!(loaded.settings, Settings::default(), "{service}");
        assert_eq!(loaded.warnings.len(), 1);
        for (name, _) in links {
            assert!(loaded.warnings[0].contains(&name), "{:?}", loaded.warnings);
        }
    }
}

#[test]
fn the_link_to_a_service_called_redis_is_no_port() {
    let links = kubernetes("REDIS");
    for hive in ["false", "true"] {
        let setup = links
            .iter()
            .fold(setup(), |setup, (name, value)| setup.variable(name, value))
            .variable("ENABLE_HIVE", hive)
            .variable("REDIS_HOST", "redis");
        let loaded = setup.load().unwrap();
        assert_eq!(loaded.settings.redis_port, 6379);
        assert_eq!(loaded.settings.redis_host, "redis");
        assert!(
            loaded.warnings[0].contains("REDIS_PORT. "),
            "{:?}",
            loaded.warnings
        );
    }
    // What is said on purpose holds beside it.
    let setup = setup()
        .variable("REDIS_PORT", "tcp://10.0.0.11:6379")
        .variable("VENOM_REDIS_PORT", "6380");
    assert_eq!(setup.settings().redis_port, 6380);
}

#[test]
fn the_links_of_old_docker_are_passed_over_too() {
    let setup = setup()
        .variable("VENOM_NAME", "/web/venom")
        .variable("VENOM_ENV_PATH", "/bin")
        .variable("VENOM_PORT", "tcp://172.17.0.5:8000")
        .variable("VENOM_PORT_8000_TCP_START", "tcp://172.17.0.5:8000")
        .variable("VENOM_PORT_8000_TCP_PORT_END", "8010");
    let loaded = setup.load().unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn everything_else_stays_a_mistake() {
    for (name, value) in [
        ("VENOM_PORT", "tcp://somewhere"),
        ("VENOM_PORT", "http://10.0.0.11:8000"),
        ("VENOM_PORT", "80000"),
        ("VENOM_HOST", "tcp://10.0.0.11:8000"),
        ("REDIS_PORT", "tcp://10.0.0.11"),
        ("VENOM_SERVICE_HOST", "example.org"),
        ("VENOM_SERVICE_PORT", "many"),
        ("VENOM_SERVICE_PORTS", "8000"),
        ("VENOM_SERVICE_PORT_", "8000"),
        ("VENOM_PORT_8000", "8000"),
        ("VENOM_PORT_8000_TCP", "8000"),
        ("VENOM_PORT_8000_TCP", "udp://10.0.0.11:8000"),
        ("VENOM_PORT_8000_TCP_PROTO", "udp"),
        ("VENOM_PORT_8000_HTTP", "tcp://10.0.0.11:8000"),
        ("VENOM_PORT_HTTP_TCP", "tcp://10.0.0.11:8000"),
        ("VENOM_NAME", "venom"),
        ("VENOM_ENV_PATH", "/bin"),
    ] {
        let mistake = setup().variable(name, value).mistake();
        assert!(mistake.contains(name), "{name}={value}: {mistake}");
    }
    // A file says what somebody wrote there.
    let mistake = setup().dotenv("VENOM_PORT=tcp://10.0.0.11:8000").mistake();
    assert!(mistake.contains("VENOM_PORT"), "{mistake}");
}
