//! A settings file that changes while its service runs.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::service::Service;

impl Service {
    /// Replaces `venom.toml`.
    pub fn rewrite(&self, change: impl FnOnce(String) -> String) {
        let path = self.setup().folder().join("venom.toml");
        let text = std::fs::read_to_string(&path).expect("a settings file");
        std::fs::write(path, change(text)).expect("a settings file");
    }

    pub async fn reload(&self) -> Answer {
        self.post("/api/v1/reload").await
    }

    /// Reloads; the keys that were applied.
    pub async fn reload_well(&self) -> Value {
        let answer = self.reload().await.expect(200);
        assert_eq!(
            (&answer["success"], &answer["needs_restart"]),
            (&json!(true), &json!([]))
        );
        answer["applied"].clone()
    }
}
