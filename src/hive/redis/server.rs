//! The Redis server of the settings. Plain connections are the library's own; TLS connections trust the same CA
//! certificates as every other client of this program.

use std::sync::Arc;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Settings;
use crate::hive::redis::error::{CONNECT_PATIENCE, ConnectionError, within};
use crate::tls;
use crate::tls::TrustedCertificates;

/// The address, credentials and TLS setup of one Redis server.
pub(crate) struct Server {
    client: Client,
    /// The TLS setup, if TLS is on.
    tls: Option<Tls>,
}

struct Tls {
    config: Arc<ClientConfig>,
    host: String,
    port: u16,
    login: RedisConnectionInfo,
}

impl Server {
    /// Creates the server of the settings. Reads files; sends nothing.
    ///
    /// # Errors
    /// If the password or the certificates of the settings cannot be read.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConnectionError> {
        let mut login = RedisConnectionInfo::default().set_db(settings.redis_db.into());
        if let Some(name) = &settings.redis_username {
            login = login.set_username(name);
        }
        let password = settings.reveal_redis_password();
        if let Some(password) = password.map_err(ConnectionError::Password)? {
            login = login.set_password(password);
        }
        let (host, port) = (settings.redis_host.clone(), settings.redis_port);
        let trusted = match (&settings.redis_ca_file, settings.redis_tls) {
            (_, false) => None,
            (None, true) => Some(TrustedCertificates::usual()),
            (Some(path), true) => {
                let trusted = TrustedCertificates::in_file(path);
                Some(trusted.map_err(ConnectionError::Certificates)?)
            }
        };
        let tls = trusted.map(|trusted| Tls {
            config: Arc::new(tls::client_config(trusted)),
            host: host.clone(),
            port,
            login: login.clone(),
        });
        let address = ConnectionAddr::Tcp(host, port).into_connection_info()?;
        let client = Client::open(address.set_redis_settings(login))?;
        Ok(Self { client, tls })
    }

    /// Opens a connection for commands.
    pub(crate) async fn connect(
        &self,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, ConnectionError> {
        let Some(tls) = &self.tls else {
            let connection = self
                .client
                .get_multiplexed_async_connection_with_config(&config);
            return within(connection).await;
        };
        let stream = tls.connect().await?;
        let connection = MultiplexedConnection::new_with_config(&tls.login, stream, config);
        let (connection, driver) = within(connection).await?;
        // It ends with the last handle to the connection.
        tokio::spawn(driver);
        Ok(connection)
    }

    /// Opens a connection for events and messages.
    pub(crate) async fn listen(&self) -> Result<PubSub, ConnectionError> {
        match &self.tls {
            None => within(self.client.get_async_pubsub()).await,
            Some(tls) => within(PubSub::new(&tls.login, tls.connect().await?)).await,
        }
    }
}

impl Tls {
    async fn connect(&self) -> Result<TlsStream<TcpStream>, ConnectionError> {
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
            let connector = TlsConnector::from(Arc::clone(&self.config));
            connector.connect(name, stream).await
        };
        match timeout(CONNECT_PATIENCE, connecting).await {
            Err(_) => Err(ConnectionError::Silent(CONNECT_PATIENCE)),
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(match tls::reason(&error, "`redis_ca_file`") {
                Some(reason) => ConnectionError::Insecure(reason),
                None => ConnectionError::Redis(error.into()),
            }),
        }
    }
}
