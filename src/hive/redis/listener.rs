//! The interface between the Redis connection and its user: a service or a worker handles its events.

/// Receives the events of watched keys, the messages of the control channel and the state of the connection.
pub(crate) trait RedisListener: Send + Sync + 'static {
    /// Returns the keys to watch; one that ends in `*` means all keys with that prefix.
    fn watched_keys(&self) -> Vec<String>;

    /// Handles an event of a watched key.
    fn on_key_event(&self, key: &str, event: &[u8]);

    /// Returns the keys that the node writes, besides those named after jobs.
    fn written_keys(&self) -> Vec<String>;

    /// Handles a message of the control channel.
    fn on_command(&self, payload: &[u8]);

    /// Called when Redis is connected and permits what the node needs. Events from before are lost.
    fn on_connected(&self) -> impl Future<Output = ()> + Send;

    /// Called when Redis answers but refuses: it takes no writes, or its user lacks a right.
    fn on_refusing(&self, reason: String) -> impl Future<Output = ()> + Send;

    /// Called when the connection is lost or could not be made.
    fn on_unreachable(&self, reason: String) -> impl Future<Output = ()> + Send;
}
