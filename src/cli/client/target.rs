//! Which service a command talks to, and with which token.
//!
//! The first of these that exists: `--url`; `VENOM_URL`; the address that the running service has written to the
//! lock file beside the configured database; the host and port of the settings.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;

use super::http::ServiceClient;
use super::sent_token::BearerToken;
use crate::cli::error::Error;
use crate::config;
use crate::config::{Loaded, Overrides, Settings, Sources};
use crate::state::{Lock, announced_address};

const HEADING: &str = "Which service";

/// Flags that name the service.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServiceTarget {
    /// Use the service at this address, such as http://127.0.0.1:8000 [env: VENOM_URL] [default: the
    /// service that runs on the database, else the address in the settings]
    #[arg(long, value_name = "URL", value_parser = service_url, help_heading = HEADING)]
    url: Option<Url>,
    /// Use the service that runs on this database [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    database: Option<PathBuf>,
    /// Read the service's settings from this file [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    config: Option<PathBuf>,
    /// Send this token; other users of this machine can see it in the process list
    /// [env: VENOM_TOKEN]
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file", help_heading = HEADING)]
    token: Option<String>,
    /// Send the token in this file [env: VENOM_TOKEN_FILE]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    token_file: Option<PathBuf>,
    /// Trust the CA certificates in this PEM file instead of the system's, for https
    /// [env: VENOM_CA_FILE]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    ca_file: Option<PathBuf>,
}

/// Where the command line and the settings point.
pub(crate) enum Destination {
    /// The address given by `--url` or `VENOM_URL`.
    Named(Url),
    /// The service that runs on the database of these settings, if one does.
    Configured(Box<Settings>),
}

impl ServiceTarget {
    /// Returns a client of the service.
    pub(crate) fn client(&self) -> Result<ServiceClient, Error> {
        let url = match self.destination()? {
            Destination::Named(url) => url,
            Destination::Configured(settings) => {
                announced(&settings.database_path).unwrap_or_else(|| address(&settings))
            }
        };
        self.client_of(&url)
    }

    /// Returns a client of the service at `url`, with the token of flags and environment.
    pub(crate) fn client_of(&self, url: &Url) -> Result<ServiceClient, Error> {
        ServiceClient::new(url, self.token()?, self.ca_file()?.as_deref())
    }

    /// Returns a client of the same service after a lost connection. A restarted service may have another
    /// address.
    ///
    /// A service that is down has no address in its lock file. Another service may listen at the address of the
    /// settings, so this keeps the last address then.
    pub(crate) fn client_again(&self, lost: ServiceClient) -> ServiceClient {
        let Ok(Destination::Configured(settings)) = self.destination() else {
            return lost;
        };
        let url = announced(&settings.database_path);
        url.and_then(|url| self.client_of(&url).ok())
            .unwrap_or(lost)
    }

    fn ca_file(&self) -> Result<Option<PathBuf>, Error> {
        if self.ca_file.is_some() {
            return Ok(self.ca_file.clone());
        }
        let named = Sources::from_process().of_client(config::CA_FILE)?;
        Ok(named.map(|(path, _)| path.into()))
    }

    /// Returns the token of the flags, else the one of the environment.
    fn token(&self) -> Result<Option<BearerToken>, Error> {
        if let Some(token) = &self.token {
            // Not parsed by clap, whose error message would show the token.
            let wrong = |reason| Error::Usage(format!("--token: {reason}"));
            return token.parse().map(Some).map_err(wrong);
        }
        if let Some(path) = &self.token_file {
            return BearerToken::of_file(path).map(Some);
        }
        let sources = Sources::from_process();
        if let Some((text, place)) = sources.of_client(config::TOKEN)? {
            let token = text.parse::<BearerToken>();
            let wrong = |reason| Error::Usage(format!("`VENOM_TOKEN` {place}: {reason}"));
            return token.map(Some).map_err(wrong);
        }
        let file = sources.of_client(config::TOKEN_FILE)?;
        file.map(|(path, _)| BearerToken::of_file(Path::new(&path)))
            .transpose()
    }

    /// Returns the given address, else the settings.
    pub(crate) fn destination(&self) -> Result<Destination, Error> {
        if let Some(url) = &self.url {
            return Ok(Destination::Named(url.clone()));
        }
        let sources = Sources::from_process();
        if let Some((text, place)) = sources.of_client(config::URL)? {
            let url = service_url(&text).map_err(|reason| {
                Error::Usage(format!("`VENOM_URL` {place}: found {text:?}, {reason}"))
            })?;
            return Ok(Destination::Named(url));
        }
        Ok(Destination::Configured(Box::new(self.load()?.settings)))
    }

    /// Reads the settings of the service on this machine.
    pub(crate) fn load(&self) -> Result<Loaded, config::Error> {
        Settings::load(&Sources {
            config_file: self.config.clone(),
            overrides: Overrides {
                database_path: self.database.clone(),
                ..Overrides::default()
            },
            ..Sources::from_process()
        })
    }

    /// Returns true if `--url` was given.
    pub(crate) fn has_url(&self) -> bool {
        self.url.is_some()
    }
}

/// Returns the address that the running service has written to the lock file beside its database.
pub(crate) fn announced(database: &Path) -> Option<Url> {
    let text = fs::read_to_string(Lock::path_of(database)).ok()?;
    service_url(announced_address(&text)).ok()
}

/// Returns the address of a service with these settings.
fn address(settings: &Settings) -> Url {
    let scheme = match settings.tls_cert_file {
        Some(_) => "https",
        None => "http",
    };
    let address = SocketAddr::new(settings.host, settings.port);
    reachable(&format!("{scheme}://{address}"))
}

/// Returns the URL by which this machine reaches a service that listens at `listens`.
pub(crate) fn reachable(listens: &str) -> Url {
    service_url(listens).expect("an address and a port make a URL")
}

/// Reads a service's address. An unspecified address such as 0.0.0.0 becomes the loopback address.
fn service_url(text: &str) -> Result<Url, String> {
    let wrong =
        || "expected an address such as http://127.0.0.1:8000 or https://venom.lan:8000".to_owned();
    let mut url: Url = text.parse().map_err(|_| wrong())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
        return Err(wrong());
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let local = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => None,
    };
    if let Some(local) = local {
        url.set_ip_host(local).map_err(|()| wrong())?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_reachable() {
        for (given, reached) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("http://0.0.0.0:8000", "http://127.0.0.1:8000/"),
            ("http://[::]:8000", "http://[::1]:8000/"),
            ("https://0.0.0.0:8000", "https://127.0.0.1:8000/"),
            ("http://venom.lan/base/", "http://venom.lan/base/"),
        ] {
            assert_eq!(service_url(given).unwrap().as_str(), reached);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost:8000",
            "ftp://venom.lan",
            "http://",
            "http://x?y",
        ] {
            assert!(service_url(text).is_err(), "{text}");
        }
    }
}
