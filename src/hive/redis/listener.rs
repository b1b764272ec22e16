//! What a service or a worker does with the news of its Redis connection.

/// Receives the events of watched keys, the messages of the control channel and the state of the connection.
pub(crate) trait RedisListener: Send + Sync + 'static {
    /// The keys to watch; one that ends in `*` means all keys with that prefix.
    fn watched_keys(&self) -> Vec<String>;

    /// This event has happened to this key.
    fn on_key_event(&self, key: &str, event: &[u8]);

    /// The keys that it writes, besides those that are named after jobs.
    fn written_keys(&self) -> Vec<String>;

    /// A message has come by the control channel.
    fn on_command(&self, payload: &[u8]);

    /// Redis is connected and permits what is needed. Events from before the connection are lost.
    fn on_connected(&self) -> impl Future<Output = ()> + Send;

    /// Redis answers but refuses: it takes no writes, or its user lacks a right.
    fn on_refusing(&self, reason: String) -> impl Future<Output = ()> + Send;

    /// The connection is lost, or could not be made.
    fn on_unreachable(&self, reason: String) -> impl Future<Output = ()> + Send;
}
