//! Unpacks `sqlx-data.json` for the compile-time check of the queries.
//!
//! sqlx reads one file for each query from a folder; the repository keeps them in one file. While
//! `scripts/sqlx-prepare` collects them from a live database, nothing is unpacked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use serde_json::value::RawValue;

const DATA: &str = "sqlx-data.json";

fn main() {
    println!("cargo:rerun-if-changed={DATA}");
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-env-changed=VENOM_SQLX_PREPARE");
    if env::var_os("VENOM_SQLX_PREPARE").is_some() {
        return;
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let folder = PathBuf::from(out).join("sqlx");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("OUT_DIR is writable");
    let data = fs::read_to_string(DATA).expect("sqlx-data.json is part of the repository");
    let queries: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&data).expect("sqlx-data.json maps query hashes to descriptions");
    for (hash, query) in queries {
        let path = folder.join(format!("query-{hash}.json"));
        fs::write(path, query.get()).expect("OUT_DIR is writable");
    }
    println!("cargo:rustc-env=SQLX_OFFLINE=true");
    println!("cargo:rustc-env=SQLX_OFFLINE_DIR={}", folder.display());
}
