//! venom.example.toml, .env.example and the reference page, written from the table of settings.
