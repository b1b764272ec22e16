-- Who may use the service. One row a token; the token itself is nowhere, only its hash.
CREATE TABLE tokens (
    -- Given once: the journal names tokens, so a revoked one keeps its name.
    name         TEXT PRIMARY KEY,
    -- SHA-256 of the token, which is 256 random bits: nothing that could be guessed.
    hash         BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    role         TEXT NOT NULL CHECK (role IN ('read', 'submit', 'operate', 'admin')),
    -- A JSON list of the processors that it is for; NULL stands for all of them.
    processors   TEXT CHECK (json_type(processors) = 'array'),
    created_at   TEXT NOT NULL,
    -- From this time on it is worth nothing.
    revoked_at   TEXT,
    -- To about a minute.
    last_used_at TEXT
) STRICT, WITHOUT ROWID;
