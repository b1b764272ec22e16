//! Turns settings into the limits of the queue, of the HTTP server, and of retention.

use crate::api::ServerLimits;
use crate::config::{KeySettings, ProcessorKind, Settings};
use crate::state::{ExecutionSite, Limit, Limits, Retention};

/// Returns the queue's limits of the settings.
pub(crate) fn limits(settings: &Settings) -> Limits {
    let processors = settings.processors.iter();
    let keys = settings.concurrency_keys.iter();
    let key_limit = |settings: &KeySettings| Limit {
        concurrency: settings.concurrency,
        rate: settings.rate,
    };
    let site = |kind: &ProcessorKind| match kind {
        ProcessorKind::Worker(worker) => ExecutionSite::OutsideWorker {
            lease: worker.lease,
        },
        ProcessorKind::Hive(_) => ExecutionSite::Hive,
        ProcessorKind::Echo
        | ProcessorKind::Command(_)
        | ProcessorKind::Webhook(_)
        | ProcessorKind::Llm(_) => ExecutionSite::Local,
    };
    Limits {
        running: settings
            .enable_queue_limits
            .then_some(settings.max_concurrent_tasks),
        running_bytes: settings.running_limit_bytes,
        sites: processors
            .clone()
            .map(|(name, processor)| (name.clone(), site(&processor.kind)))
            .collect(),
        processors: processors
            .map(|(name, processor)| {
                let limit = Limit {
                    concurrency: processor.concurrency,
                    rate: processor.rate,
                };
                (name.clone(), limit)
            })
            .filter(|(_, limit)| *limit != Limit::default())
            .collect(),
        keys: keys
            .filter(|(key, _)| key.as_str() != "*")
            .map(|(key, settings)| (key.clone(), key_limit(settings)))
            .collect(),
        any_key: key_limit(settings.key_settings("*")),
    }
}

/// Returns how long finished tasks are kept.
pub(super) fn retention(settings: &Settings) -> Retention {
    Retention {
        completed: settings.retention_completed,
        failed: settings.retention_failed,
    }
}

/// Returns the limits of the HTTP server.
pub(super) fn server_limits(settings: &Settings) -> ServerLimits {
    ServerLimits {
        connections: settings.max_connections,
        header_timeout: settings.header_timeout,
        idle_timeout: settings.idle_timeout,
    }
}
