//! Tokens, made as an operator makes them.

use std::process::{Command, Output};

use crate::service::Setup;

impl Setup {
    /// Runs `venom token …` on the database of this service.
    pub fn token(&self, words: &[&str]) -> Output {
        self.venom(&[&["token"], words].concat())
    }

    /// Runs a command on the database of this service.
    pub fn venom(&self, words: &[&str]) -> Output {
        std::fs::write(self.folder().join("venom.toml"), self.settings_text())
            .expect("a folder to write in");
        Command::new(crate::venom())
            .args(words)
            .arg("--database")
            .arg(self.database_path())
            .current_dir(self.folder())
            .env_clear()
            .output()
            .expect("the binary can be started")
    }

    /// Makes a token.
    pub fn create_token(&self, words: &[&str]) -> String {
        let made = self.token(&[&["create"], words].concat());
        assert!(made.status.success(), "{made:?}");
        let text = String::from_utf8(made.stdout).expect("UTF-8");
        text.trim_end().to_owned()
    }
}
