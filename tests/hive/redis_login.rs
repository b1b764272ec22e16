//! How the service comes into a Redis that does not let everybody in.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use support::hive::{calls, hive};
use support::{Redis, Service, certified, eventually, self_signed};

/// Waits until the service says why Redis is away.
async fn why_away(service: &Service) -> String {
    eventually("Redis is away for a reason", || async {
        let status = service.queue_status().await;
        let reason = status["hive"]["reason"].as_str()?.to_owned();
        (!reason.contains("not connected yet")).then_some(reason)
    })
    .await
}

async fn until_connected(service: &Service) {
    eventually("the Hive is connected", || async {
        let status = service.queue_status().await;
        (status["hive"]["state"] == "connected").then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_password_lets_it_in_and_a_wrong_one_is_not_shown() {
    let redis = Redis::with_user("venom", "open sesame").await;
    let setup = |password: &str| {
        hive(&redis)
            .setting("redis_username", "\"venom\"")
            .setting("redis_password", format!("{password:?}"))
            .table(&calls("ok", ""))
    };
    let service = setup("open barley").start().await;
    let reason = why_away(&service).await;
    assert!(!reason.contains("barley"), "{reason}");
    service.ends_well().await;
    let service = setup("open sesame").start().await;
    until_connected(&service).await;
    service.ends_well().await;
}

/// A door to this Redis that speaks TLS; its port, and the PEM of the authority that vouches for it.
async fn tls_door(redis: &Redis, (config, authority): (ServerConfig, String)) -> (u16, String) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let behind = redis.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust it goes away.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let redis = TcpStream::connect(("127.0.0.1", behind)).await;
                    let _ = copy_bidirectional(&mut stream, &mut redis.expect("Redis")).await;
                }
            });
        }
    });
    (port, authority)
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn over_tls_it_goes_only_to_whom_an_authority_vouches_for() {
    for server in [certified(), self_signed()] {
        goes_only_to(server).await;
    }
}

async fn goes_only_to(server: (ServerConfig, String)) {
    let redis = Redis::start().await;
    let (port, authority) = tls_door(&redis, server).await;
    let setup = || {
        hive(&redis)
            .setting("redis_port", port)
            .setting("redis_tls", true)
            .table(&calls("ok", ""))
    };
    let service = setup().start().await;
    let reason = why_away(&service).await;
    assert!(reason.contains("certificate"), "{reason}");
    service.ends_well().await;
    let setup = setup().setting("redis_ca_file", "\"ca.pem\"");
    std::fs::write(setup.folder().join("ca.pem"), authority).expect("a file");
    let service = setup.start().await;
    until_connected(&service).await;
    service.ends_well().await;
}
