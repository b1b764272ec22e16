//! Which service a command talks to.
//!
//! In this order: `--url`; `VENOM_URL`; the address that the running service has left in the lock
//! file beside the configured database; the host and port of the settings.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;

use super::http::Client;
use super::sent_token::Token;
use crate::cli::error::Error;
use crate::config;
use crate::config::{Loaded, Overrides, Settings, Sources};
use crate::state::{Lock, announced_address};

const HEADING: &str = "Which service";

/// The flags by which a command finds its service.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Address of the service, such as http://127.0.0.1:8000 [env: VENOM_URL] [default: that of the
    /// service which runs on the database, else the one in the settings]
    #[arg(long, value_name = "URL", value_parser = service_url, help_heading = HEADING)]
    url: Option<Url>,
    /// Database of the service [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    database: Option<PathBuf>,
    /// Settings of the service [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    config: Option<PathBuf>,
    /// Token to send; others on this machine can see what a command line says
    /// [env: VENOM_TOKEN]
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file", help_heading = HEADING)]
    token: Option<String>,
    /// File with the token to send [env: VENOM_TOKEN_FILE]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    token_file: Option<PathBuf>,
    /// Certificates of authorities to trust instead of the usual ones, PEM; for https
    /// [env: VENOM_CA_FILE]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    ca_file: Option<PathBuf>,
}

/// What the command line and the settings say about the service.
pub(crate) enum Found {
    /// Somebody has named its address.
    Named(Url),
    /// Whatever runs on the database of these settings, if anything does.
    Configured(Box<Settings>),
}

impl Target {
    /// A client of the service.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        let url = match self.find()? {
            Found::Named(url) => url,
            Found::Configured(settings) => {
                announced(&settings.database_path).unwrap_or_else(|| address(&settings))
            }
        };
        self.client_of(&url)
    }

    /// A client of the service at `url`, with the token that there is.
    pub(crate) fn client_of(&self, url: &Url) -> Result<Client, Error> {
        Client::new(url, self.token()?, self.ca_file()?.as_deref())
    }

    /// A client of the same service after it was lost: it may have come back under another address.
    ///
    /// While it is away it leaves none, and whoever listens where the settings point to need not be
    /// the same service: then the last address is the better guess.
    pub(crate) fn client_again(&self, lost: Client) -> Client {
        let Ok(Found::Configured(settings)) = self.find() else {
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

    /// The token to send: the one of the flags, else the one of the variables.
    fn token(&self) -> Result<Option<Token>, Error> {
        if let Some(token) = &self.token {
            // Not read by clap, whose message would repeat it.
            let wrong = |reason| Error::Usage(format!("--token: {reason}"));
            return token.parse().map(Some).map_err(wrong);
        }
        if let Some(path) = &self.token_file {
            return Token::of_file(path).map(Some);
        }
        let sources = Sources::from_process();
        if let Some((text, place)) = sources.of_client(config::TOKEN)? {
            let token = text.parse::<Token>();
            let wrong = |reason| Error::Usage(format!("`VENOM_TOKEN` {place}: {reason}"));
            return token.map(Some).map_err(wrong);
        }
        let file = sources.of_client(config::TOKEN_FILE)?;
        file.map(|(path, _)| Token::of_file(Path::new(&path)))
            .transpose()
    }

    /// The service's address if it was named, else the settings.
    pub(crate) fn find(&self) -> Result<Found, Error> {
        if let Some(url) = &self.url {
            return Ok(Found::Named(url.clone()));
        }
        let sources = Sources::from_process();
        if let Some((text, place)) = sources.of_client(config::URL)? {
            let url = service_url(&text).map_err(|reason| {
                Error::Usage(format!("`VENOM_URL` {place}: found {text:?}, {reason}"))
            })?;
            return Ok(Found::Named(url));
        }
        Ok(Found::Configured(Box::new(self.load()?.settings)))
    }

    /// The settings of the service on this machine.
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

    /// Whether the command line names the service's address.
    pub(crate) fn has_url(&self) -> bool {
        self.url.is_some()
    }
}

/// The address that the service which owns a database has left beside it.
pub(crate) fn announced(database: &Path) -> Option<Url> {
    let text = fs::read_to_string(Lock::path_of(database)).ok()?;
    service_url(announced_address(&text)).ok()
}

/// Where to reach a service with these settings.
fn address(settings: &Settings) -> Url {
    let scheme = match settings.tls_cert_file {
        Some(_) => "https",
        None => "http",
    };
    let address = SocketAddr::new(settings.host, settings.port);
    reachable(&format!("{scheme}://{address}"))
}

/// The URL by which this machine reaches a service that listens on that of an address and a port.
pub(crate) fn reachable(listens: &str) -> Url {
    service_url(listens).expect("an address and a port make a URL")
}

/// Reads a service's address. One that means "all of this machine's" becomes this machine's.
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
