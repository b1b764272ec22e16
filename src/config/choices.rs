//! Settings that are enums.

use std::net::IpAddr;

/// Defines an enum together with the word that stands for each of its values in the settings.
macro_rules! choice {
    (
        $(#[$attribute:meta])*
        pub(crate) enum $name:ident {
            $($(#[$of_value:meta])* $value:ident = $word:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$of_value])* $value,)+
        }

        impl $name {
            /// Returns the value that this word stands for.
            pub(crate) fn named(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$value),)+
                    _ => None,
                }
            }

            /// Returns the word that stands for it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}

choice! {
    /// Whether requests require authentication by a token.
    pub(crate) enum Auth {
        /// On every address but loopback.
        Auto = "auto",
        Required = "required",
        Off = "off",
    }
}

impl Auth {
    /// Returns whether a service that listens on `address` requires authentication.
    pub(crate) fn is_required(self, address: IpAddr) -> bool {
        match self {
            Self::Auto => !address.to_canonical().is_loopback(),
            Self::Required => true,
            Self::Off => false,
        }
    }
}

choice! {
    /// What a commit waits for before its callers are answered.
    pub(crate) enum Durability {
        /// The disk: an acknowledged task survives a power cut.
        Full = "full",
        /// The operating system: an acknowledged task survives a crash of the service, not a power cut.
        Normal = "normal",
    }
}

choice! {
    /// How a log line is written.
    pub(crate) enum LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// The kind of a processor: the word after `kind =`.
    pub(crate) enum KindName {
        Echo = "echo",
        Command = "command",
        Webhook = "webhook",
        Llm = "llm",
        Worker = "worker",
        Hive = "hive",
    }
}

choice! {
    /// Which of the Hive's two queues a job goes to.
    pub(crate) enum HiveQueue {
        /// The urgent one, whatever the task.
        High = "high",
        /// The other one, whatever the task.
        Background = "background",
        /// The urgent one for tasks with a priority above 0.
        ByPriority = "by priority",
    }
}

impl HiveQueue {
    /// Returns whether a task of this priority goes to the urgent queue.
    pub(crate) fn is_high(self, priority: i64) -> bool {
        match self {
            Self::High => true,
            Self::Background => false,
            Self::ByPriority => priority > 0,
        }
    }
}

choice! {
    /// How ARQ's jobs and results are serialized.
    pub(crate) enum HiveCodec {
        /// ARQ's own default.
        Pickle = "pickle",
        /// For workers with a JSON serializer.
        Json = "json",
        /// For workers with a MessagePack serializer.
        Msgpack = "msgpack",
    }
}

choice! {
    /// What becomes of the times of a schedule at which the service did not run.
    pub(crate) enum Missed {
        /// One task stands for all of them.
        RunOnce = "run once",
        /// They are dropped; the next time counts.
        Skip = "skip",
    }
}
