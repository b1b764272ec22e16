//! What a service or a worker does with the news of its Redis connection.

/// Who wants to hear of what happens in Redis, and of the connection.
pub(crate) trait RedisListener: Send + Sync + 'static {
    /// The keys that it hears of; one that ends in `*` stands for all that begin so.
    fn watched_keys(&self) -> Vec<String>;

    /// This has happened to this key.
    fn on_key_event(&self, key: &str, event: &[u8]);

    /// The keys that it writes, besides those that are named after jobs.
    fn written_keys(&self) -> Vec<String>;

    /// The control channel has brought this.
    fn on_command(&self, payload: &[u8]);

    /// There is a connection, and Redis does what is needed. What has happened before was told to nobody.
    fn on_connected(&self) -> impl Future<Output = ()> + Send;

    /// Redis answers, and does not do what is needed: it takes no writes, or its user lacks a right.
    fn on_refusing(&self, reason: String) -> impl Future<Output = ()> + Send;

    /// The connection is lost, or could not be made.
    fn on_unreachable(&self, reason: String) -> impl Future<Output = ()> + Send;
}
